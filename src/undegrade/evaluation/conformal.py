"""Widths of intervals from held-out errors, and how often intervals hold the truth.

Values are sorted by their scale and cut into bins of equal numbers. In each bin the half-width of level p is the k-th
smallest error with k = ceil((n + 1) p): an interval of that width holds a new value of the bin with probability p at
least, whatever the distribution, as long as the new one could as well have been any of the n (split conformal
prediction). Along the bins the widths are made monotone by raising them, which never loses coverage.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.weights.intervals import LEVELS, Widths

BINS = 32
"""Of the pixels."""
LEAST = 50
"""Values in a bin, at least."""

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
    knots: list[float] = []
    widths: dict[float, list[float]] = {level: [] for level in LEVELS}
    for i in np.unique(bin_of):
        chosen = bin_of == i
        knots.append(float(np.median(scale[chosen])))
        found = quantiles(errors[chosen])
        for level in LEVELS:
            widths[level].append(found[level])
    if knots[-1] <= 0:
        raise UndegradeError("every scale is 0, which tells nothing of the errors; use other weights.")
    return Widths(tuple(knots), {level: tuple(np.maximum.accumulate(w).tolist()) for level, w in widths.items()})


def quantiles(errors: Array) -> dict[float, float]:
    """The conformal quantile of absolute errors for each level; of fewer than 19 errors the largest one."""
    found = np.abs(errors).ravel()
    ranks = {level: min(math.ceil((found.size + 1) * level), found.size) - 1 for level in LEVELS}
    found = np.partition(found, list(ranks.values()))
    return {level: float(found[rank]) for level, rank in ranks.items()}


def coverage(half: Array, errors: Array) -> float:
    """The share of the errors that lie within the half-widths: (N,) and (N,) or (N, C)."""
    within = np.abs(errors) <= (half if errors.ndim == half.ndim else half[..., None])
    return float(within.mean())


def deciles(scale: Array) -> list[Array]:
    """The places of the tenths of the values by scale, from the smallest on."""
    return list(np.array_split(np.argsort(scale, kind="stable"), 10))

