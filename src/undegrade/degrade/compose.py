"""Degradations made of others, all with :data:`NOISE_GRAIN_QUALITY` as f(T)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from undegrade.degrade.additive import white_noise_severity
from undegrade.degrade.base import Degradation, Degraded, Generator, uniform
from undegrade.degrade.noise_grain_quality import NOISE_GRAIN_QUALITY, Found, noise_params, saving_params
from undegrade.degrade.numbers import Numbers
from undegrade.degrade.severity import Array, Category, Severity
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OneOf(Degradation):
    """Every image draws its own of several degradations.

    Attributes:
        parts: weight and degradation; the weights need not sum to 1.

    Raises:
        ValueError: on construction, without parts, for a weight that is not positive, or for a part that is not of
            scale 1 and of the quantity ``NOISE_GRAIN_QUALITY``.
    """

    parts: tuple[tuple[float, Degradation], ...]

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __post_init__(self) -> None:
        if not self.parts or any(weight <= 0 for weight, _ in self.parts):
            raise ValueError(f"there must be parts of positive weight, got {self.parts}")
        if any(part.scale != 1 or part.quantity != NOISE_GRAIN_QUALITY for _, part in self.parts):
            raise ValueError(
                f"every part must be of scale 1 and have the quantity {NOISE_GRAIN_QUALITY.name}, got {self.parts}"
            )

    @property
    def severity(self) -> Severity:
        return white_noise_severity()

    def category(self, estimate: Array) -> Category:
        return Found(*map(float, estimate)).category

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        ends = torch.tensor([weight for weight, _ in self.parts], device=x.device, dtype=x.dtype).cumsum(0)
        # A fixed choice is not drawn; the clamp is for draws that round up to the last end.
        drawn = uniform((len(x),), 0.0, 1.0 if len(self.parts) > 1 else 0.0, generator, x) * ends[-1]
        which = torch.searchsorted(ends, drawn, right=True).clamp(max=len(self.parts) - 1)
        y, params = torch.empty_like(x), x.new_empty(len(x), NOISE_GRAIN_QUALITY.size)
        for i, (_, part) in enumerate(self.parts):
            chosen = (which == i).nonzero().flatten()
            if len(chosen):
                y[chosen], params[chosen] = part(x[chosen], generator)
        return Degraded(y, params)


@dataclass(frozen=True)
class Chain(Degradation):
    """Noise and then a saving: the former determines noise level and grain, the latter the quality.

    Attributes:
        noise, saving: of scale 1.
    """

    noise: Degradation
    saving: Degradation

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        y, noise = self.noise(x, generator)
        z, saving = self.saving(y, generator)
        return Degraded(z, torch.cat((noise[:, :2], saving[:, 2:]), 1))


def eight_bits(x: Tensor) -> Tensor:
    """As files of 8 bits hold it: clipped to [0, 1] and rounded to multiples of 1/255."""
    return x.clamp(0, 1).mul(255).round().div(255)


@dataclass(frozen=True)
class Rounded(Degradation):
    """A saving without loss: clipped to [0, 1] and rounded to 8 bits.

    Attributes:
        share: of the images; the others stay as they are, as arrays and files of more bits do.
    """

    share: float = 1.0

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        y = eight_bits(x)
        if self.share < 1:
            y = torch.where(uniform((len(x), 1, 1, 1), 0.0, 1.0, generator, x) < self.share, y, x)
        return Degraded(y, saving_params(x.new_full((len(x),), 100.0)))


@dataclass(frozen=True)
class Sparing(Degradation):
    """Noise that spares what is exactly black or white: bars, pages, saturated lights.

    Attributes:
        noise: of scale 1.
        share: of the images in which it does.
    """

    noise: Degradation
    share: float

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        y = self.noise(x, generator).image
        chosen = uniform((len(x), 1, 1, 1), 0.0, 1.0, generator, x) < self.share
        levels = x.mul(255).round()
        spared = chosen & ((levels == 0) | (levels == 255)).all(1, keepdim=True)
        y = torch.where(spared, x, y)
        return Degraded(y, noise_params(y - x, spared))
