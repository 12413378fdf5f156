"""The study of coverage: what it counts where everything is known, and a run from start to end."""

import csv
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from tools.graphs import random_model
from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.metrics import to_8bit
from undegrade.model.architecture import Architecture
from undegrade.weights.card import Card, save_weights
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity

sys.path.insert(0, str(Path(__file__).parents[1] / "reproduce"))
coverage, study = map(importlib.import_module, ("coverage", "study"))

LAPLACE = Widths((1e-6, 1.0), {p: (-1e-6 * np.log(1 - p), -float(np.log(1 - p))) for p in LEVELS})


def known_cell(pictures: int = 4, pixels: int = 20_000) -> object:
    """Laplace errors of a known scale, which differs from pixel to pixel and from picture to picture."""
    random, cell = np.random.default_rng(0), coverage.Cell("a", "b")
    for i in range(pictures):
        b = np.exp(random.normal(-4 + 0.3 * i, 0.8, pixels))
        cell.category.append(Category())
        cell.b.append(b)
        cell.error.append(random.laplace(0, b[:, None], (pixels, 3)))
        cell.std.append(np.exp(random.normal(-6, 0.5, pixels)))
    return cell


def test_true_intervals_cover_in_every_tenth_and_are_narrower_than_the_baselines():
    found = coverage.row(known_cell(), WidthsBySeverity((0.0,), (LAPLACE,)))
    np.testing.assert_allclose(found.covered, LEVELS, atol=0.005)
    np.testing.assert_allclose(found.ours.tenths, 0.9, atol=0.01)
    # The baselines cover as much on the whole, and not where it matters.
    for baseline in (found.constant, found.samples):
        assert np.mean(baseline.tenths) == pytest.approx(0.9, abs=0.002)
        assert baseline.tenths[0] > 0.97
        assert baseline.tenths[-1] < 0.75
        assert baseline.worst == baseline.tenths[-1]
        assert found.ours.width < baseline.width


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CBSD68/a.png", "CBSD68/b.png", "val/a.png", "val/b.png", "val/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        side = (100, 96) if "val" in name else (40, 48)
        Image.fromarray(make_photo(*side, ord(name[-5]))).save(tmp_path / name)
    monkeypatch.setattr(coverage, "SIDE", 96)
    return tmp_path


def weights(folder: Path, known: bool = True) -> Path:
    model = random_model(Architecture(restorer="fast", scale_head=True))
    with torch.no_grad():
        model.restorer.tail.weight.mul_(0.01)
    intervals = Intervals(WidthsBySeverity((0.0,), (LAPLACE,))).to_dict() if known else {}
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {}, intervals=intervals)
    return save_weights(model, folder, "sure", card)


def parse(*words: str):
    return study.parser(coverage.__doc__, coverage.add_arguments).parse_args(words)


def test_it_runs_and_counts_the_errors_of_the_models_own_restorations(sets: Path, capsys: pytest.CaptureFixture[str]):
    path = weights(sets)
    options = (str(sets), "--val", str(sets / "val"), "--weights", str(path), "--out", str(sets / "out"))
    assert coverage.run(parse(*options, "--samples", "2", "--every", "2")) == 0
    text = capsys.readouterr().out
    with (sets / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["set"], r["case"], r["pictures"]) for r in rows] == [
        ("held-out", "first half", "8"),  # two pictures at four noise levels
        ("held-out", "second half", "4"),
        *(("CBSD68", f"sigma {sigma}", "2") for sigma in (10, 30, 50, 70)),
    ]
    assert (sets / "out.png").stat().st_size > 10_000
    # With widths that were fitted to other pictures: as often as is said, but for the differences of the pictures.
    for r in rows[:2]:
        assert float(r["covered_0.9"]) == pytest.approx(0.9, abs=0.06)
    # By hand, with what a user gets: the pictures are so small that every pixel counts.
    pipeline = coverage.undegrade.load(weights=path)
    for benchmark, found in zip(
        [b for b in pipeline.task.benchmarks if b.dataset.name == "CBSD68"], rows[2:], strict=True
    ):
        within = []
        for name in ("a", "b"):
            x = coverage.load(sets / "CBSD68" / f"{name}.png")
            y = to_8bit(benchmark.degrade(x)[0]).astype(np.float32) / np.float32(255)  # as in a file
            lower, upper = pipeline(y, uncertainty=True).interval(0.9)
            within.append(((lower <= x / 255) & (x / 255 <= upper)).mean())
        assert float(found["covered_0.9"]) == pytest.approx(np.mean(within), abs=1e-3)
    shown = re.search(r"\| CBSD68 \| sigma 10 \| 2 \| ([\d.]+) ", text)
    assert float(shown[1]) == pytest.approx(100 * float(rows[2]["covered_0.5"]), abs=0.06)
    assert float(rows[2]["covered_0.9"]) > float(rows[5]["covered_0.9"])


def test_without_samples_and_what_cannot_be_measured(sets: Path, capsys: pytest.CaptureFixture[str]):
    path = weights(sets)
    assert coverage.run(parse(str(sets), "--weights", str(path), "--samples", "0", "--limit", "1")) == 0
    assert capsys.readouterr().out.count("| - | - |") == 4
    with pytest.raises(UndegradeError, match=r"training/intervals\.py"):
        coverage.run(parse(str(sets), "--weights", str(weights(sets, known=False))))
    (sets / "few").mkdir()
    Image.fromarray(make_photo(100, 96, 0)).save(sets / "few" / "a.png")
    with pytest.raises(UndegradeError, match="fewer than 2 pictures"):
        coverage.run(parse(str(sets), "--weights", str(weights(sets)), "--val", str(sets / "few")))
