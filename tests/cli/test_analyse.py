"""``undegrade analyse`` on tiny pictures: files that say something, and sentences for mistakes."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from undegrade.analysis.figures import style
from undegrade.cli import main
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, save_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clean/, real/, mean/ and random weights."""
    root = tmp_path_factory.mktemp("analysis")
    rng = np.random.RandomState(0)
    for part in ("clean", "mean", "real"):
        (root / part).mkdir()
        for i in range(3):
            x = make_photo(48, 64, i + 3 * (part != "clean"))
            noisy = np.clip(x + rng.normal(0, 8, x.shape), 0, 255).astype(np.uint8) if part == "real" else x
            Image.fromarray(noisy).save(root / part / f"{i}.png")
    torch.manual_seed(0)
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    save_weights(VDIR(Architecture(restorer="fast")), root, "random", card)
    return root


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of few pixels, which take less time."""
    monkeypatch.setattr(style, "DPI", 50)
    monkeypatch.setattr(style, "WEB_DPI", 50)


def analyse(folder: Path, what: str, *options: object) -> int:
    weights = folder / "random.safetensors"
    return main(["analyse", what, "--data", str(folder / "clean"), "--weights", str(weights), *map(str, options)])


def lines(file: Path) -> list[dict[str, str]]:
    with file.open() as text:
        return list(csv.DictReader(text))


def check_picture(file: Path) -> None:
    with Image.open(file) as picture:
        assert picture.width == 360
        assert np.asarray(picture).std() > 5


def test_health(folder, tmp_path, capsys):
    assert analyse(folder, "health", "--json", tmp_path / "health.json") == 0
    out = capsys.readouterr().out
    assert "gaussian-fast, 3 images" in out
    assert "No collapse: 4 of 4" in out or "ignores" in out
    record = json.loads((tmp_path / "health.json").read_text())
    assert len(record["channels"]) == record["active_units"] == 4
    assert record["psnr"]["σ 30"].keys() == {"own", "flat", "another's", "zero"}


def test_manipulate(folder, tmp_path, capsys):
    options = ("--images", 1, "--show", "2", "-o", tmp_path, "--format", "jpg")
    assert analyse(folder, "manipulate", *options, "--crop", 500, -3) == 0
    assert "stronger (σ 50)" in capsys.readouterr().out
    check_picture(tmp_path / "fig-05.jpg")
    check_picture(tmp_path / "fig-06.jpg")
    rows = lines(tmp_path / "fig-05.csv")
    assert [(r["image"], r["latent"]) for r in rows[:2]] == [("2", "own"), ("2", "flipped")]
    assert len(rows) == 8  # the picture to show, and the first
    assert all(float(r["psnr"]) > 0 for r in rows)
    assert (tmp_path / "fig-05.md").read_text().startswith("| latent")


def test_swap(folder, tmp_path, capsys, monkeypatch):
    for library in ("matplotlib", "sklearn", "scipy"):
        monkeypatch.setitem(sys.modules, library, None)  # it draws nothing
    assert analyse(folder, "swap", "-o", tmp_path) == 0
    assert "milder (σ 10)" in capsys.readouterr().out
    rows = lines(tmp_path / "swap.csv")
    assert [r["image"] for r in rows] == ["0", "1", "2"]
    assert all(float(r[latent]) > 0 for r in rows for latent in ("own", "zero", "another's", "milder", "stronger"))


def test_map(folder, tmp_path, capsys):
    assert analyse(folder, "map", "--patches", 6, "--patch", 16, "-o", tmp_path) == 0
    assert "R^2 of a linear probe for the level" in capsys.readouterr().out
    check_picture(tmp_path / "fig-07.png")
    rows = lines(tmp_path / "fig-07.csv")
    assert len(rows) == 60
    assert {float(r["level"]) for r in rows} == set(range(10, 60, 5))
    assert len(lines(tmp_path / "fig-07-numbers.csv")) == 5


@pytest.mark.parametrize("controls", [True, False])
def test_sources(folder, tmp_path, controls):
    means = ("--means", folder / "mean") if controls else ()
    options = ("--photographs", folder / "real", *means, "--patches", 12, "--patch", 16, "-o", tmp_path)
    assert analyse(folder, "sources", *options) == 0
    check_picture(tmp_path / "fig-08.png")
    rows = lines(tmp_path / "fig-08.csv")
    assert [sum(r["source"] == s for r in rows) for s in ("photographs", "camera noise", "Gaussian noise")] == [12] * 3
    strength = [float(r["noise"]) for r in rows if r["source"] == "photographs" and r["noise"]]
    assert np.mean(strength) == pytest.approx(8, abs=1) if controls else not any(strength)
    assert len(lines(tmp_path / "fig-08-numbers.csv")) == (5 if controls else 3)


def test_steer(folder, tmp_path, capsys):
    assert analyse(folder, "steer", "--patches", 4, "--patch", 16, "-o", tmp_path, "--show", "1") == 0
    assert "Rank correlation with the shift: estimate" in capsys.readouterr().out
    check_picture(tmp_path / "steer.png")
    rows = lines(tmp_path / "steer.csv")
    assert len(rows) == 18
    assert [float(r["shift"]) for r in rows[:9]] == list(range(-24, 25, 6))


@pytest.mark.parametrize(
    ("what", "options", "sentence"),
    [
        ("map", ["--patches", "1000"], "disjoint patches of 64 pixels, not 1000"),
        ("map", ["--patches", "0"], "--patches 0 is out of range"),
        ("manipulate", ["--show", "nobody"], "no image named nobody"),
        ("manipulate", ["--data", "nowhere"], "there is no folder nowhere"),
        ("health", ["--images", "1"], "at least 2 images"),
        ("steer", ["--images", "1"], "at least 2 images"),
        ("sources", ["--photographs", "nowhere"], "there is no folder nowhere"),
        ("health", ["--task", "juggling"], "no task 'juggling'"),
    ],
)
def test_mistakes_get_a_sentence(folder, tmp_path, monkeypatch, capsys, what, options, sentence):
    monkeypatch.chdir(tmp_path)
    assert analyse(folder, what, *options) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_photographs_and_means_must_be_pairs(folder, tmp_path, capsys):
    (tmp_path / "means").mkdir()
    Image.fromarray(make_photo(48, 64, 9)).save(tmp_path / "means" / "only.png")
    options = ("--photographs", folder / "real", "--means", tmp_path / "means", "--patches", 1, "--patch", 16)
    assert analyse(folder, "sources", *options, "-o", tmp_path / "out") == 2
    assert "photographs and means do not match" in capsys.readouterr().err


@pytest.mark.parametrize(("what", "library"), [("map", "matplotlib"), ("map", "sklearn"), ("steer", "matplotlib")])
def test_without_the_extra_one_sentence_says_how_to_get_it(folder, monkeypatch, capsys, what, library):
    monkeypatch.setitem(sys.modules, library, None)
    assert analyse(folder, what) == 2
    error = capsys.readouterr().err
    assert library in error
    assert "pip install 'undegrade[analyse]'" in error


def test_health_needs_no_extra(folder, monkeypatch):
    for library in ("matplotlib", "sklearn", "scipy"):
        monkeypatch.setitem(sys.modules, library, None)
    assert analyse(folder, "health") == 0
