"""How wide intervals must be to cover what they say: measured on held-out pictures, stored on the card of a model.

A model says how far off a value may be, by a scale: b of a pixel (:mod:`undegrade.model.scale_head`), the posterior
standard deviation of an estimate. How often an interval of so many times that scale holds the truth is another matter:
the density need not be Laplace's, nor the scale right. So for each level the half-width is a monotone function of the
scale, taken from quantiles of the errors themselves (:mod:`undegrade.evaluation.conformal`). How the errors of one b
are distributed differs with the degradation, so the pixels have one such function for each of several severities of
each kind of degradation.
Nothing is assumed of the errors but that those of new pictures are like those of the held-out ones.
"""

from __future__ import annotations

import bisect
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
_MOST_SEVERITIES = 20
_MOST_KINDS = 20
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
            if not all(map(math.isfinite, values)) or min(values) < 0 or list(values) != sorted(values):
                raise ValueError("scales and widths must be finite, at least 0, and must not fall")
        if len(set(self.scales)) < len(self.scales) or self.scales[-1] == 0:
            raise ValueError("the scales must rise, to above 0")

    def __call__(self, scale: npt.NDArray[Any], level: float) -> Plane:
        """The half-width at each scale, of the same shape, float32.

        Raises:
            UndegradeError: it is not known for this level.
        """
        given, level = level, round(float(level), 6) if isinstance(level, float | np.floating) else 0.0
        if level not in self.widths:
            known = ", ".join(f"{each:g}" for each in LEVELS)
            raise UndegradeError(f"there is no interval of level {given!r:.20}; give one of: {known}.")
        half = np.empty(np.shape(scale), np.float32)
        flat, scales = half.reshape(-1), np.asarray(scale).reshape(-1)
        for start in range(0, flat.size, _AT_ONCE):  # np.interp works in float64
            flat[start : start + _AT_ONCE] = self.exact(scales[start : start + _AT_ONCE], level)
        return half

    def exact(self, scale: npt.NDArray[Any], level: float) -> npt.NDArray[np.float64]:
        """Like a call, in double precision, for a known level."""
        found: npt.NDArray[np.float64] = np.interp(scale, self.scales, self.widths[level])
        return found * np.maximum(scale / self.scales[-1], 1.0)

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
class WidthsBySeverity:
    """The half-width of an interval as a function of a scale, and of how severe the image's degradation is.

    Of pixels the scale is b, of an estimate its spread; an estimate's severity is its own value.

    Attributes:
        severities: rising, as :meth:`undegrade.degrade.base.Degradation.category` gives them; one where the model
            estimates none, whose value says nothing.
        widths: of b at each of them, in the same unit: of images in [0, 1].
        kinds: the same for each kind of degradation that has widths of its own; those above are for all others.

    Raises:
        ValueError: on construction, if that does not hold.
    """

    severities: tuple[float, ...]
    widths: tuple[Widths, ...]
    kinds: Mapping[str, WidthsBySeverity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.kinds) > _MOST_KINDS or any(pixels.kinds for pixels in self.kinds.values()):
            raise ValueError(f"there must be at most {_MOST_KINDS} kinds, none of them with kinds of its own")
        if not 1 <= len(self.severities) <= _MOST_SEVERITIES or len(self.widths) != len(self.severities):
            raise ValueError(f"there must be 1 to {_MOST_SEVERITIES} severities, and widths for each")
        if not all(math.isfinite(v) for v in self.severities) or list(self.severities) != sorted(set(self.severities)):
            raise ValueError("the severities must be finite and rise")

    def at(self, kind: str, severity: float) -> Widths:
        """For one image: between two severities linear, outside as at the nearest. What is not a number is the mildest.

        Args:
            kind: of degradation that was estimated of it.
            severity: how strong it was estimated to be.
        """
        if kind in self.kinds:
            return self.kinds[kind].at("", severity)
        severity = min(max(severity, self.severities[0]), self.severities[-1])
        upper = bisect.bisect_left(self.severities, severity) if severity == severity else 0
        high = self.widths[upper]
        if upper == 0 or severity == self.severities[upper]:
            return high
        low = self.widths[upper - 1]
        below, above = self.severities[upper - 1 : upper + 1]
        share = (severity - below) / (above - below)
        scales = np.union1d(low.scales, high.scales)
        between = {
            level: tuple(((1 - share) * low.exact(scales, level) + share * high.exact(scales, level)).tolist())
            for level in LEVELS
        }
        return Widths(tuple(scales.tolist()), between)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the inverse of :meth:`from_dict`."""
        own = {"severities": list(self.severities), "widths": [widths.to_dict() for widths in self.widths]}
        return own | ({"kinds": {kind: pixels.to_dict() for kind, pixels in self.kinds.items()}} if self.kinds else {})

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError: it is something else.
        """
        if isinstance(values, dict) and "scales" in values:  # of an estimate, on cards of before: of its spread alone
            return cls((0.0,), (Widths.from_dict(values),))
        own, kinds = values, {}
        if isinstance(values, dict) and "kinds" in values:
            own, kinds = {k: v for k, v in values.items() if k != "kinds"}, values["kinds"]
        check_fields(own, {"severities": _numbers, "widths": _list})
        if len(own["widths"]) > _MOST_SEVERITIES:
            raise ValueError(f"it has more than {_MOST_SEVERITIES} severities")
        if not isinstance(kinds, dict) or any("kinds" in of for of in kinds.values() if isinstance(of, dict)):
            raise ValueError("its kinds must be a table of severities and widths")
        return cls(
            tuple(own["severities"]),
            tuple(Widths.from_dict(widths) for widths in own["widths"]),
            {_kind(kind): cls.from_dict(of) for kind, of in kinds.items()},
        )


@dataclass(frozen=True)
class Intervals:
    """What is known of a model's intervals.

    Attributes:
        pixels: of b; None if it is not known.
        estimates: by the name of a number that the estimator reads, of its spread and its value, in the number's unit.
        measured_on: the pictures, in words.
    """

    pixels: WidthsBySeverity | None = None
    estimates: Mapping[str, WidthsBySeverity] = field(default_factory=dict)
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
        pixels = None if values["pixels"] is None else WidthsBySeverity.from_dict(values["pixels"])
        estimates = {of: WidthsBySeverity.from_dict(widths) for of, widths in values["estimates"].items()}
        return cls(pixels, estimates, values["measured_on"])


def _kind(value: str) -> str:
    if name(value.replace(" ", "-")) is not None:
        raise ValueError(f"one of its kinds has no plain name: {value!r:.60}")
    return value


def _numbers(value: Any) -> str | None:
    fits = isinstance(value, list) and {type(v) for v in value} <= {int, float}
    return None if fits else "a list of numbers"


def _list(value: Any) -> str | None:
    return None if isinstance(value, list) else "a list"
