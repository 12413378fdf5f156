"""Measures of how a changed latent changes the restoration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def noise_left(a: Array, b: Array) -> float:
    """Remaining noise, from the restorations of a picture under two draws of the noise: std of (a - b) / sqrt(2).

    Args:
        a, b: (H, W, C), in [0, 1].

    Returns:
        Standard deviation in 8-bit levels; 0 if the degradation is not random.
    """
    return float(255 * np.sqrt(np.square(np.asarray(a, np.float64) - b).mean() / 2))


def detail_kept(x: Array, xhat: Array) -> float:
    """The part of the clean picture's gradients in the restored one: <grad x, grad xhat> / |grad x|^2.

    Noise does not count as detail, because it is not correlated with the picture.

    Args:
        x, xhat: (H, W, C), both in the same range.

    Returns:
        1 if all detail is kept, 0 if none is, above 1 if edges are sharper than in x. NaN for a flat picture.
    """
    product = square = 0.0
    for axis in (0, 1):
        clean, restored = (np.diff(np.asarray(image, np.float64), axis=axis) for image in (x, xhat))
        product, square = product + float((clean * restored).sum()), square + float((clean * clean).sum())
    return product / square if square > 0 else float("nan")


def monotonicity(x: Array, y: Array) -> float:
    """Spearman's rank correlation: 1 if y rises strictly with x, -1 if it falls strictly.

    Args:
        x, y: (N,); ties get the mean of their ranks.

    Returns:
        -1 to 1; NaN if x or y is constant.
    """
    rx, ry = _ranks(x), _ranks(y)
    rx, ry = rx - rx.mean(), ry - ry.mean()
    size = float(np.sqrt((rx @ rx) * (ry @ ry)))
    return float(rx @ ry) / size if size > 0 else float("nan")


def _ranks(x: Array) -> Array:
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])
