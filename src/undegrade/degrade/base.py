"""What every degradation shares: its result, what f(T) means, and explicit randomness."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.severity import Category, Severity
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Generator: TypeAlias = "torch.Generator | np.random.RandomState"
"""Where randomness comes from. Training uses torch generators on the images' device; the published
tables are measured with numpy's legacy generator (``RandomState(0)`` before each image), so both are
understood."""

Array = TypeVar("Array", "Tensor", NDArray[Any])


class Degraded(NamedTuple):
    """A degraded batch.

    Attributes:
        image: y, (B, C, H / scale, W / scale), float32. In [0, 1] but for additive noise, which is not clipped.
        params: f(T), (B, P), as the estimator learns it (:meth:`Quantity.decode` gives units). What is nan is not known
            and not learned.
    """

    image: Tensor
    params: Tensor


@dataclass(frozen=True)
class Quantity:
    """What f(T) is: the number(s) that the estimator reads off the latent.

    Attributes:
        name: for people, e.g. ``"noise level"``.
        size: P, how many numbers.
        scale: multiply an estimate by this to get ``unit``.
        unit: e.g. ``"8-bit levels"``.
        places: the share of an image's places that a number is taken from, the most certain ones; a kernel is from all.
        digits: after the point, of an estimate as people read it.
        low: smallest possible value, in :attr:`unit`.
        high: largest possible value.
        names: of each of the P numbers where they differ from :attr:`name`; empty where they do not.
    """

    name: str
    size: int
    scale: float
    unit: str
    places: float = 1.0
    digits: int = 1
    low: float = -math.inf
    high: float = math.inf
    names: tuple[str, ...] = ()

    def decode(self, learned: Array) -> Array:
        """What the estimator learned, (P, ...), in :attr:`unit`."""
        return learned * self.scale

    def decode_spread(self, learned: Array, spread: Array) -> Array:
        """A standard deviation of what the estimator learned, (P, ...), in :attr:`unit`, at that value."""
        return spread * self.scale

    def within_range(self, values: Array) -> Array:
        """Values in :attr:`unit`, none outside of what is possible."""
        return values.clip(self.low, self.high)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Name and unit of each of the P numbers."""
        return tuple((name, self.unit) for name in self.names or (self.name,) * self.size)

    def misses(self, estimate: Tensor, params: Tensor) -> Tensor:
        """How far off estimates are, as the estimator learns from it: the third term of eq. (18) before its mean.

        Args:
            estimate: (B, P, h, w), as the estimator says it.
            params: f(T), (B, P), as it is to be learned.

        Returns:
            (B, P, ...), 0 where the estimate is right; here :func:`at_each_place`.
        """
        return at_each_place(estimate, params)

    def of_image(self, learned: NDArray[np.float32], spread: NDArray[np.float32]) -> NDArray[np.float64]:
        """What holds for a whole image, from what the estimator learned to say at each place.

        Args:
            learned: (P, h, w); its order may be lost.
            spread: its standard deviation, same shape.

        Returns:
            (P,).
        """
        if self.size == 1:
            return np.array([median_of_surest(learned[0], spread[0], self.places)])
        # The numbers of a kernel depend on each other: their separate medians need not be any kernel.
        mean: NDArray[np.float64] = learned.mean(axis=(1, 2), dtype=np.float64)
        return mean

    def words(self, values: Sequence[float]) -> str:
        """An estimate (P,), in :attr:`unit`, for people: ``"noise level 12.3 (8-bit levels)"``."""
        return f"{self.name} {', '.join(f'{value:.{self.digits}f}' for value in values)} ({self.unit})"


def at_each_place(estimate: Tensor, params: Tensor) -> Tensor:
    """|f(T) - EST(c)| at each place: (B, P, h, w) and (B, P) to (B, P, h, w)."""
    return (estimate - params[:, :, None, None]).abs()


def median_of_surest(values: NDArray[np.float32], spread: NDArray[np.float32], share: float) -> float:
    """The median over the share of the places where the standard deviation is smallest.

    Strong texture looks like noise: the median is closer to the truth than the mean. ``values`` may be reordered, since
    a copy is as large as a quarter of an image channel.
    """
    used = values if share >= 1 else values[spread <= np.quantile(spread, share)]
    return float(np.median(used, overwrite_input=True))


class Degradation(ABC):
    """T of eq. (1), a frozen dataclass. Ranges are inclusive ``(low, high)``; a fixed value is ``(v, v)``."""

    quantity: ClassVar[Quantity]

    @property
    def scale(self) -> int:
        """How many times smaller y is than x, along each side."""
        return 1

    @property
    def direct(self) -> bool:
        """Whether pixel i of y lies on pixel ``scale`` i of x: direct decimation, on whose grid super-resolvers work.

        An ordinary resizer puts it on the middle of the pixels that it stands for, (scale - 1) / 2 pixels of x further
        down and right.
        """
        return self.scale == 1

    @property
    def severity(self) -> Severity | None:
        """The axis along which the latent is analysed, from mild to strong; None where there is none."""
        return None

    def category(self, estimate: NDArray[Any]) -> Category:
        """What kind of degradation an estimate (P,) tells, in the quantity's unit, and how strong it is.

        Intervals are measured for each kind of its own (:mod:`undegrade.weights.intervals`). By default all are one
        kind, as strong as :attr:`severity` reads.
        """
        axis = self.severity
        return Category() if axis is None else Category("", float(axis.read(estimate)))

    def crops(self, count: int) -> list[int]:
        """Which of ``count`` clean crops each image of a training batch is made of: usually each of its own."""
        return list(range(count))

    @abstractmethod
    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        """Degrade clean images.

        Args:
            x: (B, C, H, W), float32 in [0, 1]; H and W are multiples of :attr:`scale`.
            generator: advanced by the draw. A torch generator must live on x's device.
        """


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator, like: Tensor) -> Tensor:
    """Uniform draws in [low, high), on the device and with the dtype of ``like``.

    A fixed value is not drawn: the generator stays where it is, as the published tables need it.
    """
    if low == high:
        return torch.full(shape, low, device=like.device, dtype=like.dtype)
    if isinstance(generator, torch.Generator):
        u = torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)
    else:
        u = torch.from_numpy(generator.random_sample(shape)).to(like)
    return low + (high - low) * u


def standard_normal(shape: tuple[int, int, int, int], generator: Generator, like: Tensor) -> Tensor:
    """N(0, 1) draws of shape (B, C, H, W), on the device and with the dtype of ``like``.

    From numpy they are drawn as (B, H, W, C), the order in which the published tables draw them.
    """
    if isinstance(generator, torch.Generator):
        return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
    b, c, h, w = shape
    n = torch.from_numpy(generator.standard_normal((b, h, w, c)))
    return n.permute(0, 3, 1, 2).to(like)
