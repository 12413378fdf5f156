"""Two kinds of degradation in one batch, to train one model for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity
from undegrade.degrade.severity import Array, Category, Severity
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Mixture(Degradation):
    """Of every batch ``share``, rounded to whole images, gets the second degradation, the others the first.

    Attributes:
        first, second: of one scale, one grid and one quantity.
        share: 0 to 1.

    Raises:
        ValueError: on construction, if the two differ in scale, grid or quantity, or the share is not in [0, 1].
    """

    first: Degradation
    second: Degradation
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {self.share}")
        one, other = ((d.scale, d.direct, d.quantity) for d in (self.first, self.second))
        if one != other:
            raise ValueError(f"scale, grid and quantity must be the same, got {one} and {other}")

    @property
    def quantity(self) -> Quantity:  # type: ignore[override]
        return self.first.quantity

    @property
    def scale(self) -> int:
        return self.first.scale

    @property
    def direct(self) -> bool:
        return self.first.direct

    @property
    def severity(self) -> Severity | None:
        return self.first.severity

    def category(self, estimate: Array) -> Category:
        return self.first.category(estimate)

    def crops(self, count: int) -> list[int]:
        of_first = count - round(self.share * count)
        return self.first.crops(of_first) + [of_first + i for i in self.second.crops(count - of_first)]

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        count = len(x) - round(self.share * len(x))
        parts = [d(part, generator) for d, part in ((self.first, x[:count]), (self.second, x[count:])) if len(part)]
        return Degraded(*(torch.cat(both) for both in zip(*parts, strict=True)))
