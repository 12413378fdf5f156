"""The restorer p(x|y, c): D = 5 RIRBlocks of N = 5 ResBlocks, 64 filters (paper section IV-E, Fig. 3).

h  = conv(y ++ c)
h' = h + conv(RIRBlock^D(h))                          (the long skip)
xhat = y + conv(h')                                   (Fig. 3a: restoration at the same size)
xhat = conv(shuffle(conv(h')))                        (Fig. 3b: super-resolution, sub-pixel tail)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vdir.nets.autoencoder import LATENT_CHANNELS, LATENT_STRIDE, resize_latent
from vdir.nets.blocks import BRANCH_SCALE, RIRBlock, conv3x3

FILTERS = 64
GROUPS = 5
BLOCKS = 5


class Restorer(nn.Module):
    """(y, c) -> xhat. 2,073,795 parameters and 2.07 MMAC per pixel at three channels and scale 1.

    Args:
        channels: C of y and xhat.
        scale: 1 for the residual tail; 2 or 4 for one or two sub-pixel x2 steps.
        told: channels of c, the latent's or an estimate's, which are concatenated; with 0 of them c is ignored.
    """

    def __init__(self, channels: int, scale: int = 1, told: int = LATENT_CHANNELS) -> None:
        super().__init__()
        self.scale, self.told = scale, told
        self.head = conv3x3(channels + told, FILTERS)
        self.groups = nn.Sequential(*(RIRBlock(FILTERS, BLOCKS) for _ in range(GROUPS)))
        self.conv = conv3x3(FILTERS, FILTERS, scale=BRANCH_SCALE)
        steps = {1: 0, 2: 1, 4: 2}[scale]
        self.up = nn.Sequential(*(m for _ in range(steps) for m in (conv3x3(FILTERS, 4 * FILTERS), nn.PixelShuffle(2))))
        self.tail = conv3x3(FILTERS, channels, scale=BRANCH_SCALE if scale == 1 else 1.0)

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        body = 1 + GROUPS * (2 * BLOCKS + 1) + 1
        # The tail's convolutions at scale 1, 2 and 4 reach 1, 1/2 and 1/4 input pixels.
        return body + {1: 1, 2: 2, 4: 2}[self.scale]

    def forward(self, y: Tensor, c: Tensor) -> Tensor:
        """y: (B, C, H, W); c: (B, told, ceil(H / 4), ceil(W / 4)) -> (B, C, H scale, W scale)."""
        given = torch.cat((y, resize_latent(c, LATENT_STRIDE, (y.shape[-2], y.shape[-1]))), 1) if self.told else y
        h = self.head(given)
        h = h + self.conv(self.groups(h))
        out: Tensor = self.tail(self.up(h))
        return y + out if self.scale == 1 else out
