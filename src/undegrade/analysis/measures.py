"""What a changed latent does to a restoration, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def noise_left(a: Array, b: Array) -> float:
    """Noise in restorations of one picture under two draws of the same noise: their difference over root 2.

    Args:
        a, b: (H, W, C), in [0, 1].

    Returns:
        Standard deviation in 8-bit levels; 0 where the damage is not random.
    """
    return float(255 * np.sqrt(np.square(np.asarray(a, np.float64) - b).mean() / 2))


def detail_kept(x: Array, xhat: Array) -> float:
    """The share of the clean picture's gradients that is in the restored one: <grad x, grad xhat> / |grad x|^2.

    Noise is not correlated with the picture and so does not count as detail, however strong it is.

    Args:
        x, xhat: (H, W, C), of any one range.

    Returns:
        1 where all is kept, 0 where nothing is; more than 1 where edges come out harder than they were. NaN of a flat
        picture, which has no detail.
    """
    product = square = 0.0
    for axis in (0, 1):
        clean, restored = (np.diff(np.asarray(image, np.float64), axis=axis) for image in (x, xhat))
        product, square = product + float((clean * restored).sum()), square + float((clean * clean).sum())
    return product / square if square > 0 else float("nan")


def monotonicity(x: Array, y: Array) -> float:
    """Spearman's rank correlation: 1 where y rises with x all the way, -1 where it falls all the way.

    Args:
        x, y: (N,); ties have the mean of their ranks.

    Returns:
        NaN where one of them is constant.
    """
    rx, ry = _ranks(x), _ranks(y)
    rx, ry = rx - rx.mean(), ry - ry.mean()
    size = float(np.sqrt((rx @ rx) * (ry @ ry)))
    return float(rx @ ry) / size if size > 0 else float("nan")


def _ranks(x: Array) -> Array:
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])
