"""Widths of intervals from held-out errors, and how often intervals hold the truth.

Values are sorted by their scale and cut into bins of equal numbers. In each bin the half-width of level p is the k-th
smallest error with k = ceil((n + 1) p): an interval of that width holds a new value of the bin with probability p at
least, whatever the distribution, as long as the new one could as well have been any of the n (split conformal
prediction). Where the widths would fall from one bin to the next, the bins are put together and share the width of
their errors together, until none falls (isotonic regression): what holds for one bin holds for those as a whole.

Errors of one scale are not distributed alike under weak and strong degradations: under weak ones they have thinner
tails. So the images of each kind of degradation are sorted by their severity and cut into groups first, each with
widths of its own (Mondrian conformal prediction).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.weights.intervals import LEVELS, Widths, WidthsBySeverity

BINS = 32
"""Of the pixels."""
LEAST = 50
"""Values in a bin, at least."""
GROUPS = 20
"""Of images by severity, at most. JPEGs of quality 10 and of quality 40 must not be in one: their errors differ."""
LEAST_IMAGES = 20
"""In a group, at least."""
DIGITS = 6
"""Of the numbers, which are stored in thousands."""

Array = npt.NDArray[Any]


def fit(scale: Array, errors: Array, bins: int = BINS) -> Widths:
    """Half-widths as a function of the scale.

    Args:
        scale: (N,), at least 0.
        errors: (N,) or (N, C), what the values of that scale are off by.
        bins: at most so many, of at least :data:`LEAST` values each.

    Raises:
        UndegradeError: there are too few values, or some are not finite.
    """
    if not (np.isfinite(scale).all() and np.isfinite(errors).all()):
        raise UndegradeError("some scales or errors are not finite; use other weights.")
    if len(scale) < LEAST:
        raise UndegradeError(f"{len(scale)} values are too few to find intervals; give at least {LEAST}.")
    bins = min(bins, len(scale) // LEAST)
    # Equal scales stay together: they have one width.
    edges = np.unique(np.quantile(scale, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, scale, side="right")
    parts = [bin_of == i for i in np.unique(bin_of)]
    knots = tuple(float(np.median(scale[part])) for part in parts)
    if knots[-1] <= 0:
        raise UndegradeError("every scale is 0, which tells nothing of the errors; use other weights.")
    off = [np.abs(errors[part]).ravel() for part in parts]
    rounded = _rounded(knots)
    widths = {level: _rounded(_rising(off, level)) for level in LEVELS}
    return Widths(rounded if len(set(rounded)) == len(knots) else knots, widths)


def fit_pixels(
    categories: Sequence[Category], scales: Sequence[Array], errors: Sequence[Array], groups: int = GROUPS
) -> WidthsBySeverity:
    """Half-widths as a function of the scale, for groups of images by kind and severity.

    Where there are several kinds, one that no image is of has the widths of all images together.

    Args:
        categories: of each image as the model estimates it; all the same where it estimates none.
        scales: of each image, (N,), at least 0.
        errors: of each, (N,) or (N, C).
        groups: of images by severity, at most.

    Raises:
        UndegradeError: there are too few values, or some are not finite.
    """
    kinds = sorted({category.kind for category in categories})
    if len(kinds) <= 1:
        return _by_severity([category.severity for category in categories], scales, errors, groups)
    found = {}
    for kind in kinds:
        chosen = [i for i, category in enumerate(categories) if category.kind == kind]
        severities = [categories[i].severity for i in chosen]
        found[kind] = _by_severity(severities, [scales[i] for i in chosen], [errors[i] for i in chosen], groups)
    return replace(_by_severity([0.0] * len(categories), scales, errors, groups), kinds=found)


def _by_severity(
    severities: Sequence[float], scales: Sequence[Array], errors: Sequence[Array], groups: int
) -> WidthsBySeverity:
    values = np.asarray(severities, np.float64)
    if not np.isfinite(values).all():
        raise UndegradeError("some estimates are not finite; use other weights.")
    groups = min(groups, max(len(values) // LEAST_IMAGES, 1))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, groups + 1)[1:-1]))
    group_of = np.searchsorted(edges, values, side="right")
    found = {}
    for group in np.unique(group_of):
        chosen = np.flatnonzero(group_of == group).tolist()
        widths = fit(np.concatenate([scales[i] for i in chosen]), np.concatenate([errors[i] for i in chosen]))
        found[float(np.median(values[chosen]))] = widths
    return WidthsBySeverity(tuple(found), tuple(found.values()))


def quantile(errors: Array, level: float) -> float:
    """The conformal quantile of absolute errors, (N,); the largest one of fewer than level / (1 - level)."""
    rank = min(math.ceil((errors.size + 1) * level), errors.size) - 1
    return float(np.partition(errors, rank)[rank])


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values)


def _rising(off: list[Array], level: float) -> list[float]:
    """The quantile of each bin's absolute errors, where it would fall that of several bins together."""
    blocks: list[tuple[Array, int, float]] = []
    for errors in off:
        bins, width = 1, quantile(errors, level)
        while blocks and blocks[-1][2] > width:
            before, more, _ = blocks.pop()
            errors, bins = np.concatenate((before, errors)), bins + more
            width = quantile(errors, level)
        blocks.append((errors, bins, width))
    return [width for _, bins, width in blocks for _ in range(bins)]


def coverage(half: Array, errors: Array) -> float:
    """The share of the errors that lie within the half-widths: (N,) and (N,) or (N, C)."""
    within = np.abs(errors) <= (half if errors.ndim == half.ndim else half[..., None])
    return float(within.mean())


def deciles(scale: Array) -> list[Array]:
    """The places of the tenths of the values by scale, from the smallest on."""
    return list(np.array_split(np.argsort(scale, kind="stable"), 10))
