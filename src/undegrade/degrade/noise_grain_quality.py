"""Noise level, grain and JPEG quality as f(T), and how they are measured on the noise that was added.

noise level   rms of n = y - x before any saving, over pixels and channels, in 8-bit levels
grain         correlation of n at neighbouring pixels (mean of rows and columns), 0 to 1; nan below one level
JPEG quality  of the last saving, 100 for none
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from undegrade.degrade.base import Degradation, Degraded, Generator, uniform
from undegrade.degrade.numbers import Number, Numbers
from undegrade.degrade.severity import Category
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Found(NamedTuple):
    """An estimate of the degradation: noise level in 8-bit levels, grain 0 to 1, JPEG quality 1 to 100 (none)."""

    noise: float
    grain: float
    quality: float

    @property
    def category(self) -> Category:
        """Compressed, by how far the quality is below 100; or white or coarse noise, by its level."""
        lost = 100 - self.quality
        if self.noise < max(LEAST_NOISE, lost / 10):
            return Category("compressed", lost)
        return Category("white noise" if self.grain < _COARSE else "coarse noise", self.noise)


class _NoiseGrainQuality(Numbers):
    def words(self, values: Sequence[float]) -> str:
        found = Found(*values)
        said = [number.words(value) for number, value in zip(self.numbers, found, strict=True)]
        if found.noise < LEAST_NOISE:  # the grain is not given
            said[:2] = ["no noise"]
        if round(found.quality) >= _UNSAVED:
            said[-1] = "no compression"
        return ", ".join(said)


LEAST_NOISE = 1.0
"""Noise level, in 8-bit levels, below which the grain is not given."""
_COARSE = 0.15
"""Grain from which noise is told from white noise."""
_UNSAVED = 98
"""Quality from which a lossy compression cannot be distinguished from none."""

NOISE_GRAIN_QUALITY = _NoiseGrainQuality.of(
    "degradation",
    Number("noise level", "8-bit levels", low=0.0, high=100.0, power=2.0),
    Number("grain", "", low=0.0, high=1.0, digits=2, weight=0.25),
    Number("JPEG quality", "", low=1.0, high=100.0, digits=0, weight=0.5),
)
"""Grain and quality weigh less in the estimation term: they are harder to see, and their errors would dominate it."""

_GREY_NOISE = 0.5
"""Share of grey images (three equal channels) that get one noise plane in all three channels."""


def noise_params(n: Tensor, spared: Tensor | None = None) -> Tensor:
    """f(T) of additive noise without any saving.

    Args:
        n: y - x, (B, C, H, W).
        spared: (B, 1, H, W), places where there was none, which do not count. Where they are more than half, neither
            level nor grain is known (nan), unless they are all.

    Returns:
        (B, 3).
    """
    count = torch.full((len(n),), float(n[0].numel()), device=n.device, dtype=n.dtype)
    if spared is not None:
        count = (~spared).flatten(1).sum(1) * float(n.shape[1])
    energy = n.square().flatten(1).sum(1)
    level = 255 * (energy / count.clamp(min=1)).sqrt()
    rows = (n[:, :, 1:] * n[:, :, :-1]).flatten(1).sum(1)
    columns = (n[..., 1:] * n[..., :-1]).flatten(1).sum(1)
    grain = (rows + columns) / (2 * energy).clamp(min=1e-12)
    grain = grain.clamp(0, 1).masked_fill(level < LEAST_NOISE, torch.nan)
    if spared is not None:
        unknown = (count < n[0].numel() / 2) & (count > 0)
        level, grain = (v.masked_fill(unknown, torch.nan) for v in (level, grain))
    return NOISE_GRAIN_QUALITY.encode(level, grain, torch.full_like(level, 100.0))


def saving_params(quality: Tensor) -> Tensor:
    """f(T) of a saving without noise: (B,) qualities, nan where not known -> (B, 3)."""
    return NOISE_GRAIN_QUALITY.encode(torch.zeros_like(quality), torch.full_like(quality, torch.nan), quality)


def grey_images(x: Tensor) -> Tensor:
    """Which images have equal channels, (B, 1, 1, 1)."""
    return (x == x[:, :1]).flatten(1).all(1).view(-1, 1, 1, 1)


class AddedNoise(Degradation):
    """Noise of some kind, neither clipped nor rounded; f(T) is measured on it."""

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    @abstractmethod
    def noise(self, x: Tensor, generator: Generator) -> Tensor:
        """n for clean images of that shape."""

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        n = self.noise(x, generator)
        chosen = uniform((len(x), 1, 1, 1), 0.0, 1.0, generator, x) < _GREY_NOISE
        n = torch.where(grey_images(x) & chosen, n[:, :1], n)
        return Degraded(x + n, noise_params(n))


@dataclass(frozen=True)
class Nothing(Degradation):
    """y = x: what is clean must come back unchanged."""

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        return Degraded(x.clone(), saving_params(x.new_full((len(x),), 100.0)))


@dataclass(frozen=True)
class Measured(Degradation):
    """Another degradation's noise, with f(T) measured on it: for :class:`undegrade.degrade.CameraNoise`.

    Attributes:
        noise: of scale 1, not saved with loss.
    """

    noise: Degradation

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        y = self.noise(x, generator).image
        return Degraded(y, noise_params(y - x))
