"""Building blocks shared by the restorers, and how their weights start.

    ResBlock(h) = h + conv(relu(conv(h)))
    RIRBlock(h) = h + conv(ResBlock^N(h))                 (paper section IV-E, after RCAN)

Convolutions start from He's normal distribution (variance scaling, as the authors do). The last
convolution of every residual branch is scaled down by :data:`BRANCH_SCALE`, so that a deep stack starts
as a near identity: with PyTorch's default start a plain deep net learns nothing for its first thousand
iterations.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BRANCH_SCALE = 0.1


def conv3x3(inputs: int, outputs: int, *, relu: bool = False, scale: float = 1.0, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with zero padding and a He start.

    Args:
        inputs: channels in.
        outputs: channels out.
        relu: whether a ReLU follows (doubles the variance of the start, to keep the signal's).
        scale: factor on the initial weights; below 1 at the end of a residual branch.
        stride: 1 or 2.
    """
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu" if relu else "linear")
    conv.weight.data.mul_(scale)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class ResBlock(nn.Module):
    """h + conv(relu(conv(h))), the residual block of EDSR. (B, F, H, W) -> the same; reach 2 pixels."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(filters, filters, relu=True)
        self.conv2 = conv3x3(filters, filters, scale=BRANCH_SCALE)

    def forward(self, h: Tensor) -> Tensor:
        # In place: nothing else needs what a convolution gives, nor does its gradient; new tensors cost time.
        out: Tensor = self.conv2(torch.relu_(self.conv1(h)))
        return out.add_(h)


class RIRBlock(nn.Module):
    """Residual in residual: N ResBlocks and one convolution, skipped. Reach 2 N + 1 pixels."""

    def __init__(self, filters: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResBlock(filters) for _ in range(blocks)))
        self.conv = conv3x3(filters, filters, scale=BRANCH_SCALE)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.conv(self.blocks(h))
        return out.add_(h)
