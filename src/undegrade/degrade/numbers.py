"""Several named numbers that the estimator reads at once, each in its own unit and bounded by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.base import Array, Quantity, median_of_surest
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Number:
    """One number of f(T). The estimator learns it as ``weight ((value - low) / (high - low))^(1 / power)``.

    Attributes:
        name, unit: for people; the unit may be empty.
        low, high: the range of the value, which is the range of what the estimator can say.
        digits: after the point, as people read it.
        power: 2 learns the root, on which small values are as far apart as large ones: at a value v an error counts in
            proportion to 1 / sqrt(v).
        weight: upper bound of the learned value, and by that the number's weight in the estimation term of eq. (18).
    """

    name: str
    unit: str
    low: float
    high: float
    digits: int = 1
    power: float = 1.0
    weight: float = 1.0

    def encode(self, value: Tensor) -> Tensor:
        """The value as it is learned, in [0, :attr:`weight`]; values outside the range are its ends, nan stays nan."""
        share = ((value - self.low) / (self.high - self.low)).clamp(0, 1)
        return self.weight * share ** (1 / self.power)

    def decode(self, learned: Array) -> Array:
        """The inverse of :meth:`encode`."""
        return self.low + (self.high - self.low) * (learned / self.weight) ** self.power

    def words(self, value: float) -> str:
        """For example ``"noise level 12.3 (8-bit levels)"``."""
        return f"{self.name} {value:.{self.digits}f}" + (f" ({self.unit})" if self.unit else "")


@dataclass(frozen=True)
class Numbers(Quantity):
    """f(T) as several :class:`Number`. :attr:`scale` and :attr:`unit` say nothing here: each number has its own.

    Attributes:
        numbers: in the order of f(T).
    """

    numbers: tuple[Number, ...] = ()

    @classmethod
    def of(cls, name: str, *numbers: Number) -> Self:
        """The quantity of these numbers."""
        return cls(name, size=len(numbers), scale=1.0, unit="each in its own unit", numbers=numbers)

    @property
    def bounds(self) -> tuple[float, ...]:
        """Upper bounds of the learned values, whose lower bound is 0: for :attr:`Architecture.bounds`."""
        return tuple(number.weight for number in self.numbers)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        return tuple((number.name, number.unit) for number in self.numbers)

    def encode(self, *values: Tensor) -> Tensor:
        """f(T), (B, P), of P tensors (B,) in units."""
        return torch.stack([n.encode(v) for n, v in zip(self.numbers, values, strict=True)], 1)

    def decode(self, learned: Array) -> Array:
        values = learned * 1.0
        for i, number in enumerate(self.numbers):
            values[i] = number.decode(learned[i])
        return values

    def decode_spread(self, learned: Array, spread: Array) -> Array:
        # Half of what lies between one standard deviation below and one above: the scale is not linear.
        low, high = learned * 1.0, learned * 1.0
        for i, number in enumerate(self.numbers):
            low[i] = (learned[i] - spread[i]).clip(0, number.weight)
            high[i] = (learned[i] + spread[i]).clip(0, number.weight)
        between: Array = self.decode(high) - self.decode(low)
        return between / 2

    def of_image(self, learned: NDArray[np.float32], spread: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.array([median_of_surest(*planes, self.places) for planes in zip(learned, spread, strict=True)])

    def words(self, values: Sequence[float]) -> str:
        return ", ".join(number.words(value) for number, value in zip(self.numbers, values, strict=True))
