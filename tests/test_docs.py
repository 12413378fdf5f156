"""Documents name things that exist."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from undegrade.files.restore_file import Outcome

ROOT = Path(__file__).parents[1]
NAMES = sorted(set(re.findall(r"`(undegrade(?:\.\w+)+)`", (ROOT / "docs" / "paper.md").read_text())))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_the_paper_map_exists(name):
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            assert hasattr(found, part), name
            found = getattr(found, part)
        return
    pytest.fail(f"{name} cannot be imported")


def test_every_equation_table_and_figure_is_in_the_map():
    text = (ROOT / "docs" / "paper.md").read_text()
    covered: set[int] = set()
    for low, high in re.findall(r"^\| \((\d+)\)(?:-\((\d+)\))? ", text, re.M):
        covered |= set(range(int(low), int(high or low) + 1))
    assert covered == set(range(1, 21))
    tables = re.findall(r"^\| ((?:[IVX]+(?:, )?)+) \|", text, re.M)
    named = {n for row in tables for n in row.split(", ")}
    assert named == {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI"}
    for figure in range(1, 9):
        assert re.search(rf"^\| (?:\d, )?{figure}, ", text, re.M), figure


def test_every_field_of_a_record_is_explained():
    text = (ROOT / "docs" / "restore.md").read_text()
    explained = [name for row in re.findall(r"^\| (`.*?`) \|", text, re.M) for name in re.findall(r"`(\w+)`", row)]
    assert explained == [field.name for field in dataclasses.fields(Outcome)]
