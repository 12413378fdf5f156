"""How much of a number is written in the latent: a linear probe, fitted on some images and asked about others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float = NDArray[np.float64]


class Probe(NamedTuple):
    """value = features . weights + bias.

    Attributes:
        weights: (D,).
        bias: in the value's unit.
    """

    weights: Float
    bias: float

    def __call__(self, features: Array) -> Float:
        """(N, D) -> (N,), in the value's unit."""
        found: Float = features @ self.weights + self.bias
        return found

    @property
    def step(self) -> Float:
        """The shortest change of the features that raises the reading by 1: weights / |weights|^2, (D,)."""
        return np.asarray(self.weights / max(float(self.weights @ self.weights), 1e-300))


def fit(features: Array, values: Array) -> Probe:
    """Least squares.

    Args:
        features: (N, D).
        values: (N,).
    """
    centre, mean = features.mean(0), values.mean()
    weights, *_ = np.linalg.lstsq(features - centre, values - mean, rcond=None)
    return Probe(weights, float(mean - centre @ weights))


def r_squared(truth: Array, told: Array) -> float:
    """1 - squared error / variance: 1 for a perfect reading, 0 for one that only knows the mean, below for worse.

    NaN where the truth is constant.
    """
    if np.ptp(truth) == 0:  # its mean may differ from it by rounding, so that the scatter would not be 0
        return float("nan")
    scatter = float(np.square(truth - truth.mean()).sum())
    return 1 - float(np.square(truth - told).sum()) / scatter


class HeldOut(NamedTuple):
    """How well a probe reads images that it was not fitted on.

    Attributes:
        r_squared: see :func:`r_squared`.
        error: root mean square, in the value's unit.
    """

    r_squared: float
    error: float


def held_out(features: Array, values: Array, group: Array, folds: int = 4) -> HeldOut:
    """Every group of images is read by a probe that was fitted on the groups of other folds.

    Args:
        features: (N, D).
        values: (N,).
        group: (N,), which image each row belongs to: rows of one image are never on both sides.
        folds: how many parts; at most as many as there are groups, and then two at least.
    """
    fold = np.unique(group, return_inverse=True)[1]
    folds = max(min(folds, int(fold.max()) + 1), 2)
    told = np.full(len(values), values.mean(), np.float64)
    for i in range(folds):
        asked = fold % folds == i
        if asked.any() and not asked.all():
            told[asked] = fit(features[~asked], values[~asked])(features[asked])
    return HeldOut(r_squared(values, told), float(np.sqrt(np.square(values - told).mean())))
