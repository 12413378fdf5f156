"""From the scale b of every pixel to intervals in the values of the caller's image."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, Layout
from undegrade.weights.intervals import Widths

LEVEL = 0.9
"""The share of the true values that an interval is to hold, unless another is asked for."""
UNMEASURED = (
    "the intervals of these weights were not measured; run python training/intervals.py on them, or use --samples 8."
)
ROWS = 512
"""Rows that are computed at once."""


def half_widths(scale: Any, widths: Sequence[Widths], level: float) -> Any:
    """The half-width of every pixel's interval, for images in [0, 1].

    Args:
        scale: b, (H, W) or (B, H, W), an array or a tensor.
        widths: for each image; empty if they are not known.
        level: share of the true values that the intervals are to hold.

    Returns:
        The same kind of array or tensor, float32.

    Raises:
        UndegradeError: there are no widths, or none for this level.
    """
    if not widths:
        raise UndegradeError(UNMEASURED)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(scale, torch.Tensor):
        return torch.from_numpy(half_widths(scale.cpu().numpy(), widths, level)).to(scale.device)
    if scale.ndim == 2:
        (of_image,) = widths
        return of_image(scale, level)
    return np.stack([of_image(plane, level) for of_image, plane in zip(widths, scale, strict=True)])


def interval(image: Any, scale: Any, widths: Sequence[Widths], units: Sequence[float], level: float) -> tuple[Any, Any]:
    """The lower and the upper end of every value's interval, each of the kind of the image.

    Integers are rounded outward, and cut at their type's ends.

    Args:
        image: the restored image or batch.
        scale: b, a plane for each image.
        widths: for each image; empty if they are not known.
        units: for each image, the difference of its values that is 1 for the model.
        level: see :func:`half_widths`.

    Raises:
        UndegradeError: see :func:`half_widths`.
    """
    half = half_widths(scale, widths, level)
    layout = Layout.of(image)
    images = layout.images(image)
    planes = half if isinstance(half, np.ndarray) else half.cpu().numpy()
    planes = planes if planes.ndim == 3 else planes[None]
    ends: tuple[list[Image], list[Image]] = ([], [])
    for x, plane, unit in zip(images, planes, units, strict=True):
        for end, sign in zip(ends, (-1.0, 1.0), strict=True):
            end.append(_moved(x, plane, sign * unit))
    return layout.back(ends[0]), layout.back(ends[1])


def _moved(x: Image, plane: npt.NDArray[np.float32], unit: float) -> Image:
    """x + unit plane, (H, W, C) and (H, W), of x's type."""
    moved = np.empty_like(x)
    for row in range(0, len(x), ROWS):
        part = x[row : row + ROWS].astype(np.float32) + np.float32(unit) * plane[row : row + ROWS, :, None]
        if not np.issubdtype(x.dtype, np.floating):
            part = (np.floor(part) if unit < 0 else np.ceil(part)).clip(0, np.iinfo(x.dtype).max)
        moved[row : row + ROWS] = part.astype(x.dtype)
    return moved
