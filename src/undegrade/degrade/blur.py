"""Blur and direct decimation: y = round8((x * k)[0::s, 0::s]), f(T) = Sigma of k (paper section VI).

k is an anisotropic Gaussian on a 15x15 grid,

    k(d) = exp(-d^T Sigma^-1 d / 2) / sum,    Sigma = V diag(l1, l2) V^T,    V = [[cos t, -sin t],
                                                                                  [sin t,  cos t]],

with d = (column, row) offsets from the centre in pixels. The paper's "widths" are the eigenvalues l1, l2 of
the covariance, in pixels^2: variances, not standard deviations. ``*`` is correlation with a mirrored border
(c b a | a b c: the edge pixel is repeated). Pixels 0, s, 2s, ... are kept ("direct" decimation), so the
small image's grid lies (s - 1) / 2 pixels of x up and left of where an ordinary resizer would put it.

The paper has f(T) = k. Its 225 weights say no more than the three numbers of Sigma, and :func:`kernel_of` gives them
back; being 0.004 on average, they would hardly count in the objective either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity, uniform
from undegrade.degrade.severity import Array, Severity
from undegrade.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

KERNEL_SIZE = 15
"""Side of k in pixels."""
SHARPEST = 0.01
"""Least variance in pixels^2 that :func:`kernel_of` draws: below it a kernel is a point."""


STEEPNESS = 20.0
"""Weight of a squared miss of Sigma, whose L1 term it replaces: as large as that where the miss is 0.5 pixels^2."""

DIRECTION = 3.0
"""Over the kernels of training the parts of the direction vary so much less than the mean width: var / var."""


class Shape(NamedTuple):
    """One Gaussian: eigenvalues of its covariance in pixels^2, and the first one's angle in radians."""

    first: float
    second: float
    angle: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Shape:
        """The Gaussian of a Sigma as :func:`covariance` gives it: ``first`` the wider, ``angle`` in (-pi/2, pi/2]."""
        column, row, both = map(float, values)
        middle, spread = (column + row) / 2, math.hypot((column - row) / 2, both)
        return cls(middle + spread, middle - spread, math.atan2(2 * both, column - row) / 2)


G_2_0 = Shape(2.0, 2.0, 0.0)
"""The isotropic test kernel of Tables IV and V."""

G_ANI = Shape(4.0, 1.0, -0.5)
"""The anisotropic test kernel of Table IV."""


def covariance(first: Tensor, second: Tensor, angle: Tensor) -> Tensor:
    """Sigma of Gaussians, in pixels^2: variance along the columns, along the rows, and covariance of the two.

    The mean of Sigmas over places is that of the mean kernel.

    Args:
        first, second, angle: as for :func:`gaussian_kernel`.

    Returns:
        (B, 3).
    """
    cos, sin = angle.cos(), angle.sin()
    return torch.stack(
        (first * cos**2 + second * sin**2, first * sin**2 + second * cos**2, (first - second) * sin * cos), 1
    )


def kernel_of(values: Sequence[float]) -> NDArray[np.float64]:
    """k, (15, 15), of a Sigma as :func:`covariance` gives it; what is narrower than a point is drawn as one."""
    first, second, angle = Shape.of(values)
    first, second = max(first, SHARPEST), max(second, SHARPEST)
    # In numpy: an estimate is read and drawn without PyTorch. A test compares it with gaussian_kernel().
    offset = np.arange(KERNEL_SIZE) - (KERNEL_SIZE - 1) / 2
    along = offset * math.cos(angle) + offset[:, None] * math.sin(angle)
    across = offset[:, None] * math.cos(angle) - offset * math.sin(angle)
    k = np.exp(-0.5 * (along**2 / first + across**2 / second))
    whole: NDArray[np.float64] = k / k.sum()
    return whole


@dataclass(frozen=True)
class Kernel(Quantity):
    """A blur kernel, known by its Sigma."""

    name: str = "blur kernel"
    size: int = 3
    scale: float = 10.0
    """10 pixels^2 are the widest that x4 trains with: f(T) lies between 0 and 1."""
    unit: str = "pixels^2"

    def misses(self, estimate: Tensor, params: Tensor) -> Tensor:
        """:data:`STEEPNESS` |Sigma - mean of EST(c) over the places|^2, in the Frobenius norm, as three parts, (B, 3):
        that of the mean width, and the two of the direction, which count :data:`DIRECTION` times.

        Not the L1 norm at each place: one place shows an edge or two, by which the direction of a blur cannot be told,
        and the best that it can say by that norm is the median over all directions, a circle. Nor an L1 norm of the
        three numbers: while the width is off by more than the direction, it does not ask for the direction at all.
        """
        column, row, both = (estimate.mean((2, 3)) - params).unbind(1)
        width, across, slanted = (column + row).square() / 2, (column - row).square() / 2, 2 * both.square()
        return STEEPNESS * torch.stack((width, DIRECTION * across, DIRECTION * slanted), 1)

    def words(self, values: Sequence[float]) -> str:
        first, second, angle = Shape.of(values)
        return f"{self.name} of widths {first:.2f} and {second:.2f} ({self.unit}), the wider at {angle:.2f} rad"


def gaussian_kernel(first: Tensor, second: Tensor, angle: Tensor, size: int = KERNEL_SIZE) -> Tensor:
    """Gaussian kernels, each summing to 1.

    Args:
        first: l1, (B,), variance in pixels^2 along the direction ``angle``.
        second: l2, (B,), variance in pixels^2 across it.
        angle: t, (B,), radians from the column axis towards the row axis.
        size: odd side of the kernel, pixels.

    Returns:
        (B, size, size), float64 (float32 where the device has no float64).
    """
    dtype = torch.float32 if first.device.type == "mps" else torch.float64
    l1, l2, t = (v.to(dtype).view(-1, 1, 1) for v in (first, second, angle))
    offset = torch.arange(size, dtype=dtype, device=first.device) - (size - 1) / 2
    column, row = offset.view(1, 1, size), offset.view(1, size, 1)
    along = column * t.cos() + row * t.sin()
    across = row * t.cos() - column * t.sin()
    k = torch.exp(-0.5 * (along**2 / l1 + across**2 / l2))
    return k / k.sum(dim=(1, 2), keepdim=True)


@dataclass(frozen=True)
class Blur(Degradation):
    """One Gaussian kernel per image, then every ``factor``-th pixel, rounded to 8 bits.

    Attributes:
        factor: s, 1 to 4.
        first: range of the wider variance l1, pixels^2.
        second: range of l2, pixels^2. Drawn from its lower end up to its upper end or l1, whichever is less.
        angle: range of the rotation, radians.
        twins: whether the images of a batch go in pairs, made of one crop by a kernel and by the same turned by a
            right angle. What the crop itself has of directions, which is much more than what the blur takes from
            them, then says nothing about the kernel.

    Raises:
        ValueError: on construction, for a factor or a range that makes no sense; on a call, for an image
            whose sides are not multiples of ``factor``.
    """

    factor: int
    first: tuple[float, float]
    second: tuple[float, float]
    angle: tuple[float, float] = (0.0, math.pi)
    twins: bool = False

    quantity: ClassVar[Quantity] = Kernel()

    def __post_init__(self) -> None:
        if self.factor not in (1, 2, 3, 4):
            raise ValueError(f"factor must be 1, 2, 3 or 4, got {self.factor}")
        for name, (low, high) in (("first", self.first), ("second", self.second)):
            if not 0 < low <= high:
                raise ValueError(f"{name} must satisfy 0 < low <= high, got {(low, high)}")
        if self.second[0] > self.first[0]:
            raise ValueError(f"second must be able to stay below first, got {self.second} and {self.first}")
        if not self.angle[0] <= self.angle[1]:
            raise ValueError(f"angle must satisfy low <= high, got {self.angle}")

    @classmethod
    def training(cls, factor: int) -> Blur:
        """The setting the paper trains with: l1 in [1, 2.5 s], l2 in [1, l1], any rotation."""
        widths = (1.0, 2.5 * factor)
        return cls(factor, first=widths, second=widths)

    @classmethod
    def fixed(cls, factor: int, shape: Shape) -> Blur:
        """One known kernel, e.g. ``Blur.fixed(2, G_ANI)``."""
        first, second, angle = shape
        return cls(factor, first=(first, first), second=(second, second), angle=(angle, angle))

    @property
    def scale(self) -> int:
        return self.factor

    @property
    def direct(self) -> bool:
        return True

    def crops(self, count: int) -> list[int]:
        return [i - i % 2 if self.twins else i for i in range(count)]

    def shapes(self, count: int, generator: Generator, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Draw l1, l2 and t: (count,) each, on the device and with the dtype of ``like``."""
        if self.twins:
            pairs = replace(self, twins=False).shapes((count + 1) // 2, generator, like)
            first, second, angle = (values.repeat_interleave(2)[:count] for values in pairs)
            angle[1::2] += math.pi / 2
            return first, second, angle
        first = uniform((count,), *self.first, generator, like)
        low, high = self.second
        second = low + (first.clamp(max=high) - low) * uniform((count,), 0.0, 1.0, generator, like)
        return first, second, uniform((count,), *self.angle, generator, like)

    @property
    def severity(self) -> Severity:
        factor, top = self.factor, 2.5 * self.factor
        return Severity(
            name="blur width",
            symbol="width",
            unit="pixels²",
            steps=tuple(np.linspace(1, top, 10).round(2).tolist()),
            own=(1 + top) / 2,
            mild=1,
            strong=top,
            reach=(top - 1) / 2,
            at=lambda width: Blur.fixed(factor, Shape(width, width, 0.0)),
            read=_width,
        )

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, c, h, w = x.shape
        if h % self.factor or w % self.factor:
            raise ValueError(f"{h}x{w} is not a multiple of {self.factor}: crop the image first")
        shapes = self.shapes(b, generator, x)
        k = gaussian_kernel(*shapes)
        # On CUDA in float64: cuDNN may multiply float32 as TF32, which errs by a tenth of a grey level.
        dtype = torch.float64 if x.is_cuda else torch.float32
        planes = _mirrored(_mirrored(x.to(dtype), 2), 3).flatten(0, 1).unsqueeze(0)
        weights = k.to(dtype).repeat_interleave(c, dim=0).unsqueeze(1)
        y = F.conv2d(planes, weights, stride=self.factor, groups=b * c)
        y = y.view(b, c, h // self.factor, w // self.factor)
        return Degraded(y.mul(255).round().div(255).to(x.dtype), covariance(*shapes).to(x.dtype) / self.quantity.scale)


def _mirrored(x: Tensor, axis: int) -> Tensor:
    """Continue x by the reach of k on both ends of an axis, as c b a | a b c."""
    n, reach = x.shape[axis], KERNEL_SIZE // 2
    index = torch.arange(-reach, n + reach, device=x.device) % (2 * n)
    return x.index_select(axis, torch.minimum(index, 2 * n - 1 - index))


def _width(sigma: Array) -> Array:
    """Half the trace of a kernel's covariance, in pixels^2: for an isotropic Gaussian its width."""
    return np.asarray((sigma[0] + sigma[1]) / 2)
