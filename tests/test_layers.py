"""The rooms of the package: which may import which, what each is for, and that none of their files grows too long."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "undegrade"
PACKAGES = sorted(file.parent for file in SOURCE.rglob("__init__.py"))
LONGEST = 350
"""Lines of a source file."""


def layers_of_the_linter() -> list[set[str]]:
    """From the top down; each layer's rooms do not import one another either."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [{room.strip() for room in layer.split("|")} for layer in layers]


def test_layers_point_one_way():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


def test_the_layers_in_the_guide_are_the_linters():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (cli > .+)$", text, re.M)
    told = [{room.strip() for room in layer.split("|")} for layer in line.split(">")]
    assert told == [layer for layer in layers_of_the_linter() if layer != {"__main__"}]


def test_every_room_has_its_place_in_the_layers_and_its_line_in_the_guide():
    rooms = {package.name for package in PACKAGES if package.parent == SOURCE}
    placed = set.union(*layers_of_the_linter())
    assert rooms <= placed
    files = {file.stem for file in SOURCE.glob("*.py")} - {"__init__"}
    assert placed == rooms | files
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == placed - {"__main__"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.relative_to(SOURCE.parent).as_posix())
def test_every_package_says_what_it_is_for(package: Path):
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    assert said is not None
    assert 2 <= len([line for line in said.splitlines() if line.strip()]) <= 10
    # A module that it names is there.
    named = re.findall(r"^ {4}(\w+) {2,}", said, re.M)
    assert all((package / f"{name}.py").exists() for name in named), named


def test_every_folder_of_sources_is_a_package():
    folders = {file.parent for file in SOURCE.rglob("*.py")}
    assert folders == set(PACKAGES)


def test_no_source_file_is_too_long():
    lengths = {file.relative_to(SOURCE).as_posix(): len(file.read_text().splitlines()) for file in SOURCE.rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
