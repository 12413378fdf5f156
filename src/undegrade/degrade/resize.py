"""Made small by an ordinary resizer: y = round8(resized x), f(T) = Sigma of its kernel.

    bicubic    Keys' a = -0.5, widened by s against aliasing, as in Pillow and MATLAB.  Sigma = 0
    area       the mean of s x s pixels, as a sensor's.                                 Sigma = (s^2 - 1) / 12

(Keys' kernel has no second moment: it keeps parabolas.) Pixel i of y is the middle of pixels s i to s i + s - 1 of x,
(s - 1) / 2 pixels from where direct decimation has it (:mod:`undegrade.degrade.blur`). No network can see this in y, so
there is one grid for all, that of direct decimation, and :func:`onto_direct_grid` brings ordinary images there.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity, uniform
from undegrade.degrade.blur import Kernel
from undegrade.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

SHIFT_REACH = 4
"""Pixels around one of its own from which :func:`onto_direct_grid` reads; also the lobes of its sinc."""


def onto_direct_grid(y: Tensor, factor: int) -> Tensor:
    """An image of an ordinary resizer or a camera, shifted so that its pixel i lies on pixel ``factor`` i of x.

    That is (s - 1) / (2 s) of its own pixels, 1/4 at s = 2 and 3/8 at s = 4, by a sinc of eight taps in Lanczos'
    window.
    The finest detail gets weaker, but none is lost that a network could not put back.

    Args:
        y: (B, C, H, W); continued at the border by its last row and column.
        factor: s; 1 gives y back.
    """
    if factor == 1:
        return y
    b, c, h, w = y.shape
    taps = torch.from_numpy(direct_grid_taps(factor)).to(y)
    planes = F.pad(y.reshape(b * c, 1, h, w), (SHIFT_REACH, SHIFT_REACH - 1) * 2, mode="replicate")
    shifted = F.conv2d(F.conv2d(planes, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    return shifted.view(b, c, h, w)


def array_onto_direct_grid(y: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """:func:`onto_direct_grid` of one image (h, w, C) in numpy; every pixel is rounded alike, wherever it is cut."""
    if factor == 1:
        return y
    h, w = y.shape[:2]
    taps = direct_grid_taps(factor).astype(np.float32)
    padded = np.pad(y, ((SHIFT_REACH, SHIFT_REACH - 1),) * 2 + ((0, 0),), mode="edge")
    along = sum(tap * padded[i : i + h] for i, tap in enumerate(taps))
    shifted: NDArray[np.float32] = sum(tap * along[:, i : i + w] for i, tap in enumerate(taps))
    return shifted


def direct_grid_taps(factor: int) -> NDArray[np.float64]:
    """The filter of :func:`onto_direct_grid`, of 2 :data:`SHIFT_REACH` taps; from SHIFT_REACH before a pixel on."""
    offset = np.arange(-SHIFT_REACH, SHIFT_REACH) + (factor - 1) / (2 * factor)
    taps = np.sinc(offset) * np.sinc(offset / SHIFT_REACH)
    whole: NDArray[np.float64] = taps / taps.sum()
    return whole


class Resizer(enum.StrEnum):
    """How images are commonly made small."""

    BICUBIC = "bicubic"
    AREA = "area"


@dataclass(frozen=True)
class Resize(Degradation):
    """An ordinary resizer, drawn anew for every image, rounded to 8 bits.

    Attributes:
        factor: s, 2 to 4.
        resizers: which.

    Raises:
        ValueError: on construction, for another factor or no resizers; on a call, for an image whose sides are not
            multiples of ``factor``.
    """

    factor: int
    resizers: tuple[Resizer, ...] = tuple(Resizer)

    quantity: ClassVar[Quantity] = Kernel()

    def __post_init__(self) -> None:
        if self.factor not in (2, 3, 4) or not self.resizers:
            raise ValueError(f"factor must be 2, 3 or 4 and there must be resizers, got {self}")

    @property
    def scale(self) -> int:
        return self.factor

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, _, h, w = x.shape
        if h % self.factor or w % self.factor:
            raise ValueError(f"{h}x{w} is not a multiple of {self.factor}: crop the image first")
        chosen = uniform((b,), 0.0, 1.0, generator, x).mul(len(self.resizers)).long()
        small = torch.stack([_smaller(x, self.factor, resizer) for resizer in self.resizers])
        y = small[chosen, torch.arange(b, device=x.device)].clamp(0, 1)
        variance = x.new_tensor([_variance(self.factor, resizer) for resizer in self.resizers])[chosen]
        params = torch.stack((variance, variance, torch.zeros_like(variance)), 1) / self.quantity.scale
        return Degraded(y.mul(255).round().div(255), params)


@dataclass(frozen=True)
class OnDirectGrid(Degradation):
    """What super-resolvers are shown of an ordinary resizer's images: see :func:`onto_direct_grid`.

    Attributes:
        resize: what makes them.
    """

    resize: Resize

    quantity: ClassVar[Quantity] = Kernel()

    @property
    def scale(self) -> int:
        return self.resize.scale

    @property
    def direct(self) -> bool:
        return True

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        y, params = self.resize(x, generator)
        return Degraded(onto_direct_grid(y, self.scale), params)


def _smaller(x: Tensor, factor: int, resizer: Resizer) -> Tensor:
    if resizer is Resizer.AREA:
        return F.avg_pool2d(x, factor)
    size = (x.shape[-2] // factor, x.shape[-1] // factor)
    return F.interpolate(x, size, mode="bicubic", antialias=True)


def _variance(factor: int, resizer: Resizer) -> float:
    """Of the resizer's kernel, in pixels^2 of x."""
    return (factor**2 - 1) / 12 if resizer is Resizer.AREA else 0.0
