"""Encoder q(c|y), decoder p(y|c) and estimator EST(c) (paper section IV-E).

The latent has four channels at a quarter of the image's size. The encoder is five 3x3 convolutions of 64
filters with 2x2 max-pooling after the first and the third, then one head each for mu and log sigma^2. The
decoder mirrors it: the same layers backwards, nearest-neighbour upsampling for pooling.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.blocks import conv3x3
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE
from undegrade.model.posterior import Posterior

FILTERS = 64


CONTRAST = 6.0
"""Factor on the encoder's first filters at the start of training. Their means are 0: they see differences between
neighbouring pixels only.

He's start passes on mostly the common brightness of neighbours, a hundred times as strong as what JPEG leaves behind:
with it the estimate of the quality had not left its median after 2,000 training steps, with this start it does within
200.
"""


class Encoder(nn.Module):
    """y -> q(c|y). (B, C, H, W) -> Posterior of (B, 4, ceil(H / 4), ceil(W / 4)); 154,120 parameters at C = 3."""

    reach = 22
    """An image pixel's latent, resized back to the image, depends on y no further than this many pixels away."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, FILTERS, relu=True)
        with torch.no_grad():
            self.conv1.weight -= self.conv1.weight.mean((2, 3), keepdim=True)
            self.conv1.weight *= CONTRAST
        self.conv2 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv3 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv4 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv5 = conv3x3(FILTERS, FILTERS, relu=True)
        self.mean = conv3x3(FILTERS, LATENT_CHANNELS)
        # A start near log sigma^2 = 0 with little spread: exp() of a wild start would swamp the latent.
        self.logvar = conv3x3(FILTERS, LATENT_CHANNELS, scale=0.1)

    def forward(self, y: Tensor) -> Posterior:
        h = halve(torch.relu_(self.conv1(y)))
        h = halve(torch.relu_(self.conv3(torch.relu_(self.conv2(h)))))
        h = torch.relu_(self.conv5(torch.relu_(self.conv4(h))))
        return Posterior(self.mean(h), self.logvar(h))


class Decoder(nn.Module):
    """c -> yhat, used in training only. (B, 4, h, w) -> (B, C, 4 h, 4 w); the caller crops odd sizes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(LATENT_CHANNELS, FILTERS, relu=True)
        self.conv2 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv3 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv4 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv5 = conv3x3(FILTERS, FILTERS, relu=True)
        self.conv6 = conv3x3(FILTERS, channels)

    def forward(self, c: Tensor) -> Tensor:
        h = torch.relu_(self.conv3(torch.relu_(self.conv2(torch.relu_(self.conv1(c))))))
        h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        h = torch.relu_(self.conv5(torch.relu_(self.conv4(h))))
        h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        out: Tensor = self.conv6(h)
        return out


_BEYOND = 0.05
"""By how much of its range the sigmoid of a bounded estimate reaches beyond it. Most pictures lie at the ends, no noise
or no compression: the estimate gets there exactly, and its slope, which a plain sigmoid loses there, stays."""


class Estimator(nn.Module):
    """EST(c) of eq. (18), conv-ReLU-conv: (B, 4, h, w) -> (B, P, h, w), f(T) as the latent knows it at each place.

    The authors then resize the map to the image; since f(T) is constant over the image, comparing at the
    latent's size measures the same and costs a sixteenth.

    Args:
        params: P.
        bounds: where given, what comes out lies between 0 and these: a sigmoid that reaches a little beyond
            either, cut there.
    """

    reach = 2 * LATENT_STRIDE
    """Image pixels by which an estimate, resized to the image, sees further than the latent."""

    def __init__(self, params: int, bounds: Sequence[float] | None = None) -> None:
        super().__init__()
        self.conv1 = conv3x3(LATENT_CHANNELS, FILTERS, relu=True)
        self.conv2 = conv3x3(FILTERS, params)
        self.bounds = None if bounds is None else tuple(bounds)

    def forward(self, c: Tensor) -> Tensor:
        return self.bound(self.conv2(torch.relu_(self.conv1(c))))

    def bound(self, out: Tensor) -> Tensor:
        """What the last convolution gives, (B, P, h, w), within :attr:`bounds`."""
        if self.bounds is None:
            return out
        # In float32: between 0.99 and 1 bfloat16 knows three numbers.
        wide = (out.float().sigmoid() * (1 + 2 * _BEYOND) - _BEYOND) * self._most(out)
        inside = wide.clamp(min=0).minimum(self._most(out))
        # Learning, the gradient passes as if nothing was cut: an L1 term has none where the bound is the truth, and
        # where it is not it leads back inside.
        # The value has to be the bound to the last bit: else the sign of that L1 term is rounding.
        return inside.detach() + (wide - wide.detach()) if torch.is_grad_enabled() else inside

    def _most(self, like: Tensor) -> Tensor:
        return torch.tensor(self.bounds, device=like.device).view(-1, 1, 1)


def resize_latent(c: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
    """Bilinear resize by exactly ``factor``, cropped to ``size`` (H, W).

    An exact factor, rather than a resize to H x W, keeps the latent's grid in place at sizes that are not
    multiples of four; that is what makes restoring in tiles exact.
    """
    c = F.interpolate(c, scale_factor=float(factor), mode="bilinear", align_corners=False)
    return c[..., : size[0], : size[1]]


def halve(h: Tensor) -> Tensor:
    """2x2 max-pooling that keeps the last odd row and column (TensorFlow's SAME)."""
    return F.max_pool2d(h, 2, ceil_mode=True)
