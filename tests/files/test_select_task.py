"""Which task a picture gets, and ``undegrade estimate``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.degrade import CameraNoise
from undegrade.errors import UndegradeError
from undegrade.files.select_task import noise_correlation, select_task
from undegrade.image import read
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import EstimateMap, Restoration
from undegrade.inference.pipeline import Pipeline
from undegrade.weights.card import shipped_cards


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A shipped photograph without its noise is not at hand: the restored one has next to none."""
    photo = np.asarray(Pillow.open(Path(__file__).parents[2] / "examples" / "dog-noisy.png"))
    return np.asarray(load_pipeline("gaussian", "fast", device="cpu")(photo[64:256, 64:256]).image)


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    noise = sigma * np.random.default_rng(0).standard_normal(clean.shape)
    return (clean + noise).round().clip(0, 255).astype(np.uint8)


def load(task: str) -> Pipeline:
    return load_pipeline(task, device="cpu")


@pytest.mark.parametrize("sigma", [8, 20, 50])
def test_noise_is_removed(clean: np.ndarray, sigma: float) -> None:
    choice = select_task(noisy(clean, sigma), load)
    assert choice.pipeline is load("gaussian")
    assert "noise level" in choice.reason


def test_a_clean_picture_is_left_alone(clean: np.ndarray) -> None:
    choice = select_task(clean, load)
    assert choice.pipeline is None
    assert choice.reason.startswith("left alone: ")


def test_texture_is_no_noise(monkeypatch: pytest.MonkeyPatch, clean: np.ndarray) -> None:
    texture = np.linspace(3, 30, 100, dtype=np.float32).reshape(1, 10, 10)
    found = EstimateMap(np.zeros(1), np.zeros(1), texture)
    monkeypatch.setattr(Pipeline, "estimate_map", lambda self, image, **options: found)
    choice = select_task(clean, load_gaussian)
    assert choice.pipeline is None
    assert "texture" in choice.reason


class Blocky:
    """In place of a jpeg pipeline, with an opinion of its own."""

    def __init__(self, quality: float) -> None:
        self.quality = quality

    def estimate(self, image: np.ndarray, tile: int | None = None) -> np.ndarray:
        return np.array([self.quality])


@pytest.mark.parametrize(
    ("seen", "header", "reason"),
    [
        (40, None, "the JPEG quality estimated from the pixels is 40"),
        (40, 92, "the JPEG quality estimated from the pixels is 40"),
        (93, 60, "the JPEG quality in the header is 60"),
        (93, None, None),
        (83, None, None),
        (83, 95, None),
        (83, 84, "the JPEG quality in the header is 84"),
        (93, 95, None),
    ],
)
def test_jpeg_artifacts_by_pixels_or_header(
    clean: np.ndarray, seen: float, header: int | None, reason: str | None
) -> None:
    jpeg = Blocky(seen)
    choice = select_task(clean, lambda task: jpeg if task == "jpeg" else load(task), quality=header)
    assert choice.pipeline is (None if reason is None else jpeg)
    assert choice.reason == f"task jpeg, since {reason}" if reason else choice.reason.startswith("left alone: ")


def test_noise_comes_before_jpeg(clean: np.ndarray) -> None:
    choice = select_task(noisy(clean, 20), lambda task: Blocky(10) if task == "jpeg" else load(task), quality=10)
    assert choice.pipeline is load("gaussian")


def test_without_weights_jpeg_artifacts_are_left_alone(clean: np.ndarray) -> None:
    assert select_task(clean, load_gaussian, quality=10).pipeline is None


@pytest.mark.parametrize("name", ["clean.png", "clean.jpg", "clean.tif"])
def test_what_is_left_alone_is_byte_for_byte_the_file(
    clean: np.ndarray, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(clean).save(tmp_path / name, quality=95)
    assert main(["restore", str(tmp_path / name), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert "left alone" in capsys.readouterr().out
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_left_alone_in_another_format(clean: np.ndarray, tmp_path: Path) -> None:
    Pillow.fromarray(clean).save(tmp_path / "a.png")
    assert main(["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.tif"), "--device", "cpu"]) == 0
    np.testing.assert_array_equal(read(tmp_path / "b.tif").pixels, clean)


def test_a_given_task_is_done_whatever_the_picture(
    clean: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(clean).save(tmp_path / "a.png")
    command = ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--task", "gaussian"]
    assert main(command) == 0
    assert "restored with gaussian" in capsys.readouterr().out


def test_strength_level_and_samples_from_the_command_line(
    clean: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = noisy(clean, 20)[:64, :80]
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    results = {}
    for label, options in {
        "0": ["--strength", "0", "--task", "gaussian"],
        "half": ["--strength", "0.5"],
        "sigma": ["--sigma", "10"],
        "own": [],
        "samples": ["--samples", "3", "--seed", "4"],
        "budget": ["--memory", "0.2"],
    }.items():
        out = tmp_path / label / "a.png"
        assert main(["restore", str(tmp_path / "a.png"), "-o", str(out), "--device", "cpu", *options]) == 0
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


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--strength", "9"], "strength of 9"),
        (["--sigma", "10", "--quality", "5"], None),
        (["--quality", "50", "--task", "gaussian"], "--quality replaces"),
        (["--samples", "1"], "at least 2"),
        (["--memory", "1", "--tile", "64"], "--memory"),
        (["--memory", "-1"], "--memory"),
        (["--seed", "-1", "--samples", "2"], "--seed"),
        (["--samples", "2"], "would replace"),
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


def test_estimating_files(clean: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Pillow.fromarray(noisy(clean, 25)).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"nothing")
    files = [str(tmp_path / name) for name in ("bad.png", "a.png")]
    assert main(["estimate", *files, "--task", "gaussian", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    name, value, spread = out.split(": noise level ")[0], *out.split(": noise level ")[1].split(" +- ")
    assert name.endswith("a.png")
    assert float(value) == pytest.approx(25, abs=2)
    assert 0 < float(spread.split(" ")[0]) < 5
    assert "bad.png" in err
    assert err.count("\n") == 1


def test_every_estimator_is_asked_and_the_header_too(
    clean: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(clean).save(tmp_path / "a.jpg", quality=30)
    assert main(["estimate", str(tmp_path / "a.jpg"), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("a.jpg: JPEG quality from the header 30")
    estimated = {card.task for card in shipped_cards()}
    assert len(lines) == 1 + len(estimated)
    assert any(": noise level " in line for line in lines)


def test_a_task_without_an_estimator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(load_pipeline("real"), "quantity", None)  # as after training with lambda_2 = 0
    assert main(["estimate", "a.png", "--task", "real"]) == 2
    assert "real" in capsys.readouterr().err


def camera(clean: np.ndarray, **changes: Any) -> np.ndarray:
    noise = CameraNoise(**{"shot": (0.06, 0.06), "read": (0.02, 0.02), **changes})
    x = torch.from_numpy(clean.astype(np.float32) / 255).permute(2, 0, 1)[None]
    y = noise(x, torch.Generator().manual_seed(0)).image[0].permute(1, 2, 0).numpy()
    return (255 * y).round().astype(np.uint8)


def ramp(side: int = 192) -> np.ndarray:
    """Grey that brightens slowly, (side, side, 3), uint8."""
    return np.repeat(np.linspace(60, 180, side * side).reshape(side, side, 1), 3, axis=2).round().astype(np.uint8)


def test_white_noise_is_not_correlated_and_a_cameras_is() -> None:
    white = noise_correlation(noisy(ramp().astype(float), 8))
    assert white is not None
    assert abs(white) < 0.05
    assert (noise_correlation(camera(ramp())) or 0) > 0.22
    assert (noise_correlation(camera(ramp(), smoothing=(1.0, 1.0))) or 0) > 0.5


def test_the_correlation_is_that_of_the_noise_whatever_the_type_and_size() -> None:
    # Independent draws averaged with their right neighbour: correlation 1/2 across, 0 down.
    draw = np.random.default_rng(0).standard_normal((1024, 4097)).astype(np.float32) / 100
    image = 0.5 + (draw[:, 1:] + draw[:, :-1]) / 2
    known = 0.25
    for kind in (image, np.round(65535 * image).astype(np.uint16), image[..., None], np.tile(image, (4, 4))):
        assert noise_correlation(kind) == pytest.approx(known, abs=0.06)  # the trend takes some with it


@pytest.mark.parametrize("image", [np.full((256, 256), 128, np.uint8), np.full((256, 256, 3), 255, np.uint8),
                                   np.zeros((40, 40), np.float32), np.full((256, 256), 0.3, np.float32),
                                   np.full((256, 256), 12345, np.uint16),
                                   np.linspace(0.1, 0.9, 256, dtype=np.float32)[:, None].repeat(256, 1)])  # fmt: skip
def test_where_nothing_is_to_be_seen_there_is_no_correlation(image: np.ndarray) -> None:
    assert noise_correlation(image) is None


class Smoother:
    """In place of a real pipeline: a restoration that goes so far towards the mean of each channel."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def __call__(self, image: np.ndarray, tile: int | None = None) -> Restoration:
        mean = image.mean((0, 1), keepdims=True)
        smoothed = (image + self.amount * (mean - image)).round().clip(0, 255).astype(np.uint8)
        return Restoration(smoothed, None)


def with_real(amount: float) -> tuple[Any, Callable[[str], Any]]:
    real = Smoother(amount)
    return real, lambda task: real if task == "real" else load(task)


def test_noise_that_neighbours_share_is_for_the_real_task() -> None:
    real, loader = with_real(0.0)
    choice = select_task(camera(ramp()), loader)
    assert choice.pipeline is real
    assert "as a camera's" in choice.reason
    assert select_task(noisy(ramp().astype(float), 8), loader).pipeline is load("gaussian")


def test_smoothed_noise_is_seen_by_what_the_real_task_takes_away() -> None:
    flat = np.full((192, 192, 3), 120, np.uint8)
    smoothed = camera(flat, shot=(0.06, 0.06), read=(0.02, 0.02), smoothing=(1.5, 1.5))
    assert 2.5 < (smoothed - flat.astype(float)).std() < 4
    assert select_task(smoothed, load_gaussian).pipeline is None  # too smooth for the gaussian task's reading
    real, loader = with_real(1.0)
    assert select_task(smoothed, loader).pipeline is real
    assert select_task(smoothed, with_real(0.3)[1]).pipeline is not real  # next to nothing is taken away
    assert select_task(flat, loader).pipeline is not real


@pytest.mark.parametrize(("ratio", "seen"), [(2.0, True), (4.0, False)])
def test_a_cameras_noise_may_be_stronger_in_one_place_than_in_another(ratio: float, seen: bool) -> None:
    flat = np.full((192, 192, 3), 120, np.uint8)
    noise = camera(flat, shot=(0.06, 0.06), read=(0.02, 0.02), smoothing=(1.5, 1.5)) - flat.astype(float)
    noise[:, 48:] *= ratio
    image = (flat + noise).round().clip(0, 255).astype(np.uint8)
    real, loader = with_real(1.0)
    assert (select_task(image, loader).pipeline is real) is seen


def load_gaussian(task: str) -> Pipeline:
    if task != "gaussian":
        raise UndegradeError("no weights.")
    return load(task)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 3), (1, 64, 3), (64, 1), (15, 15, 3)])
def test_sides_under_a_block_are_chosen_for_too(shape: tuple[int, ...]) -> None:
    """There is no whole block to look at."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    select_task(image, load)
    assert noise_correlation(image) is None
