"""How often nearest neighbours have the same label, compared with chance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_ROWS = 512


class Agreement(NamedTuple):
    """Agreement of labels between points and their nearest neighbours.

    Attributes:
        observed: fraction of neighbours with the point's label, 0 to 1.
        chance: the same fraction for neighbours drawn uniformly from all candidates.
    """

    observed: float
    chance: float


def agreement(points: Array, labels: Array, *, apart: Array | None = None, k: int = 1) -> Agreement:
    """How often the k nearest neighbours of a point have its label.

    Args:
        points: (N, D); distances are Euclidean.
        labels: (N,).
        apart: (N,) or None; only points with a different value are candidates, e.g. of another noise level or image. A
            point is never its own neighbour.
        k: number of neighbours; fewer if there are fewer candidates. Points without candidates are left out.

    Returns:
        Means over the points.

    Raises:
        ValueError: no point has a candidate.
    """
    points = np.asarray(points, np.float64)
    squares = np.square(points).sum(1)
    observed, chance = [], []
    for start in range(0, len(points), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(points)))
        counts = rows[:, None] != np.arange(len(points))
        if apart is not None:
            counts &= apart[rows, None] != apart
        same = labels[rows, None] == labels
        distance = squares[rows, None] + squares - 2 * points[rows] @ points.T
        order = np.argsort(np.where(counts, distance, np.inf), axis=1, kind="stable")[:, :k]
        near_counts, near_same = (np.take_along_axis(m, order, 1) for m in (counts, same))
        some = counts.any(1)
        observed.append((near_counts & near_same).sum(1)[some] / near_counts.sum(1)[some])
        chance.append((counts & same).sum(1)[some] / counts.sum(1)[some])
    if not any(len(part) for part in observed):
        raise ValueError("no point has a neighbour that counts")
    return Agreement(float(np.concatenate(observed).mean()), float(np.concatenate(chance).mean()))
