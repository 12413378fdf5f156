"""The scale head: how far each pixel of a restoration may be off, as the scale b of a Laplace density.

    p(x|y, c) = prod over pixels and channels of exp(-|x - xhat| / b) / 2b          (the first term of eq. (9))
    b(y, c) = LEAST + exp(conv1x1(relu(conv3x3(h))))                                (h: the restorer's last features)

One b for all channels of a pixel. With h at 1/r of the resolution, the last convolution has (r s)^2 channels, which a
sub-pixel shuffle spreads over the s times enlarged image. The head reads h no further than the restorer's tail does,
one element around, so that tiles need no wider halo for it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.blocks import BRANCH_SCALE, conv3x3

HIDDEN = 32
"""Channels between the two convolutions: the most that cost no restorer more than 3 % more multiply-adds."""
LEAST = 0.05 / 255
"""The smallest b, a twentieth of an 8-bit level. Where x = xhat exactly, the likelihood would have no maximum."""
START = 4 / 255
"""b of a fresh head, everywhere: about the error of a restoration."""


class ScaleHead(nn.Module):
    """h -> b. The 3x3 convolution has padding 1, the other one has none.

    Args:
        filters: channels of h.
        times: output pixels per element of h, along each side.
    """

    def __init__(self, filters: int, times: int) -> None:
        super().__init__()
        self.times = times
        self.conv = conv3x3(filters, HIDDEN, relu=True)
        self.tail = nn.Conv2d(HIDDEN, times**2, 1)
        nn.init.kaiming_normal_(self.tail.weight, nonlinearity="linear")
        self.tail.weight.data.mul_(BRANCH_SCALE)
        nn.init.constant_(self.tail.bias, math.log(START))  # type: ignore[arg-type]

    def forward(self, h: Tensor, size: tuple[int, int]) -> Tensor:
        """h: (B, F, ceil(H / r), ceil(W / r)) -> b, (B, 1, *size), float32, for images in [0, 1].

        Args:
            h: the restorer's last features.
            size: height and width of xhat.
        """
        log_b = F.pixel_shuffle(self.tail(torch.relu_(self.conv(h))), self.times)
        # In float32: bfloat16 knows b to half a percent only.
        return LEAST + log_b[..., : size[0], : size[1]].float().exp()
