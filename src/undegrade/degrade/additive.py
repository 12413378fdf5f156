"""Gaussian noise of one strength per image: of every channel, of brightness, of colour, or of grain.

    n = sigma (g * m) / |g|,    |g|^2 = sum of g^2

m is standard normal, g a Gaussian of a width of up to 1.5 pixels, whose sum of squares keeps the rms as stated. Noise
of brightness alone is the same in all channels, as film grain and noise reduced in colour are; noise of colour alone
has no luma (ITU-R BT.601).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undegrade.degrade.base import Generator, standard_normal, uniform
from undegrade.degrade.colour import BT601
from undegrade.degrade.noise_grain_quality import AddedNoise
from undegrade.degrade.severity import Severity, first
from undegrade.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

WIDEST = 1.5
"""Pixels, of the Gaussian that makes grain."""
_REACH = 5


class Channels(enum.StrEnum):
    """Where the noise is."""

    ALL = "all"
    """Independent in every channel."""
    BRIGHTNESS = "brightness"
    """The same in every channel."""
    COLOUR = "colour"
    """Without luma. One-channel images, which have no colour, get noise all the same."""


@dataclass(frozen=True)
class AdditiveNoise(AddedNoise):
    """Noise of one kind.

    Attributes:
        sigma: range of the standard deviation in 8-bit levels (over the three channels together).
        channels: where it is.
        width: range of the width of g in pixels, up to 1.5; up to (0, 0) is white.
        power: sigma is low + (high - low) u^power, u uniform: above 1 favours weak noise.
    """

    sigma: tuple[float, float]
    channels: Channels = Channels.ALL
    width: tuple[float, float] = (0.0, 0.0)
    power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must satisfy 0 <= low <= high, got {self.sigma}")
        if not 0 <= self.width[0] <= self.width[1] <= WIDEST:
            raise ValueError(f"width must satisfy 0 <= low <= high <= {WIDEST}, got {self.width}")

    def noise(self, x: Tensor, generator: Generator) -> Tensor:
        b, c, h, w = x.shape
        low, high = self.sigma
        u = uniform((b, 1, 1, 1), 0.0, 1.0, generator, x) if high > low else x.new_zeros(b, 1, 1, 1)
        sigma = (low + (high - low) * u**self.power) / 255
        planes = 1 if self.channels is Channels.BRIGHTNESS else c
        if self.width[1] > 0:
            width = uniform((b,), *self.width, generator, x)
            n = grainy(standard_normal((b, planes, h + 2 * _REACH, w + 2 * _REACH), generator, x), width)
        else:
            n = standard_normal((b, planes, h, w), generator, x)
        if self.channels is Channels.COLOUR and c == 3:
            n = _without_luma(n)
        return (sigma * n).expand(-1, c, -1, -1)


def grainy(m: Tensor, width: Tensor) -> Tensor:
    """White noise of variance 1 blurred and brought back to variance 1: (B, C, H + 10, W + 10) -> (B, C, H, W).

    Args:
        m: standard normal.
        width: (B,), of the Gaussian, in pixels.
    """
    b, c, h, w = m.shape
    offset = torch.arange(-_REACH, _REACH + 1, device=m.device, dtype=m.dtype)
    k = torch.exp(-0.5 * (offset / width.clamp(min=1e-3).view(-1, 1)) ** 2)
    k = (k / k.square().sum(1, keepdim=True).sqrt()).repeat_interleave(c, 0)
    planes = m.reshape(1, b * c, h, w)
    planes = F.conv2d(planes, k.view(b * c, 1, -1, 1), groups=b * c)
    return F.conv2d(planes, k.view(b * c, 1, 1, -1), groups=b * c).view(b, c, h - 2 * _REACH, w - 2 * _REACH)


def _without_luma(n: Tensor) -> Tensor:
    """The part of white noise without luma, brought back to a mean variance of 1."""
    luma = n.new_tensor(BT601).view(1, 3, 1, 1)
    # n - 1 (l . n): channel i keeps the variance 1 - 2 l_i + |l|^2, as the weights l sum to 1.
    variance = 1 - 2 / 3 + sum(v * v for v in BT601)
    scale = 1 / math.sqrt(variance)
    return (n - (n * luma).sum(1, keepdim=True)) * scale


def white_noise_severity() -> Severity:
    """The axis of white noise, of any degradation whose f(T) begins with the noise level."""
    return Severity(
        name="noise level",
        symbol="σ",
        unit="8-bit levels",
        steps=tuple(range(10, 60, 5)),  # as in Fig. 7
        own=30,
        mild=10,
        strong=50,
        reach=24,
        at=lambda sigma: AdditiveNoise((sigma, sigma)),
        read=first,
    )
