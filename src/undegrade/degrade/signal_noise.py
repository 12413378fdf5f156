"""Noise that depends on the picture: of few photons, and multiplicative (speckle)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undegrade.degrade.base import Generator, standard_normal, uniform
from undegrade.degrade.noise_grain_quality import AddedNoise
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PoissonGaussian(AddedNoise):
    """y = Poisson(peak x) / peak + read m, m standard normal.

    Attributes:
        peak: range of the photons per channel at full brightness, drawn evenly on a logarithmic scale.
        read: range of the constant noise, in 8-bit levels.
    """

    peak: tuple[float, float]
    read: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 < self.peak[0] <= self.peak[1] or not 0 <= self.read[0] <= self.read[1]:
            raise ValueError(f"peak must be positive, read not negative, low <= high: {self}")

    def noise(self, x: Tensor, generator: Generator) -> Tensor:
        b = len(x)
        low, high = (math.log(value) for value in self.peak)
        peak = uniform((b, 1, 1, 1), low, high, generator, x).exp()
        read = uniform((b, 1, 1, 1), *self.read, generator, x) / 255
        photons = x * peak
        if isinstance(generator, torch.Generator):
            counted = torch.poisson(photons, generator=generator)
        else:
            counted = torch.from_numpy(generator.poisson(photons.cpu().numpy())).to(x)
        n = counted / peak - x
        if self.read[1] > 0:
            b, c, h, w = x.shape
            n = n + read * standard_normal((b, c, h, w), generator, x)
        return n


@dataclass(frozen=True)
class Speckle(AddedNoise):
    """y = x (1 + s m), m standard normal, independent in every channel or the same in all.

    Attributes:
        strength: range of s.
        same: share of images with the same m in all channels.
    """

    strength: tuple[float, float]
    same: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength[0] <= self.strength[1] or not 0 <= self.same <= 1:
            raise ValueError(f"strength must satisfy 0 <= low <= high, same must be a share: {self}")

    def noise(self, x: Tensor, generator: Generator) -> Tensor:
        b, c, h, w = x.shape
        s = uniform((b, 1, 1, 1), *self.strength, generator, x)
        m = standard_normal((b, c, h, w), generator, x)
        if self.same > 0:
            m = torch.where(uniform((b, 1, 1, 1), 0.0, 1.0, generator, x) < self.same, m[:, :1], m)
        return x * s * m
