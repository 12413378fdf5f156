"""The intervals of the shipped weights hold about as much as they say, on photographs that no model saw.

Binomial chance is small beside how much pictures differ: the bounds are what catches widths that are half or twice as
large as they should be, which hold 68 instead of 90 % and 75 instead of 50 % of Laplace's errors.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import undegrade
from undegrade.evaluation.conformal import coverage
from undegrade.files.readings import readings_of
from undegrade.inference.pipeline import Pipeline
from undegrade.weights.intervals import Widths

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
        # A result of 8 bits is rounded: half a level.
        within.append(coverage(255 * found.half_width(level) + 0.5, found.image.astype(float) - x))
    return float(np.mean(within))


def check(pipeline: Pipeline, damaged: Sequence[object]) -> None:
    assert 0.4 < covered(pipeline, damaged, 0.5) < 0.66
    assert 0.84 < covered(pipeline, damaged, 0.9) < 0.97


@pytest.mark.parametrize("task", ["gaussian", "universal"])
@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_of_noise(task: str, sigma: float) -> None:
    pipeline = undegrade.load(task)
    damaged = noisy(sigma)
    check(pipeline, damaged)
    told = [next(readings_of(pipeline, pipeline.estimate_map(y))) for y in damaged]
    assert sum(low <= sigma <= high for low, high in (reading.interval for reading in told)) >= 2
    assert all(high - low < 0.8 * sigma + 4 for low, high in (reading.interval for reading in told))


@pytest.mark.parametrize(("task", "quality"), [("jpeg", 10), ("jpeg", 80), ("universal", 40), ("universal", 92)])
def test_of_jpegs(task: str, quality: int, tmp_path: Path) -> None:
    """At 92 the universal model reads no compression: it is the header that tells how wide intervals must be."""
    files = [tmp_path / f"{i}.jpg" for i in range(3)]
    for x, file in zip(photographs(), files, strict=True):
        Image.fromarray(x).save(file, quality=quality)
    check(undegrade.load(task), files)


def test_widths_half_or_twice_as_large_are_noticed() -> None:
    pipeline = copy(undegrade.load("gaussian"))
    pixels = pipeline.intervals.pixels
    assert pixels is not None
    for factor in (0.5, 2.0):
        other = tuple(
            Widths(w.scales, {p: tuple(factor * v for v in values) for p, values in w.widths.items()})
            for w in pixels.widths
        )
        pipeline.intervals = replace(pipeline.intervals, pixels=replace(pixels, widths=other))
        with pytest.raises(AssertionError):
            check(pipeline, noisy(25))
