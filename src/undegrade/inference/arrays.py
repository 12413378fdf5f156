"""Converts what a caller gives, an array, a tensor or an image of Pillow, to images (H, W, C), and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.colour import BT601
from undegrade.errors import UndegradeError
from undegrade.image.alpha import continued, enlarged, with_hidden
from undegrade.inference.pil import array_of, image_of, is_pil

if TYPE_CHECKING:
    import PIL.Image
    import torch

Image = npt.NDArray[Any]
"""(H, W), (H, W, 1) or (H, W, 3); uint8, uint16, or floats nominally in [0, 1]."""


@dataclass(frozen=True)
class Layout:
    """Shape and type of a caller's image or batch. The result is returned in the same layout.

    Attributes:
        shape: of the caller's array or tensor.
        tensor: None for a numpy array, else the dtype and the device of the torch tensor.
        alpha: transparency, (H, W) or (B, H, W), of the type of the image; None if there is none.
        colours: what was given beside alpha, (H, W, 1 or 3) or (B, H, W, 1 or 3).
        pil: the image of Pillow that was given, if it was one.
    """

    shape: tuple[int, ...]
    tensor: tuple[torch.dtype, torch.device] | None
    alpha: Image | None = None
    colours: Image | None = None
    pil: PIL.Image.Image | None = None

    @classmethod
    def of(cls, image: Any) -> Layout:
        """The layout of an array (H, W), (H, W, C), (B, H, W, C), of a tensor (H, W), (C, H, W), (B, C, H, W), or of an
        image of Pillow.

        C is 1 for grey and 3 for RGB, or 2 and 4, with alpha as the last channel.

        Raises:
            UndegradeError: it is not an image: wrong type, dtype, shape or range, or values that are not finite.
        """
        if is_pil(image):
            return replace(cls.of(array_of(image)), pil=image)
        torch = sys.modules.get("torch")  # nobody has a tensor who has not imported it
        if torch is not None and isinstance(image, torch.Tensor):
            if image.layout is not torch.strided:
                raise UndegradeError("sparse tensors are not supported; use image.to_dense().")
            if image.device.type == "meta":
                raise UndegradeError("a tensor on the device meta has no values; give one on cpu.")
            layout = cls(tuple(image.shape), (image.dtype, image.device))
            floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
            known = image.dtype in (*floats, torch.uint8, torch.uint16)
            finite = image.dtype not in floats or bool(torch.isfinite(image).all())
            channels, names = -3, "(H, W), (C, H, W) or (B, C, H, W)"
        elif "numpy.ma" in sys.modules and isinstance(image, np.ma.MaskedArray):  # as torch; it is loaded at first use
            raise UndegradeError("masked arrays are not supported; use image.filled().")
        elif isinstance(image, np.matrix):  # it stays 2-D whatever is indexed, and numpy then reads beyond its end
            raise UndegradeError("matrices are not supported; use numpy.asarray(image).")
        elif isinstance(image, np.ndarray):
            layout = cls(image.shape, None)
            floating = bool(np.issubdtype(image.dtype, np.floating))
            known = floating or image.dtype in (np.uint8, np.uint16)
            finite = not floating or bool(np.isfinite(image).all())
            channels, names = -1, "(H, W), (H, W, C) or (B, H, W, C)"
        else:
            raise UndegradeError(
                "an image is a numpy array, a torch tensor or an image of Pillow, not "
                f"{type(image).__name__}; {_other(image)}."
            )
        if not known:
            if isinstance(image, np.ndarray) and image.dtype.newbyteorder("=") == np.uint16:
                raise UndegradeError("16 bits in the byte order of another machine; use image.astype(numpy.uint16).")
            raise UndegradeError(f"images of {image.dtype} are not supported; use uint8, uint16 or floats in [0, 1].")
        shape = layout.shape
        if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[channels] not in CHANNELS):
            raise UndegradeError(f"an image is {names} with C of 1 to 4, not {shape}; {_remedy(shape, channels)}.")
        if 0 in shape:
            raise UndegradeError(f"the image of shape {shape} is empty; give it at least one pixel.")
        if not finite:
            raise UndegradeError("the image holds NaN or infinity; replace these values.")
        _check_values(image)
        if len(shape) > 2 and shape[channels] in (2, 4):
            array = layout._array(image)
            return replace(layout, alpha=array[..., -1], colours=array[..., :-1])
        return layout

    def images(self, image: Any) -> list[Image]:
        """Every image as (H, W, 1 or 3), without alpha. These are views of the input if it is an array.

        So they are of most tensors on the CPU.
        """
        array = self._array(image)
        array = array[..., :-1] if self.alpha is not None else array
        return list(array) if array.ndim == 4 else [array]

    def shown(self, image: Any) -> list[Image]:
        """The same as a network is shown them: where alpha is 0, the visible colours around are continued."""
        images = self.images(image)
        if self.alpha is None:
            return images
        alphas = self.alpha if len(self.shape) == 4 else [self.alpha]
        return [continued(x, alpha) for x, alpha in zip(images, alphas, strict=True)]

    def cut(self, rows: tuple[int, int], columns: tuple[int, int]) -> Layout:
        """The layout of a part of one image: rows and columns from the first to the one before the second."""
        if self.alpha is None:
            return self
        assert self.colours is not None  # there is alpha
        part = (..., slice(*rows), slice(*columns))
        return replace(self, alpha=self.alpha[part], colours=self.colours[(*part, slice(None))])

    def _array(self, image: Any) -> Image:
        """As an array with the channels last, (H, W, C) or (B, H, W, C)."""
        if self.pil is not None:
            image = array_of(image)
        if self.tensor is not None:
            image = image.detach().cpu()
            image = (image.float() if str(image.dtype) == "torch.bfloat16" else image).numpy()
            image = np.moveaxis(image, -3, -1) if image.ndim > 2 else image
        array: Image = image[..., None] if image.ndim == 2 else image
        return array

    def back(self, images: Sequence[Image], planes: bool = False) -> Any:
        """Results (H', W', 1 or 3), or (H', W') with ``planes``, in the layout of the input.

        Images get their alpha again, enlarged if they were, or what it hides; planes of an image of Pillow are arrays.
        """
        dimensions = len(self.shape)
        if self.alpha is not None and self.colours is not None and not planes:
            given = zip(self.alpha, self.colours, strict=True) if dimensions == 4 else [(self.alpha, self.colours)]
            images = [_with_alpha(x, *beside) for x, beside in zip(images, given, strict=True)]
        result: Any = images[0] if dimensions < 4 else np.stack(images)
        if not planes:
            if dimensions == 2:
                result = result[..., 0]
            elif self.tensor is not None:
                result = np.ascontiguousarray(np.moveaxis(result, -1, -3))
        if self.tensor is None:
            return result if self.pil is None or planes else image_of(result, self.pil)
        import torch

        dtype, device = self.tensor
        return torch.from_numpy(result).to(device, torch.float32 if planes else dtype)


CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, RGB, RGB with alpha."""
LARGEST_FLOAT = 16.0
"""Floats above this are no image in [0, 1], even with strong noise or highlights above white."""


def _remedy(shape: tuple[int, ...], channels: int) -> str:
    """What to do with an array or tensor whose channels are not where they belong, or that is no image."""
    n = len(shape)
    if n in (3, 4) and shape[-3 if channels == -1 else -1] in CHANNELS:
        order = (-2, -1, -3) if channels == -1 else (-1, -3, -2)
        axes = [*range(n - 3), *(n + axis for axis in order)]
        verb = "transpose" if channels == -1 else "permute"
        return f"its channels are {'first' if channels == -1 else 'last'}: use image.{verb}{tuple(axes)}"
    if n in (3, 4):
        return "choose the channels of a picture"
    return "give one image, or a batch of one size"


def _other(given: Any) -> str:
    """What to do with something that is no image."""
    if isinstance(given, bytes | bytearray | memoryview):
        return "open it with PIL.Image.open(io.BytesIO(...))"
    if hasattr(given, "read"):
        return "open it with PIL.Image.open"
    if isinstance(given, list | tuple):
        return "give its images one at a time, or arrays of one size as a batch by numpy.stack"
    return "convert it with numpy.asarray"


def _with_alpha(x: Image, alpha: Image, colours: Image) -> Image:
    """(H, W, 1 or 3) with alpha, enlarged to its size, as the last channel; at the same size with what it hides."""
    h, w = x.shape[:2]
    same = alpha.shape == (h, w)
    x, alpha = (with_hidden(x, colours, alpha), alpha) if same else (x, enlarged(alpha, h, w))
    joined: Image = np.concatenate([x, alpha[..., None]], axis=2, dtype=x.dtype)
    return joined


def _check_values(image: Any) -> None:
    """Refuse floats of 0 to 255, and of -1 to 1."""
    array = isinstance(image, np.ndarray)
    floating = image.dtype.kind == "f" if array else image.dtype.is_floating_point
    if not floating:
        return
    low, high = (float(image.min()), float(image.max())) if array else map(float, image.detach().float().aminmax())
    largest = max(-low, high)
    if low == -1 and high <= 1:
        raise UndegradeError(
            "the image holds floats of -1 to 1, but floats must be nominally in [0, 1]; use image / 2 + 0.5."
        )
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
