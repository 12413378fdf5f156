"""What a caller's array means as an image, and the way back: (H, W, C), float32, nominally in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vdir.errors import VdirError

Image = npt.NDArray[Any]
"""(H, W), (H, W, 1) or (H, W, 3); uint8, uint16, or floats nominally in [0, 1]."""
BT601 = (0.299, 0.587, 0.114)
"""Full-range luma from RGB, as JPEG files define it."""


def as_rows(image: Image) -> Image:
    """The image as a view (H, W, C).

    Raises:
        VdirError: it is not an image.
    """
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise VdirError(f"an image is a numpy array, not {kind}; convert it with numpy.asarray.")
    if not (np.issubdtype(image.dtype, np.floating) or image.dtype in (np.uint8, np.uint16)):
        raise VdirError(f"images of {image.dtype} are not understood; use uint8, uint16 or floats in [0, 1].")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise VdirError(f"an image is (H, W), (H, W, 1) or (H, W, 3), not {image.shape}; reshape it.")
    if image.size == 0:
        raise VdirError(f"the image of shape {image.shape} is empty; give it at least one pixel.")
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        raise VdirError("the image holds NaN or infinity; replace these values.")
    return image[..., None] if image.ndim == 2 else image


def to_float(x: Image) -> npt.NDArray[np.float32]:
    """Integers become 0 to 1, floats keep their values. The result is a contiguous copy."""
    y: npt.NDArray[np.float32] = np.array(x, np.float32, order="C")
    if peak := _peak(x.dtype):
        y /= peak
    return y


def from_float(x: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Image:
    """To the caller's type: integers are clipped and rounded, floats keep what lies outside [0, 1]."""
    y: Image = x
    if peak := _peak(dtype):
        y = np.rint(x.clip(0, 1) * peak)
    return y.astype(dtype)


def luma(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(h, w, 3) -> (h, w, 1)."""
    r, g, b = (np.float32(k) for k in BT601)
    y: npt.NDArray[np.float32] = r * x[..., :1] + g * x[..., 1:2] + b * x[..., 2:]
    return y


def transformed(x: Image, i: int) -> Image:
    """The i-th of the eight flips and rotations of (H, W, C), as a view. The 0-th is x itself."""
    x = x[:: -1 if i & 1 else 1, :: -1 if i & 2 else 1]
    return x.swapaxes(0, 1) if i & 4 else x


def _peak(dtype: np.dtype[Any]) -> np.float32 | None:
    """The integer that stands for 1.0; None for floats."""
    return None if np.issubdtype(dtype, np.floating) else np.float32(np.iinfo(dtype).max)
