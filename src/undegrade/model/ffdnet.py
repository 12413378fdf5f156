"""FFDNet's plain chain as a restorer, for the comparison of Table XI.

Twelve 3x3 convolutions of 96 filters at half resolution, ReLU between, no skips (the colour FFDNet). Inside the
framework the latent takes the place of FFDNet's noise-level map; alone (``cond_channels=0``) it is the naive blind
baseline.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.autoencoder import resize_latent
from undegrade.model.blocks import conv3x3
from undegrade.model.fast_restorer import pad_to_even
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE
from undegrade.model.restorer_module import RestorerModule

FILTERS = 96
LAYERS = 12


class FFDNet(RestorerModule):
    """(y, c) -> xhat at the same size, as FFDNet predicts it: the image itself, not a residual.

    Args:
        channels: C of y and xhat.
        scale: 1, the only one it can do.
        cond_channels: channels of the condition c, the latent or an estimate, which are concatenated; with 0 of them c
            is ignored.
    """

    filters, feature_stride = FILTERS, 2

    def __init__(self, channels: int, scale: int = 1, cond_channels: int = LATENT_CHANNELS) -> None:
        super().__init__()
        self.cond_channels = cond_channels
        layers: list[nn.Module] = [
            conv3x3(4 * channels + cond_channels, FILTERS, relu=True),
            nn.ReLU(),
        ]
        for _ in range(LAYERS - 2):
            layers += [conv3x3(FILTERS, FILTERS, relu=True), nn.ReLU()]
        self.layers = nn.Sequential(*layers, conv3x3(FILTERS, 4 * channels))

    @property
    def stride(self) -> int:
        """Input pixels per element of its coarsest level."""
        return 2

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        return self.cell_reach + 1

    @property
    def cell_reach(self) -> int:
        return 2 * LAYERS

    def features(self, y: Tensor, c: Tensor) -> Tensor:
        """What the last convolution is given, (B, F, ceil(H / 2), ceil(W / 2))."""
        u = F.pixel_unshuffle(pad_to_even(y), 2)
        if self.cond_channels:
            u = torch.cat((u, resize_latent(c, LATENT_STRIDE // 2, (u.shape[-2], u.shape[-1]))), 1)
        out: Tensor = self.layers[:-1](u)
        return out

    def image(self, y: Tensor, h: Tensor) -> Tensor:
        return F.pixel_shuffle(self.layers[-1](h), 2)[..., : y.shape[-2], : y.shape[-1]]
