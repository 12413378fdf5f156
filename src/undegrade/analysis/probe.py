"""Linear probes: how well a number can be predicted from the latent on held-out images."""

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
        """The shortest change of the features that raises the prediction by 1: weights / |weights|^2, (D,)."""
        return np.asarray(self.weights / max(float(self.weights @ self.weights), 1e-300))


def fit(features: Array, values: Array) -> Probe:
    """Fit a probe by least squares.

    Args:
        features: (N, D).
        values: (N,).
    """
    centre, mean = features.mean(0), values.mean()
    weights, *_ = np.linalg.lstsq(features - centre, values - mean, rcond=None)
    return Probe(weights, float(mean - centre @ weights))


def r_squared(truth: Array, predicted: Array) -> float:
    """1 - squared error / variance: 1 for a perfect prediction, 0 for predicting the mean, negative for worse.

    NaN if the truth is constant.
    """
    if np.ptp(truth) == 0:  # the rounded mean may differ from the constant: scatter may not be exactly 0
        return float("nan")
    scatter = float(np.square(truth - truth.mean()).sum())
    return 1 - float(np.square(truth - predicted).sum()) / scatter


class HeldOut(NamedTuple):
    """The accuracy of a probe on held-out images.

    Attributes:
        r_squared: see :func:`r_squared`.
        error: root mean square, in the value's unit.
    """

    r_squared: float
    error: float


def held_out(features: Array, values: Array, group: Array, folds: int = 4) -> HeldOut:
    """Cross-validate a probe: each fold is predicted by a probe that is fitted on the other folds.

    Args:
        features: (N, D).
        values: (N,).
        group: (N,), the image of each row; all rows of an image are in the same fold.
        folds: number of folds; at most the number of groups, at least two.
    """
    fold = np.unique(group, return_inverse=True)[1]
    folds = max(min(folds, int(fold.max()) + 1), 2)
    predicted = np.full(len(values), values.mean(), np.float64)
    for i in range(folds):
        held = fold % folds == i
        if held.any() and not held.all():
            predicted[held] = fit(features[~held], values[~held])(features[held])
    return HeldOut(r_squared(values, predicted), float(np.sqrt(np.square(values - predicted).mean())))
