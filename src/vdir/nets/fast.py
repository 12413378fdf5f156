"""The fast restorer: p(x|y, c) at a tenth of the cost, for tasks of scale 1.

    u  = unshuffle(y, 2)                                  (half resolution, 4 C channels)
    h' = ResBlock^5(conv(u ++ c))                         (96 filters)
    xhat = y + shuffle(conv(h'), 2)

Half resolution buys a wide reach for little; residual blocks instead of FFDNet's plain chain learn several
times faster at the same cost. With the encoder it is 1,008,820 parameters and 0.238 MMAC per pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vdir.nets.autoencoder import LATENT_CHANNELS, LATENT_STRIDE, resize_latent
from vdir.nets.blocks import BRANCH_SCALE, ResBlock, conv3x3

FILTERS = 96
BLOCKS = 5


class FastRestorer(nn.Module):
    """(y, c) -> xhat at the same size; odd sizes are completed by repeating the last row or column.

    Args:
        channels: C of y and xhat.
        told: channels of c, the latent's or an estimate's, which are concatenated; with 0 of them c is ignored.
    """

    def __init__(self, channels: int, told: int = LATENT_CHANNELS) -> None:
        super().__init__()
        self.told = told
        self.head = conv3x3(4 * channels + told, FILTERS)
        self.blocks = nn.Sequential(*(ResBlock(FILTERS) for _ in range(BLOCKS)))
        self.tail = conv3x3(FILTERS, 4 * channels, scale=BRANCH_SCALE)

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        convolutions = 1 + 2 * BLOCKS + 1
        return 2 * convolutions + 1

    def forward(self, y: Tensor, c: Tensor) -> Tensor:
        """y: (B, C, H, W); c: (B, told, ceil(H / 4), ceil(W / 4)) -> (B, C, H, W)."""
        u = F.pixel_unshuffle(pad_to_even(y), 2)
        if self.told:
            u = torch.cat((u, resize_latent(c, LATENT_STRIDE // 2, (u.shape[-2], u.shape[-1]))), 1)
        residual = F.pixel_shuffle(self.tail(self.blocks(self.head(u))), 2)
        return y + residual[..., : y.shape[-2], : y.shape[-1]]


def pad_to_even(y: Tensor) -> Tensor:
    """Complete odd heights and widths by repeating the last row or column."""
    h, w = y.shape[-2:]
    return F.pad(y, (0, w % 2, 0, h % 2), mode="replicate") if h % 2 or w % 2 else y
