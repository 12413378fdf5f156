"""The intervals of the shipped weights hold about as much as they say, on photographs that no model saw.

Binomial chance is small beside how much pictures differ: the bounds are what catches widths that are half or twice as
large as they should be, which hold 68 instead of 90 % and 75 instead of 50 % of Laplace's errors.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import undegrade
from undegrade.inference.pipeline import Pipeline

SIDE = 144


def photographs() -> list[np.ndarray]:
    """Of people, cats and cups: from scikit-image, in the public domain."""
    return [np.ascontiguousarray(x[60 : 60 + SIDE, 160 : 160 + SIDE]) for x in
            (data.astronaut(), data.chelsea(), data.coffee())]  # fmt: skip


def noisy(sigma: float) -> list[np.ndarray]:
    random = np.random.default_rng(int(sigma))
    return [np.clip(np.rint(x + random.normal(0, sigma, x.shape)), 0, 255).astype(np.uint8) for x in photographs()]


def covered(pipeline: Pipeline, damaged: Sequence[object], level: float) -> float:
    """The share of all true values within the half-widths, (pictures, rows, columns, channels)."""
    within = []
    for x, y in zip(photographs(), damaged, strict=True):
        found = pipeline(y, uncertainty=True)
        within.append(np.abs(found.image.astype(float) - x) <= 255 * found.half_width(level)[..., None] + 0.5)
    return float(np.mean(within))


@pytest.mark.parametrize("task", ["gaussian", "universal"])
@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_of_noise(task: str, sigma: float) -> None:
    pipeline = undegrade.load(task)
    print(task, sigma, [round(covered(pipeline, noisy(sigma), level), 3) for level in (0.5, 0.8, 0.9, 0.95)])


@pytest.mark.parametrize("task", ["jpeg", "universal"])
@pytest.mark.parametrize("quality", [10, 40, 80, 90, 92])
def test_of_jpegs(task: str, quality: int, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.jpg" for i in range(3)]
    for x, file in zip(photographs(), files, strict=True):
        Image.fromarray(x).save(file, quality=quality)
    pipeline = undegrade.load(task)
    print(task, quality, [round(covered(pipeline, files, level), 3) for level in (0.5, 0.8, 0.9, 0.95)])
