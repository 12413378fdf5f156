"""Converts a caller's array or tensor to images (H, W, C), float32, nominally in [0, 1], and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.colour import BT601
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    import torch

Image = npt.NDArray[Any]
"""(H, W), (H, W, 1) or (H, W, 3); uint8, uint16, or floats nominally in [0, 1]."""


@dataclass(frozen=True)
class Layout:
    """Shape and type of a caller's image or batch. The result is returned in the same layout.

    Attributes:
        shape: of the caller's array or tensor.
        tensor: None for a numpy array, else the dtype and the device of the torch tensor.
    """

    shape: tuple[int, ...]
    tensor: tuple[torch.dtype, torch.device] | None

    @classmethod
    def of(cls, image: Any) -> Layout:
        """The layout of an array (H, W), (H, W, C), (B, H, W, C) or a tensor (H, W), (C, H, W), (B, C, H, W).

        Raises:
            UndegradeError: it is not an image: wrong type, dtype or shape, or values that are not finite.
        """
        torch = sys.modules.get("torch")  # nobody has a tensor who has not imported it
        if torch is not None and isinstance(image, torch.Tensor):
            if image.layout is not torch.strided:
                raise UndegradeError("sparse tensors are not supported; use image.to_dense().")
            if image.device.type == "meta":
                raise UndegradeError("a tensor on the device meta has no values; give one on cpu.")
            layout = cls(tuple(image.shape), (image.dtype, image.device))
            known = image.dtype.is_floating_point or image.dtype in (torch.uint8, torch.uint16)
            finite = not image.dtype.is_floating_point or bool(torch.isfinite(image).all())
            channels, names = -3, "(H, W), (1 or 3, H, W) or (B, 1 or 3, H, W)"
        elif isinstance(image, np.ma.MaskedArray):
            raise UndegradeError("masked arrays are not supported; use image.filled().")
        elif isinstance(image, np.ndarray):
            layout = cls(image.shape, None)
            floating = bool(np.issubdtype(image.dtype, np.floating))
            known = floating or image.dtype in (np.uint8, np.uint16)
            finite = not floating or bool(np.isfinite(image).all())
            channels, names = -1, "(H, W), (H, W, 1 or 3) or (B, H, W, 1 or 3)"
        else:
            kind = type(image).__name__
            raise UndegradeError(
                f"an image is a numpy array or a torch tensor, not {kind}; convert it with numpy.asarray."
            )
        if not known:
            raise UndegradeError(f"images of {image.dtype} are not supported; use uint8, uint16 or floats in [0, 1].")
        shape = layout.shape
        if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[channels] not in (1, 3)):
            raise UndegradeError(f"an image is {names}, not {shape}; reshape it.")
        if 0 in shape:
            raise UndegradeError(f"the image of shape {shape} is empty; give it at least one pixel.")
        if not finite:
            raise UndegradeError("the image holds NaN or infinity; replace these values.")
        _check_values(image)
        return layout

    def images(self, image: Any) -> list[Image]:
        """Every image as (H, W, C). These are views of the input, except for a tensor on a GPU or in bfloat16."""
        if self.tensor is not None:
            image = image.detach().cpu()
            image = (image.float() if str(image.dtype) == "torch.bfloat16" else image).numpy()
            image = np.moveaxis(image, -3, -1) if image.ndim > 2 else image
        if image.ndim == 2:
            image = image[..., None]
        return list(image) if image.ndim == 4 else [image]

    def back(self, images: Sequence[Image], planes: bool = False) -> Any:
        """Results (H', W', C), or (H', W') with ``planes``, in the layout of the input."""
        dimensions = len(self.shape)
        result: Any = images[0] if dimensions < 4 else np.stack(images)
        if not planes:
            if dimensions == 2:
                result = result[..., 0]
            elif self.tensor is not None:
                result = np.ascontiguousarray(np.moveaxis(result, -1, -3))
        if self.tensor is None:
            return result
        import torch

        dtype, device = self.tensor
        return torch.from_numpy(result).to(device, torch.float32 if planes else dtype)


LARGEST_FLOAT = 16.0
"""Floats above this are no image in [0, 1], even with strong noise or highlights above white."""


def _check_values(image: Any) -> None:
    """Refuse floats of 0 to 255."""
    array = isinstance(image, np.ndarray)
    floating = image.dtype.kind == "f" if array else image.dtype.is_floating_point
    if not floating:
        return
    largest = float(np.abs(image).max() if array else image.float().abs().max())
    if largest > LARGEST_FLOAT:
        raise UndegradeError(
            f"the image holds floats of up to {largest:g}, but floats must be nominally in [0, 1]; divide by 255 "
            "(65535 for 16 bits), or convert it to uint8."
        )


def is_grey(x: Image) -> bool:
    """Whether (H, W, 3) has the same three channels everywhere."""
    rows = 256  # strips: most colour pictures differ in the first one, and no copy of the whole picture is made
    return all(bool((s[..., :1] == s[..., 1:]).all()) for s in (x[i : i + rows] for i in range(0, len(x), rows)))


def to_float(x: Image) -> npt.NDArray[np.float32]:
    """Scale integers to [0, 1]; floats keep their values. The result is a contiguous copy."""
    y: npt.NDArray[np.float32] = np.array(x, np.float32, order="C")
    if not _is_float(x.dtype):
        y /= np.float32(peak(x.dtype))
    return y


def from_float(x: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Image:
    """Convert to the caller's type: integers are clipped and rounded, floats keep values outside [0, 1]."""
    y: Image = x
    if not _is_float(dtype):
        y = np.rint(x.clip(0, 1) * np.float32(peak(dtype)))
    return y.astype(dtype)


def full_range_luma(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """BT.601 luma without offset: (h, w, 3) -> (h, w, 1), both in [0, 1]."""
    r, g, b = (np.float32(k) for k in BT601)
    y: npt.NDArray[np.float32] = r * x[..., :1] + g * x[..., 1:2] + b * x[..., 2:]
    return y


def transformed(x: Image, i: int) -> Image:
    """The i-th of the eight flips and rotations of (H, W, C), as a view. The 0-th is x itself."""
    x = x[:: -1 if i & 1 else 1, :: -1 if i & 2 else 1]
    return x.swapaxes(0, 1) if i & 4 else x


def centre(x: Image, side: int) -> Image:
    """The central crop of an image, at most ``side`` pixels high and wide."""
    top, left = (max(n - side, 0) // 2 for n in x.shape[:2])
    return x[top : top + side, left : left + side]


def peak(dtype: np.dtype[Any]) -> float:
    """The value that represents 1.0: of an integer type the largest."""
    return 1.0 if _is_float(dtype) else float(np.iinfo(dtype).max)


def _is_float(dtype: np.dtype[Any]) -> bool:
    return bool(np.issubdtype(dtype, np.floating))
