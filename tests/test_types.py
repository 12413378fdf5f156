"""What the public functions return, as type checkers see it and as it is. ``mypy`` reads this file (``make test``)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import torch

import undegrade
from undegrade.image import Picture, read

ROOT = Path(__file__).parents[1]
Array = npt.NDArray[Any]


def test_this_file_is_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert Path(__file__).relative_to(ROOT).as_posix() in settings["files"]
    assert settings["warn_unused_ignores"]


def test_what_comes_out_is_what_went_in(tmp_path: Path) -> None:
    bytes_: npt.NDArray[np.uint8] = np.zeros((8, 8, 3), np.uint8)
    image = PIL.Image.fromarray(bytes_)
    image.save(tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as opened:
        restored = undegrade.restore(opened, "gaussian")
    assert_type(restored, PIL.Image.Image)
    assert type(restored) is PIL.Image.Image

    array = undegrade.restore(bytes_, "gaussian", strength=0.5)
    assert_type(array, npt.NDArray[np.uint8])
    assert type(array) is np.ndarray
    assert array.dtype == np.uint8

    tensor = undegrade.restore(torch.zeros(3, 8, 8), "gaussian")
    assert_type(tensor, torch.Tensor)
    assert type(tensor) is torch.Tensor

    for given in (tmp_path / "a.png", str(tmp_path / "a.png")):
        found = undegrade.restore(given, "gaussian")
        assert_type(found, undegrade.Restoration[Array])
        assert isinstance(found, undegrade.Restoration)
        assert_type(found.image, Array)
        assert isinstance(found.image, np.ndarray)
    undegrade.restore(tmp_path / "a.png", "gaussian", uncertainty=True)
    with pytest.raises(undegrade.UndegradeError):
        undegrade.restore(bytes_, "gaussian", uncertainty=True)  # type: ignore[call-overload]


def test_results_of_a_pipeline(tmp_path: Path) -> None:
    pipeline = undegrade.load("gaussian-fast")
    assert_type(pipeline, undegrade.Pipeline)
    assert isinstance(pipeline, undegrade.Pipeline)
    assert_type(pipeline.to("cpu"), undegrade.Pipeline)

    floats: npt.NDArray[np.float32] = np.zeros((8, 8), np.float32)
    of_array = pipeline(floats, samples=2)
    assert_type(of_array, undegrade.Restoration[npt.NDArray[np.float32]])
    assert of_array.image.dtype == np.float32
    assert_type(of_array.estimate, npt.NDArray[np.float64] | None)
    assert_type(of_array.words, str)

    of_tensor = pipeline(torch.zeros(8, 8))
    assert_type(of_tensor.image, torch.Tensor)
    assert isinstance(of_tensor.image, torch.Tensor)

    of_pil = pipeline(PIL.Image.new("L", (8, 8)))
    assert_type(of_pil.image, PIL.Image.Image)
    assert isinstance(of_pil.image, PIL.Image.Image)

    of_array.save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png")
    assert_type(picture, Picture)
    assert_type(pipeline(picture), undegrade.Restoration[Array])
    assert isinstance(pipeline(picture).image, np.ndarray)


def test_what_is_no_image_is_an_error_of_types() -> None:
    for wrong in (3, [1, 2], None):
        try:
            undegrade.restore(wrong, "gaussian")  # type: ignore[call-overload]
        except undegrade.UndegradeError:
            continue
        raise AssertionError(wrong)
