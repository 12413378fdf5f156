"""Calibration agrees when the printed numbers are met, disagrees when not, and says what is missing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from undegrade.cli import calibrate as command
from undegrade.data.benchmark import blur, gaussian, jpeg
from undegrade.data.catalogue import CLASSIC5, LIVE1, SET5
from undegrade.degrade.blur import G_2_0
from undegrade.errors import UndegradeError
from undegrade.evaluation.calibrate import Comparison, calibrate, report
from undegrade.evaluation.paper import Discrepancy, Paper, Table, paper
from undegrade.metrics import UNIFORM_8, Protocol
from undegrade.tasks import TASKS

COLOUR = SimpleNamespace(protocol=Protocol("rgb"), benchmarks=jpeg("VII", (LIVE1,), (10, 50)))
GREY = SimpleNamespace(
    protocol=Protocol("grey", metrics=("psnr", "ssim"), window=UNIFORM_8),
    benchmarks=jpeg("VI", (CLASSIC5, LIVE1), (20,)),
)
SMALL = SimpleNamespace(
    protocol=Protocol("y", 2, ("psnr", "ssim")), benchmarks=blur("IV", (SET5,), 2, {"g_2.0": G_2_0})
)
NOISE = SimpleNamespace(protocol=Protocol(), benchmarks=gaussian("I", (LIVE1,), (10,)))
ALL = [COLOUR, GREY, SMALL, NOISE]


@pytest.fixture
def data(tmp_path: Path, photo: np.ndarray) -> Path:
    """Two or three tiny images of every dataset that calibration reads."""
    for folder in ("LIVE1", "Set5", "BSD100", "Urban100", "Classic5"):
        (tmp_path / folder).mkdir()
        for i in range(2):
            pixels = np.roll(photo, 17 * i, axis=1)[: 81 + i, :101]
            Image.fromarray(pixels[..., 0] if folder == "Classic5" else pixels).save(tmp_path / folder / f"{i}.png")
    return tmp_path


def printed(values: Mapping[tuple[str, str, str, str, str], float], *wrong: Discrepancy) -> Paper:
    """A paper with these values: (table, metric, method, dataset, case) -> value."""
    tables: dict[str, Any] = {}
    for name in dict.fromkeys(key[0] for key in values):
        mine = {key[1:]: v for key, v in values.items() if key[0] == name}
        cases = tuple(dict.fromkeys(case for *_, case in mine))
        rows: dict[str, Any] = {}
        for metric, method, dataset, _ in mine:
            row = tuple(mine.get((metric, method, dataset, case)) for case in cases)
            rows.setdefault(metric, {}).setdefault(method, {})[dataset] = row
        tables[name] = Table(name, cases, rows)
    return Paper(tables, (), wrong)


def test_the_jpeg_cells_are_the_psnr_of_the_files(data: Path) -> None:
    scores = []
    for path in sorted((data / "LIVE1").iterdir()):
        with Image.open(path) as image:
            image.save(data / "x.jpg", quality=50)
            with Image.open(data / "x.jpg") as coded:
                scores.append(peak_signal_noise_ratio(np.asarray(image), np.asarray(coded)))
    value = float(np.mean(scores))
    (found,) = calibrate([COLOUR], printed({("VII", "psnr", "JPEG", "LIVE1", "QF 50"): value}), data)
    assert found.cell.mean("psnr") == pytest.approx(value, abs=1e-9)
    assert found.agrees


def test_only_cells_with_a_printed_baseline_are_measured(data: Path) -> None:
    values = {
        ("IV", "psnr", "Bicubic", "Set5", "x2 g_2.0"): 30.0,
        ("VI", "psnr", "JPEG", "Classic5", "QF 20"): 30.0,
        ("VI", "ssim", "JPEG", "Classic5", "QF 20"): 0.9,
        ("I", "psnr", "VDIR", "LIVE1", "sigma 10"): 36.0,
    }
    found = calibrate(ALL, printed(values), data, jobs=2)
    places = {(c.cell.table, c.method, c.cell.dataset, c.cell.case) for c in found}
    assert places == {("IV", "Bicubic", "Set5", "x2 g_2.0"), ("VI", "JPEG", "Classic5", "QF 20")}
    assert [c.cell.table for c in calibrate(ALL, printed(values), data, tables=["IV"])] == ["IV"]


def as_printed(found: list[Comparison], off: float = 0.0) -> dict[tuple[str, str, str, str, str], float]:
    """What a paper would print that measured the same, but for ``off`` in every PSNR."""
    return {
        (c.cell.table, m, c.method, c.cell.dataset, c.cell.case): c.cell.mean(m) + (off if m == "psnr" else 0)
        for c in found
        for m in c.paper
    }


@pytest.mark.parametrize(("off", "code"), [(0.0, 0), (0.019, 0), (0.03, 1), (-0.03, 1)])
def test_exit_code_tells_whether_all_cells_agree(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], off: float, code: int
) -> None:
    measured = calibrate(list(TASKS.values()), paper(), data)
    assert len(measured) == 6 + 3 + 18 + 16  # Tables IV, V, VI, VII
    monkeypatch.setattr("undegrade.evaluation.paper.paper", lambda: printed(as_printed(measured, off)))
    assert run("--benchmarks", str(data)) == code
    out = capsys.readouterr().out
    assert out.count(" NO |" if code else " yes |") == 43
    assert f"{0 if code else 43} of 43 cells agree with the paper." in out


def test_the_papers_own_discrepancies_are_shown_and_forgiven(data: Path) -> None:
    key = ("VII", "psnr", "JPEG", "LIVE1", "QF 10")
    known = Discrepancy("VII", "JPEG", "QF 10", ("LIVE1",), "a slip of the pen")
    (wrong,) = calibrate([COLOUR], printed({key: 99.0}), data)
    assert not wrong.agrees
    (forgiven,) = calibrate([COLOUR], printed({key: 99.0}, known), data)
    assert forgiven.agrees
    assert "paper (*)" in report([forgiven])
    assert "a slip of the pen" in report([forgiven])


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv))


def test_json_holds_the_same_numbers(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data / "out.json"
    assert run("--benchmarks", str(data), "--tables", "IV", "--json", str(file)) == 1
    rows = json.loads(file.read_text())
    assert [r["case"] for r in rows] == ["x2 g_2.0"] * 3 + ["x2 g_ani"] * 3
    assert f"{rows[0]['ours']['psnr']:.2f} | 28.73 |" in capsys.readouterr().out
    assert [bool(r["discrepancy"]) for r in rows] == [False] * 4 + [True] * 2


def test_known_discrepancies_are_counted_apart(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--benchmarks", str(data), "--tables", "IV")
    assert "0 of 6 cells agree with the paper; 2 are known discrepancies of the paper." in capsys.readouterr().out


def test_missing_data_and_unknown_tables_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="found no images"):
        run("--benchmarks", str(tmp_path))
    with pytest.raises(UndegradeError, match="no table XII"):
        run("--benchmarks", str(tmp_path), "--tables", "XII")


@pytest.mark.data
def test_all_cells_agree_with_the_paper(data_dir: Path) -> None:
    found = calibrate(list(TASKS.values()), paper(), data_dir, jobs=2)
    assert all(c.cell.complete for c in found)
    assert all(c.agrees for c in found), report(found)
