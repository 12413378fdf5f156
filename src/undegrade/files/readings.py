"""What was found in a picture: named numbers with unit and spread, in words, and as a map; from any model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.degrade.blur import Kernel, Shape
from undegrade.degrade.numbers import Number, Numbers
from undegrade.inference.options import EstimateMap
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import NOISE
from undegrade.inference.uncertainty import LEVEL

Plane = npt.NDArray[np.float32]

BLUR = Number("blur", "pixels of the result", 0, 10)
"""How a kernel is read: by the standard deviation of its wider side."""


@dataclass(frozen=True)
class Reading:
    """One number that was found.

    Attributes:
        name, unit: for people; the unit may be empty.
        value: in the unit.
        spread: its posterior standard deviation, in the unit.
        low, high: the 10th and the 90th percentile over the picture.
        digits: after the point, as people read it.
        words: for a photographer; may be empty.
        plane: the number at every position of the latent, (ceil(H / 4), ceil(W / 4)).
        interval: between which values the truth lies with a probability of 90 %, as measured on held-out pictures;
            None if that is not known of the model.
        defined: whether the number means anything here: without noise there is no grain.
    """

    name: str
    unit: str
    value: float
    spread: float
    low: float
    high: float
    digits: int
    words: str
    plane: Plane
    interval: tuple[float, float] | None = None
    defined: bool = True

    def to_record(self) -> dict[str, Any]:
        """The attributes as JSON values, without the plane."""
        record = {name: value for name, value in vars(self).items() if name != "plane"}
        record["interval"] = None if self.interval is None else list(self.interval)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def readings_of(pipeline: Pipeline, found: EstimateMap) -> Iterator[Reading]:
    """The numbers that one model found, whether its quantity is one number, several, or a blur."""
    if pipeline.quantity is None:
        return
    for reading in _without_intervals(pipeline.quantity, found):
        widths = pipeline.intervals.estimates.get(reading.name)
        if widths is None or not math.isfinite(reading.value + reading.spread):
            yield reading
            continue
        half = float(widths.at("", reading.value)(np.array([reading.spread]), LEVEL)[0])
        low, high = _range(pipeline.quantity, reading.name)
        yield replace(reading, interval=(max(reading.value - half, low), min(reading.value + half, high)))


def values_of(quantity: Quantity, params: Sequence[float]) -> dict[str, float]:
    """The values of :func:`readings_of` by name, of f(T), (P,), in the quantity's units."""
    if isinstance(quantity, Numbers):
        return {number.name: float(value) for number, value in zip(quantity.numbers, params, strict=True)}
    if isinstance(quantity, Kernel):
        return {BLUR.name: math.sqrt(max(Shape.of(params).first, 0.0))}
    return {name: float(value) for (name, _), value in zip(quantity.parts, params, strict=True)}


def _without_intervals(quantity: Quantity, found: EstimateMap) -> Iterator[Reading]:
    if isinstance(quantity, Numbers):
        found_here = [
            _reading(number, found.estimate[i], found.spread[i], found.map[i])
            for i, number in enumerate(quantity.numbers)
        ]
        clean = any(reading.name == "noise level" and reading.value < NOISE for reading in found_here)
        yield from (
            replace(r, words="not defined without noise", defined=False) if clean and r.name == "grain" else r
            for r in found_here
        )
    elif isinstance(quantity, Kernel):
        widths = np.sqrt(np.maximum(_wider(found.map), 0))
        width = values_of(quantity, found.estimate.tolist())[BLUR.name]
        # d sqrt(v) = dv / (2 sqrt(v))
        spread = float(found.spread[:2].mean()) / (2 * max(width, 0.1))
        yield _reading(BLUR, width, spread, widths)
    else:
        for i, (name, unit) in enumerate(quantity.parts):
            number = Number(name, unit, 0, 1, digits=quantity.digits)
            yield _reading(number, found.estimate[i], found.spread[i], found.map[i])


def _range(quantity: Quantity, name: str) -> tuple[float, float]:
    """The values that a number can have."""
    if isinstance(quantity, Numbers):
        return next((number.low, number.high) for number in quantity.numbers if number.name == name)
    # A camera's noise is estimated without bounds, but is not below 0.
    return (0.0, math.inf) if isinstance(quantity, Kernel) else (max(quantity.low, 0.0), quantity.high)


def _reading(number: Number, value: float, spread: float, plane: Plane) -> Reading:
    low, high = np.percentile(plane, (10, 90))
    in_words = _WORDS.get(number.name)
    words = "" if in_words is None else in_words(float(value))
    return Reading(
        number.name, number.unit, float(value), float(spread), float(low), float(high), number.digits, words, plane
    )


def _wider(sigma: Plane) -> Plane:
    """The larger eigenvalue of Sigma, (3, h, w) -> (h, w)."""
    column, row, both = sigma
    wider: Plane = (column + row) / 2 + np.hypot((column - row) / 2, both)
    return wider


_ISO = 3200 / 5.2**2
"""ISO per squared noise level: 5.2 levels at ISO 3200 on the full-frame cameras of CC15 (``benchmarks/iso.py``). The
variance of shot noise is in proportion to ISO."""


def _noise(level: float) -> str:
    if level < NOISE:  # the picture is left alone
        return "no visible noise"
    iso = 100 * 2 ** round(math.log2(max(_ISO * level**2 / 100, 1)))
    strength = "a little noisy" if level < 4 else "noisy" if level < 15 else "very noisy"
    if iso > 102_400:
        return f"{strength}, beyond ISO 102400"
    return f"{strength}, like ISO {iso} on a full-frame camera"


def _grain(correlation: float) -> str:
    if correlation < 0.1:
        return "fine grain: every pixel on its own"
    return "soft grain: neighbours share it, as behind a camera" if correlation < 0.45 else "coarse grain, as on film"


def _saving(quality: float) -> str:
    if quality >= 90:
        return "hardly any compression to be seen"
    return f"looks like a JPEG of quality {round(quality / 5) * 5 if quality >= 10 else round(quality)}"


def _blur(width: float) -> str:
    return "sharp" if width < 0.5 else "a little soft" if width < 1.2 else "blurred"


_WORDS: dict[str, Callable[[float], str]] = {
    "noise level": _noise, "grain": _grain, "JPEG quality": _saving, "blur": _blur,
}  # fmt: skip
