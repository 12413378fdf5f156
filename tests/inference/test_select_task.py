"""The universal model's reading decides whether a picture is restored; command line and Python decide alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from undegrade import restore
from undegrade.cli import main
from undegrade.degrade import NOISE_GRAIN_QUALITY
from undegrade.errors import UndegradeError
from undegrade.image import read
from undegrade.inference.estimates import Estimates
from undegrade.inference.jpeg_projection import NOISY
from undegrade.inference.load import load_pipeline
from undegrade.inference.look import Look
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import (
    COMPRESSED,
    LEAST_SIDE,
    NOISE,
    QUIET,
    QUIET_NOISE,
    REPAIR_BELOW,
    Choice,
    select_task,
)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A shipped photograph without its noise is not at hand: the restored and smaller one has next to none."""
    photo = np.asarray(Pillow.open(Path(__file__).parents[2] / "examples" / "dog-noisy.png"))
    restored = Pillow.fromarray(load_pipeline("gaussian", "fast", device="cpu")(photo).image)
    return np.asarray(restored.resize((restored.width // 2, restored.height // 2), Pillow.Resampling.BOX))[:192, :192]


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    noise = sigma * np.random.default_rng(0).standard_normal(clean.shape)
    return (clean + noise).round().clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def universal() -> Pipeline:
    return load_pipeline(device="cpu")


def choose(image: np.ndarray, universal: Pipeline, quality: int | None = None) -> Choice:
    return select_task(image, universal, RestoreOptions(), quality)


@pytest.mark.parametrize("sigma", [8, 20, 50])
def test_noise_is_removed(clean: np.ndarray, universal: Pipeline, sigma: float) -> None:
    choice = choose(noisy(clean, sigma), universal)
    assert choice.pipeline is universal
    assert "noise level" in choice.reason


def test_a_clean_picture_is_left_alone(clean: np.ndarray, universal: Pipeline) -> None:
    choice = choose(clean, universal)
    assert choice.pipeline is None
    assert choice.reason.startswith("left alone: ")
    assert choice.reader is universal
    assert choice.look is not None


COLOURFUL = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


class Reading(Pipeline):
    """A universal model that finds what it is given, but no noise in a share of the picture."""

    def __init__(self, noise: float, quality: float, without: float = 0.0) -> None:
        self.quantity, self._found, self._without = NOISE_GRAIN_QUALITY, (noise, quality), without

    def look(self, image: Any, options: RestoreOptions, progress: Any = None) -> Look:
        noise, quality = (torch.tensor([v]) for v in self._found)
        found = Estimates(3, image)
        found.drawn[:] = NOISE_GRAIN_QUALITY.encode(noise, torch.zeros(1), quality).numpy().reshape(3, 1, 1)
        found.drawn[0].flat[: round(self._without * found.drawn[0].size)] = 0
        found.spread[:] = 0.01
        return Look(None, found, image.shape[:2], numbers=found.in_units(NOISE_GRAIN_QUALITY))


@pytest.mark.parametrize(
    ("noise", "quality", "header", "reason"),
    [
        (NOISE + 0.1, 100, None, "a noise level of "),
        (20, 40, None, "a noise level of 20.0 and a JPEG quality of about 40"),
        (NOISE - 0.1, 40, None, "it looks like a JPEG of quality 40"),
        (0, COMPRESSED - 1, 95, "it looks like a JPEG of quality "),
        (0, 100, REPAIR_BELOW - 1, f"the JPEG quality in the header is {REPAIR_BELOW - 1}"),
        (0, 100, REPAIR_BELOW, None),
        (NOISE - 0.1, COMPRESSED + 1, None, None),
    ],
)
def test_what_is_restored(noise: float, quality: float, header: int | None, reason: str | None) -> None:
    model = Reading(noise, quality)
    choice = choose(COLOURFUL, model, header)
    assert choice.pipeline is (None if reason is None else model)
    assert choice.reason.startswith(reason or "left alone: ")


@pytest.mark.parametrize(("without", "restored"), [(0.12, True), (0.3, False)])
def test_noise_is_nearly_everywhere_but_for_bars(without: float, restored: bool) -> None:
    model = Reading(15, 100, without)
    assert (choose(COLOURFUL, model).pipeline is model) is restored


def test_few_colours_are_graphics() -> None:
    model = Reading(15, 40)
    two = np.zeros((64, 64, 3), np.uint8)
    two[:32, :, 0] = 200
    for image in (two, np.full((64, 64, 3), 255, np.uint8), np.full((64, 64), 7, np.uint8)):
        choice = choose(image, model, quality=50)
        assert choice.pipeline is None
        assert "few colours" in choice.reason
    grey = np.arange(4096, dtype=np.uint8).reshape(64, 64)  # 256 greys are few in any picture
    assert choose(grey, model).pipeline is model
    assert choose(two.astype(np.uint16), model).pipeline is model


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 3), (1, 64, 3), (64, 1), (15, 15, 3)])
def test_tiny_pictures_are_left_alone(universal: Pipeline, shape: tuple[int, ...]) -> None:
    choice = choose(np.random.default_rng(0).integers(0, 256, shape, np.uint8), universal, quality=10)
    assert choice.pipeline is None
    assert "a side below 16 pixels shows too little" in choice.reason
    assert choice.look is None


def test_python_does_what_the_command_line_does(clean: np.ndarray, tmp_path: Path) -> None:
    for name, pixels in (("clean", clean[:64, :80]), ("noisy", noisy(clean[:64, :80], 20))):
        Pillow.fromarray(pixels).save(tmp_path / f"{name}.png")
        command = ["restore", str(tmp_path / f"{name}.png"), "-o", str(tmp_path / "out"), "--device", "cpu"]
        assert main(command) == 0
        found = restore(pixels, device="cpu")
        np.testing.assert_array_equal(found, read(tmp_path / "out" / f"{name}.png").pixels)
        assert np.array_equal(found, pixels) == (name == "clean")


def test_a_batch_in_python_is_decided_image_by_image(clean: np.ndarray) -> None:
    images = [clean[:64, :80], noisy(clean[:64, :80], 20)]
    told: list[float] = []
    batch = restore(np.stack(images), device="cpu", progress=told.append)
    for found, image in zip(batch, images, strict=True):
        np.testing.assert_array_equal(found, restore(image, device="cpu"))
    assert told == sorted(told)
    assert told[-1] == 1
    tensor = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    np.testing.assert_array_equal(restore(tensor, device="cpu").permute(0, 2, 3, 1).numpy(), batch)
    assert not np.shares_memory(restore(images[0], device="cpu"), images[0])


def test_a_level_needs_a_task(clean: np.ndarray) -> None:
    with pytest.raises(UndegradeError, match="give the task too"):
        restore(clean, level=20)


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


def test_the_documented_numbers_are_the_rules() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "restore.md").read_text().split())
    assert f"at least {NOISE:g} levels over the picture, and of at least {QUIET_NOISE:g} in its quietest fifth" in page
    assert QUIET == 20
    assert f"looks like a JPEG quality below {COMPRESSED:g}" in page
    assert f"whose header gives a quality below {REPAIR_BELOW}" in page
    assert f"a side below {LEAST_SIDE} pixels" in page
    assert f"finds noise of {NOISY:g} levels or more" in page
