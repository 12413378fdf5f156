"""Transparency: enlarged with the picture, and colours that a file stores multiplied by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS = 128
"""Height of a strip: the division needs more memory than the pixels."""


def unmultiplied(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Divide colours by alpha, (H, W, C) whose last channel is alpha; rounded, and 0 where alpha is 0."""
    top = np.iinfo(stored.dtype).max
    result = stored.copy()
    for row in range(0, len(stored), _ROWS):
        strip = stored[row : row + _ROWS].astype(np.uint64)
        alpha = strip[..., -1:]
        colours = np.minimum((strip[..., :-1] * top + alpha // 2) // np.maximum(alpha, 1), top)
        result[row : row + _ROWS, :, :-1] = np.where(alpha > 0, colours, 0).astype(stored.dtype)
    return result


def enlarged(alpha: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Enlarge alpha, (H, W), by bicubic interpolation on the grid of ordinary resizers; of the same type.

    Constant alpha stays constant. Floats are in [0, 1].
    """
    from PIL import Image

    plane = Image.fromarray(np.asarray(alpha, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    larger: npt.NDArray[np.float32] = np.asarray(plane)
    if np.issubdtype(alpha.dtype, np.floating):
        return larger.clip(0, 1).astype(alpha.dtype)
    return np.rint(larger).clip(0, np.iinfo(alpha.dtype).max).astype(alpha.dtype)
