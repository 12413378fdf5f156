"""y enlarged by a fixed interpolation: what a super-resolver's residual is added to.

    xhat(s i + r) = sum over o of y(i + o) b(o - r / s),      r = 0 ... s - 1,  o = -1, 0, 1, 2

b is Keys' bicubic with a = -0.5, along rows and along columns. Output pixel s i lies on input pixel i: this is the grid
of direct decimation (:mod:`undegrade.degrade.blur`), on which all super-resolvers work. Ordinary files are brought onto
it first (:func:`undegrade.degrade.resize.onto_direct_grid`).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = (-1, 0, 1, 2)


class Enlarge(nn.Module):
    """(B, C, H, W) -> (B, C, H scale, W scale), in float32 whatever the precision around it. Nothing is learned.

    Args:
        scale: 1 gives y itself; 2 or 4.
    """

    reach = 2
    """Input pixels around an output pixel."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        phases = torch.arange(scale).view(-1, 1) / scale
        weights = keys(torch.tensor(TAPS) - phases)
        both = torch.einsum("ri,qj->rqij", weights, weights).reshape(scale**2, 1, len(TAPS), len(TAPS))
        self.register_buffer("weights", both, persistent=False)
        self.weights: Tensor

    def forward(self, y: Tensor) -> Tensor:
        if self.scale == 1:
            return y
        b, c, h, w = y.shape
        # Half precision would show: it has no more digits than 8-bit pixels. (The meta device knows no autocast.)
        with nullcontext() if y.device.type == "meta" else torch.autocast(y.device.type, enabled=False):
            planes = F.pad(y.float().reshape(b * c, 1, h, w), (1, 2, 1, 2), mode="replicate")
            large = F.pixel_shuffle(F.conv2d(planes, self.weights), self.scale)
        return large.view(b, c, h * self.scale, w * self.scale)


def keys(t: Tensor, a: float = -0.5) -> Tensor:
    """R. Keys' cubic convolution kernel (1981) at distances t."""
    t = t.abs()
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))
