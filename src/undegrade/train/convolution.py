"""Which code computes a model's 3x3 convolutions while it learns.

Torch's own is always there; what else there is depends on CPU and compiler, and is taken where it is quicker and gives
the same gradients. Networks and weights stay what they are: only how their modules compute changes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.autoencoder import Decoder, Encoder, Estimator
from undegrade.model.blocks import ResBlock
from undegrade.model.posterior import Posterior

Fused = Callable[[nn.Conv2d, Tensor], Tensor]
"""A convolution and the ReLU behind it."""


class Kernels(Protocol):
    """What computes convolutions in place of torch."""

    name: str
    dtype: torch.dtype

    def takes(self, conv: nn.Conv2d) -> bool: ...
    def conv(self, conv: nn.Conv2d, x: Tensor, relu: bool = False) -> Tensor: ...
    def block(self, conv1: nn.Conv2d, conv2: nn.Conv2d, h: Tensor) -> Tensor: ...


def install(model: nn.Module, kernels: Kernels | None) -> None:
    """Let the model's convolutions and residual blocks be computed by ``kernels`` from now on, or by torch again."""
    for module in model.modules():
        module.__dict__.pop("forward", None)
        if kernels is not None and (forward := _stand_in(kernels, module)) is not None:
            module.forward = forward


def _stand_in(kernels: Kernels, module: nn.Module) -> Callable[..., Any] | None:
    if isinstance(module, nn.Conv2d):
        return partial(kernels.conv, module) if kernels.takes(module) else None
    convolutions = [child for child in module.children() if isinstance(child, nn.Conv2d)]
    if not all(map(kernels.takes, convolutions)):
        return None
    if isinstance(module, ResBlock):
        return partial(kernels.block, module.conv1, module.conv2)
    relu = partial(kernels.conv, relu=True)
    if isinstance(module, Encoder):
        return partial(_encode, relu, module)
    if isinstance(module, Decoder):
        return partial(_decode, relu, module)
    return partial(_estimate, relu, module) if isinstance(module, Estimator) else None


# Encoder, decoder and estimator of undegrade.model.autoencoder, each ReLU together with the convolution before it.


def _encode(relu: Fused, e: Encoder, y: Tensor) -> Posterior:
    h = relu(e.conv1, y)
    h = relu(e.conv3, relu(e.conv2, F.max_pool2d(h, 2, ceil_mode=True)))
    h = relu(e.conv5, relu(e.conv4, F.max_pool2d(h, 2, ceil_mode=True)))
    return Posterior(e.mean(h), e.logvar(h))


def _decode(relu: Fused, d: Decoder, c: Tensor) -> Tensor:
    h = relu(d.conv3, relu(d.conv2, relu(d.conv1, c)))
    h = relu(d.conv5, relu(d.conv4, F.interpolate(h, scale_factor=2.0, mode="nearest")))
    out: Tensor = d.conv6(F.interpolate(h, scale_factor=2.0, mode="nearest"))
    return out


def _estimate(relu: Fused, e: Estimator, c: Tensor) -> Tensor:
    out: Tensor = e.conv2(relu(e.conv1, c))
    return out
