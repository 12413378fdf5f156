"""Which code computes a model's 3x3 convolutions while it learns.

Torch's own is always there; what else there is depends on CPU and compiler, and is taken where it is quicker and gives
the same gradients. Networks and weights stay what they are: only how their modules compute changes.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.autoencoder import Decoder, Encoder, Estimator, _halve
from undegrade.model.blocks import ResBlock
from undegrade.model.posterior import Posterior
from undegrade.train.amx import Amx
from undegrade.train.native import NotCompiled


class Kernels(Protocol):
    """What computes convolutions in place of torch."""

    name: str
    dtype: torch.dtype

    def takes(self, conv: nn.Conv2d) -> bool: ...
    def conv(self, conv: nn.Conv2d, x: Tensor, relu: bool = False) -> Tensor: ...
    def block(self, conv1: nn.Conv2d, conv2: nn.Conv2d, h: Tensor) -> Tensor: ...


def install(model: nn.Module, kernels: Kernels) -> None:
    """Let the model's convolutions and residual blocks be computed by ``kernels`` from now on."""
    for module in model.modules():
        for kind, stand_in in ((Encoder, _Encoder), (Decoder, _Decoder), (Estimator, _Estimator)):
            if isinstance(module, kind) and all(kernels.takes(c) for c in module.children()):
                module.forward = stand_in(kernels, module)  # type: ignore[method-assign,arg-type,assignment]
        if isinstance(module, ResBlock) and kernels.takes(module.conv1) and kernels.takes(module.conv2):
            module.forward = _Block(kernels, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.Conv2d) and kernels.takes(module):
            module.forward = _Conv(kernels, module)  # type: ignore[method-assign,assignment]


class _Block:
    def __init__(self, kernels: Kernels, block: ResBlock) -> None:
        self.kernels, self.convs = kernels, (block.conv1, block.conv2)

    def __call__(self, h: Tensor) -> Tensor:
        return self.kernels.block(*self.convs, h)


class _Conv:
    def __init__(self, kernels: Kernels, conv: nn.Conv2d) -> None:
        self.kernels, self.conv = kernels, conv

    def __call__(self, x: Tensor) -> Tensor:
        return self.kernels.conv(self.conv, x)


class _Encoder:
    """:class:`undegrade.model.autoencoder.Encoder`, each ReLU together with the convolution before it."""

    def __init__(self, kernels: Kernels, encoder: Encoder) -> None:
        self.kernels, self.encoder = kernels, encoder

    def __call__(self, y: Tensor) -> Posterior:
        e, relu = self.encoder, partial(self.kernels.conv, relu=True)
        h = _halve(relu(e.conv1, y))
        h = _halve(relu(e.conv3, relu(e.conv2, h)))
        h = relu(e.conv5, relu(e.conv4, h))
        return Posterior(e.mean(h), e.logvar(h))


class _Decoder:
    """:class:`undegrade.model.autoencoder.Decoder` likewise."""

    def __init__(self, kernels: Kernels, decoder: Decoder) -> None:
        self.kernels, self.decoder = kernels, decoder

    def __call__(self, c: Tensor) -> Tensor:
        d, relu = self.decoder, partial(self.kernels.conv, relu=True)
        h = relu(d.conv3, relu(d.conv2, relu(d.conv1, c)))
        h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        h = relu(d.conv5, relu(d.conv4, h))
        out: Tensor = d.conv6(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return out


class _Estimator:
    """:class:`undegrade.model.autoencoder.Estimator` likewise."""

    def __init__(self, kernels: Kernels, estimator: Estimator) -> None:
        self.kernels, self.estimator = kernels, estimator

    def __call__(self, c: Tensor) -> Tensor:
        out: Tensor = self.estimator.conv2(self.kernels.conv(self.estimator.conv1, c, relu=True))
        return out
