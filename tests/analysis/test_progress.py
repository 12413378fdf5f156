"""A run's log as curves."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undegrade.analysis.figures import style
from undegrade.analysis.figures.progress import draw_progress, gains, read_log, series
from undegrade.errors import UndegradeError


def log(folder: Path, *, validated: bool = True, end: str = "") -> Path:
    """Ten reports, every fifth of them with a look at held-out crops; the restoration is learned from the third on."""
    rows = []
    for i in range(1, 11):
        row = {"step": 100 * i, "lr": 1e-3 / i, "kl": 1.0 + i, "reconstruction": 0.3 / i, "adversarial": 0.0}
        row |= {"restoration": 0.1 / i} if i > 2 else {}
        row |= {"psnr/10": 30.0 + i, "psnr/50": 25.0 + i} if validated and i % 5 == 0 else {}
        rows.append(row)
    file = folder / "metrics.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + end)
    return file


def colours(picture: Path) -> set[str]:
    """Those of the palette that the picture holds, of lines and not of their edges."""
    with Image.open(picture) as image:
        found, counts = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_counts=True)
    many = {"#{:02X}{:02X}{:02X}".format(*c) for c, n in zip(found.tolist(), counts, strict=True) if n > 20}
    return many & set(style.COLOURS)


@pytest.mark.parametrize("end", ["", '{"step": 1100, "lr": 0.0', "\n"])
def test_a_log_is_read_up_to_a_line_that_is_being_written(tmp_path, end):
    rows = read_log(log(tmp_path, end=end))
    assert [row["step"] for row in rows] == [100 * i for i in range(1, 11)]
    assert series(rows, "psnr/50") == ([500, 1000], [30, 35])
    assert series(rows, "restoration")[0] == [100 * i for i in range(3, 11)]


def test_a_line_for_every_term_that_the_run_has(tmp_path):
    rows = read_log(log(tmp_path, validated=False))
    # Restoration, reconstruction and KL; the adversarial term is zero all along.
    drawn = colours(draw_progress(rows, tmp_path / "progress.png"))
    assert drawn == set(style.COLOURS[:3])
    with Image.open(tmp_path / "progress.png") as without:
        height = without.height
    draw_progress(read_log(log(tmp_path)), tmp_path / "progress.png")
    with Image.open(tmp_path / "progress.png") as picture:
        assert picture.height > 1.3 * height  # a panel more


def test_what_rests_is_no_term_of_the_run(tmp_path):
    rows = [{k: v for k, v in row.items() if k != "reconstruction"} for row in read_log(log(tmp_path, validated=False))]
    # The KL is still in the log, of a posterior that no longer learns.
    assert colours(draw_progress(rows, tmp_path / "progress.png")) == {style.COLOURS[0]}


def test_cases_are_drawn_by_what_they_gained_and_named_by_where_they_end(tmp_path):
    rows = read_log(log(tmp_path))
    _, gained, names = gains(None, rows, ["psnr/10", "psnr/50"])
    assert series(gained, "psnr/10") == series(gained, "psnr/50") == ([500, 1000], [0, 5])
    assert series(gained, "kl") == series(rows, "kl")
    assert names == {"psnr/10": "10: 40.00", "psnr/50": "50: 35.00"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no step yet"),
        ("[1, 2]\n{}\n", "not a log of undegrade train"),
        ('{"a": 1}\n', "not a log of undegrade train"),
    ],
)
def test_other_files_are_refused(tmp_path, text, sentence):
    file = tmp_path / "metrics.jsonl"
    file.write_text(text)
    with pytest.raises(UndegradeError, match=sentence):
        read_log(file)
    with pytest.raises(UndegradeError, match="cannot be read"):
        read_log(tmp_path)
