"""The restorer p(x|y, c): D = 5 RIRBlocks of N = 5 ResBlocks, 64 filters (paper section IV-E, Fig. 3).

h  = conv(y ++ c)
h' = h + conv(RIRBlock^D(h))                          (the long skip)
xhat = y + conv(h')                                   (Fig. 3a: restoration at the same size)
xhat = enlarged y + shuffle(conv(h'))                 (Fig. 3b: super-resolution, sub-pixel tail)

The paper's super-resolver infers the image itself; beside a fixed interpolation (:mod:`undegrade.model.upsample`) only
the detail is left to learn. Its sub-pixel layer, a convolution and a shuffle, here makes the image's channels at once:
more convolutions behind the shuffle would be linear like it, and made the weights larger than can be shipped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.autoencoder import resize_latent
from undegrade.model.blocks import BRANCH_SCALE, RIRBlock, conv3x3
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE
from undegrade.model.restorer_module import RestorerModule
from undegrade.model.upsample import Enlarge

FILTERS = 64
GROUPS = 5
BLOCKS = 5


class Restorer(RestorerModule):
    """(y, c) -> xhat. 2,073,795 parameters and 2.07 MMAC per pixel at three channels and scale 1.

    Args:
        channels: C of y and xhat.
        scale: output pixels per input pixel along each side: 1, 2 or 4.
        cond_channels: channels of the condition c, the latent or an estimate, which are concatenated; with 0 of them c
            is ignored.
    """

    filters = FILTERS

    def __init__(self, channels: int, scale: int = 1, cond_channels: int = LATENT_CHANNELS) -> None:
        super().__init__()
        self.scale, self.cond_channels = scale, cond_channels
        self.head = conv3x3(channels + cond_channels, FILTERS)
        self.groups = nn.Sequential(*(RIRBlock(FILTERS, BLOCKS) for _ in range(GROUPS)))
        self.conv = conv3x3(FILTERS, FILTERS, scale=BRANCH_SCALE)
        self.tail = conv3x3(FILTERS, channels * scale**2, scale=BRANCH_SCALE)
        self.enlarge = Enlarge(scale)

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        return 1 + GROUPS * (2 * BLOCKS + 1) + 1 + 1

    def features(self, y: Tensor, c: Tensor) -> Tensor:
        """h', (B, F, H, W)."""
        given = (
            torch.cat((y, resize_latent(c, LATENT_STRIDE, (y.shape[-2], y.shape[-1]))), 1) if self.cond_channels else y
        )
        h = self.head(given)
        out: Tensor = h + self.conv(self.groups(h))
        return out

    def image(self, y: Tensor, h: Tensor) -> Tensor:
        out: Tensor = self.enlarge(y) + F.pixel_shuffle(self.tail(h), self.scale)
        return out
