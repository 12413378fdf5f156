"""Impulse noise: some pixels are replaced by other values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undegrade.degrade.base import Generator, uniform
from undegrade.degrade.noise_grain_quality import AddedNoise
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Impulse(enum.StrEnum):
    """What replaces a pixel."""

    SALT_AND_PEPPER = "salt and pepper"
    """Black or white."""
    RANDOM = "random"
    """Any value in every channel, drawn uniformly."""
    HOT = "hot"
    """One channel at its brightest, like a broken pixel of a sensor."""


@dataclass(frozen=True)
class Impulses(AddedNoise):
    """Impulses of one kind.

    Attributes:
        kind: what the pixels hold.
        share: range of the share of the pixels that are replaced.
    """

    kind: Impulse
    share: tuple[float, float]

    def __post_init__(self) -> None:
        if not 0 <= self.share[0] <= self.share[1] <= 1:
            raise ValueError(f"share must satisfy 0 <= low <= high <= 1, got {self.share}")

    def noise(self, x: Tensor, generator: Generator) -> Tensor:
        b, c, h, w = x.shape
        share = uniform((b, 1, 1, 1), *self.share, generator, x)
        hit = uniform((b, 1, h, w), 0.0, 1.0, generator, x) < share
        if self.kind is Impulse.RANDOM:
            value = uniform((b, c, h, w), 0.0, 1.0, generator, x)
        elif self.kind is Impulse.SALT_AND_PEPPER:
            value = (uniform((b, 1, h, w), 0.0, 1.0, generator, x) < 0.5).to(x).expand_as(x)
        else:
            channel = (uniform((b, 1, h, w), 0.0, 1.0, generator, x) * c).long().clamp(max=c - 1)
            hit = hit & (channel == torch.arange(c, device=x.device).view(1, c, 1, 1))
            value = torch.ones_like(x)
        return torch.where(hit, value - x, torch.zeros_like(x))
