"""The options of ``undegrade restore`` that change the result, and those that cannot be met."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.image import read


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    noise = 20 * np.random.default_rng(0).standard_normal((64, 80, 3))
    return (make_photo(64, 80, 2) + noise).round().clip(0, 255).astype(np.uint8)


def test_strength_level_and_samples_from_the_command_line(
    noisy: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = noisy
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    results = {}
    for label, options in {
        "0": ["--strength", "0"],
        "half": ["--strength", "0.5"],
        "sigma": ["--sigma", "10"],
        "own": [],
        "samples": ["--samples", "3", "--seed", "4"],
        "budget": ["--memory", "0.2"],
    }.items():
        out = tmp_path / label / "a.png"
        task = [] if label == "sigma" else ["--task", "gaussian"]  # which --sigma means
        assert main(["restore", str(tmp_path / "a.png"), "-o", str(out), "--device", "cpu", *options, *task]) == 0
        results[label] = read(out).pixels.astype(float)
    np.testing.assert_array_equal(results["0"], pixels)
    np.testing.assert_array_equal(results["budget"], results["own"])
    changed = {label: np.abs(result - pixels).mean() for label, result in results.items()}
    assert 0 < changed["half"] < changed["own"]
    assert 0 < changed["sigma"] < changed["own"]
    std = read(tmp_path / "samples" / "a-std.png")
    assert std.pixels.dtype == np.uint16
    assert std.pixels.shape == (64, 80)
    assert std.pixels.max() > 0
    assert not (tmp_path / "own" / "a-std.png").exists()
    capsys.readouterr()


def test_super_resolution_names_the_options_that_it_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(make_photo(8, 8, 0)).save(tmp_path / "a.png")
    command = ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--task", "sr-x2"]
    assert main([*command, "--strength", "0.5"]) == 1
    assert "leave out strength and level (--strength, --sigma, --quality)." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--strength", "9"], "--strength 9 is out of range; give 0 to 4"),
        (["--variant", "fast"], "give that too, e.g. --task gaussian --variant fast."),
        (["--sigma", "300"], "--sigma 300 is out of range; give 0 to 255"),
        (["--sigma", "nan"], "--sigma nan is out of range"),
        (["--quality", "0.5"], "--quality 0.5 is out of range; give 1 to 100"),
        (["--sigma", "20", "--task", "universal"], "universal estimates several; use --task gaussian."),
        (["--quality", "20", "--task", "universal"], "universal estimates several; use --task jpeg."),
        (["--name", "{stem}-{task}.png"], "{task} and {variant} need --task, --weights, --sigma or --quality"),
        (["--sigma", "10", "--quality", "5"], None),
        (["--quality", "50", "--task", "gaussian"], "--quality replaces"),
        (["--samples", "1"], "--samples 1 gives no standard deviation; give at least 2"),
        (["--memory", "1", "--tile", "64"], "--memory"),
        (["--memory", "-1"], "--memory"),
        (["--seed", "-1", "--samples", "2"], "--seed"),
        (["--samples", "2"], "restore them separately, or use another --name"),
    ],
)
def test_options_that_cannot_be_met(
    options: list[str], what: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [tmp_path / name for name in ("b.png", "b-std.png")]
    for path in inputs:
        Pillow.fromarray(make_photo(8, 8, 0)).save(path)
    command = ["restore", *map(str, inputs), "-o", str(tmp_path / "out"), *options]
    if what is None:
        with pytest.raises(SystemExit):
            main(command)
        return
    assert main(command) == 2
    assert what in capsys.readouterr().err


def test_weights_without_a_scale_head_say_what_to_use_instead(
    headless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(make_photo(8, 8, 0)).save(tmp_path / "a.png")
    command = ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--weights", str(headless)]
    assert main([*command, "--uncertainty"]) == 2
    assert "or use --samples 8." in capsys.readouterr().err
