"""The discriminator D(y) of eqs. (16)-(17): is this degraded image real, or the decoder's?

Ten spectrally normalised 3x3 convolutions, 64-64-128-128-256-256-512-512-512-512, stride 2 on every second one,
leaky ReLU 0.2, then a 3x3 convolution to one map of logits. No batch norm: the batch must not leak into the
judgement, and data-parallel training must see the same numbers.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from undegrade.model.blocks import conv3x3

WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512, 512, 512)


class Discriminator(nn.Module):
    """y or yhat -> logits. (B, C, H, W) -> (B, 1, ceil(H / 32), ceil(W / 32)); D(y) is their sigmoid.

    Args:
        channels: of y, 1 or 3.
        normalised: without spectral norms it is made faster, which is enough to count operations.
    """

    def __init__(self, channels: int, *, normalised: bool = True) -> None:
        super().__init__()
        inputs = (channels, *WIDTHS[:-1])
        norm = spectral_norm if normalised else nn.Identity()
        self.convs = nn.ModuleList(
            norm(conv3x3(i, o, relu=True, stride=1 + n % 2))
            for n, (i, o) in enumerate(zip(inputs, WIDTHS, strict=True))
        )
        self.logits = norm(conv3x3(WIDTHS[-1], 1))

    def forward(self, y: Tensor) -> Tensor:
        h = y
        for conv in self.convs:
            h = F.leaky_relu(conv(h), 0.2)
        out: Tensor = self.logits(h)
        return out
