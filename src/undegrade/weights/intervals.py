"""How wide intervals must be to cover what they say: measured on held-out pictures, stored on the card of a model.

A model says how far off a value may be, by a scale: b of a pixel (:mod:`undegrade.model.scale_head`), the posterior
standard deviation of an estimate. How often an interval of so many times that scale holds the truth is another matter:
the density need not be Laplace's, nor the scale right. So for each level the half-width is a monotone function of the
scale, taken from quantiles of the errors themselves (:mod:`undegrade.evaluation.conformal`). Nothing is assumed of the
errors but that those of new pictures are like those of the held-out ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.reading import check_fields, mapping, name, text

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Shares of the true values that intervals are made to hold."""
_MOST_KNOTS = 1000
_MOST_NUMBERS = 100
_AT_ONCE = 1 << 20

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Widths:
    """The half-width of an interval as a function of a scale, for each of :data:`LEVELS`.

    Between the knots it is linear. Below the first one it is that of the first, above the last it grows in proportion
    to the scale.

    Attributes:
        scales: the knots, rising, all finite and the last above 0.
        widths: by level, the half-width at each knot, nowhere falling.

    Raises:
        ValueError: on construction, if that does not hold.
    """

    scales: tuple[float, ...]
    widths: Mapping[float, tuple[float, ...]]

    def __post_init__(self) -> None:
        if set(self.widths) != set(LEVELS):
            raise ValueError(f"there must be widths for the levels {', '.join(map(str, LEVELS))}")
        if not 1 <= len(self.scales) <= _MOST_KNOTS or {len(w) for w in self.widths.values()} != {len(self.scales)}:
            raise ValueError(f"there must be 1 to {_MOST_KNOTS} scales, and as many widths for every level")
        for values in (self.scales, *self.widths.values()):
            if not all(math.isfinite(v) and v >= 0 for v in values) or list(values) != sorted(values):
                raise ValueError("scales and widths must be finite, at least 0, and must not fall")
        if len(set(self.scales)) < len(self.scales) or self.scales[-1] == 0:
            raise ValueError("the scales must rise, to above 0")

    def __call__(self, scale: npt.NDArray[Any], level: float) -> Plane:
        """The half-width at each scale, of the same shape, float32.

        Raises:
            UndegradeError: it is not known for this level.
        """
        if level not in self.widths:
            known = ", ".join(f"{each:g}" for each in LEVELS)
            raise UndegradeError(f"there is no interval of level {level!r:.20}; give one of: {known}.")
        half = np.empty(np.shape(scale), np.float32)
        flat, given = half.reshape(-1), np.asarray(scale).reshape(-1)
        for start in range(0, flat.size, _AT_ONCE):  # np.interp works in float64
            part = given[start : start + _AT_ONCE]
            beyond = np.maximum(part / self.scales[-1], 1.0)
            flat[start : start + _AT_ONCE] = np.interp(part, self.scales, self.widths[level]) * beyond
        return half

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the inverse of :meth:`from_dict`."""
        return {"scales": list(self.scales), "widths": {f"{k:g}": list(v) for k, v in self.widths.items()}}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError: it is something else.
        """
        check_fields(values, {"scales": _numbers, "widths": mapping})
        check_fields(values["widths"], {f"{level:g}": _numbers for level in LEVELS})
        return cls(tuple(values["scales"]), {level: tuple(values["widths"][f"{level:g}"]) for level in LEVELS})


@dataclass(frozen=True)
class Intervals:
    """What is known of a model's intervals.

    Attributes:
        pixels: of b, in the same unit: of images in [0, 1]; None if it is not known.
        estimates: by the name of a number that the estimator reads, of its spread, in the number's unit.
        measured_on: the pictures, in words.
    """

    pixels: Widths | None = None
    estimates: Mapping[str, Widths] = field(default_factory=dict)
    measured_on: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the inverse of :meth:`from_dict`; nothing where nothing is known."""
        if self == Intervals():
            return {}
        pixels = None if self.pixels is None else self.pixels.to_dict()
        estimates = {of: widths.to_dict() for of, widths in self.estimates.items()}
        return {"pixels": pixels, "estimates": estimates, "measured_on": self.measured_on}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError: it is something else.
        """
        if values == {}:
            return cls()
        check_fields(values, {"pixels": lambda _: None, "estimates": mapping, "measured_on": text})
        if len(values["estimates"]) > _MOST_NUMBERS:
            raise ValueError(f"it has more than {_MOST_NUMBERS} estimates")
        for of in values["estimates"]:
            if name(of.replace(" ", "-")) is not None:
                raise ValueError(f"one of its estimates has no plain name: {of!r:.60}")
        pixels = None if values["pixels"] is None else Widths.from_dict(values["pixels"])
        estimates = {of: Widths.from_dict(widths) for of, widths in values["estimates"].items()}
        return cls(pixels, estimates, values["measured_on"])


def _numbers(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return None if fits else "a list of numbers"
