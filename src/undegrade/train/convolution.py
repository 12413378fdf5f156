"""Which code computes a model's 3x3 convolutions while it learns.

Torch's own is always there; what else there is depends on CPU and compiler, and is taken where it is quicker and gives
the same gradients. Networks and weights stay what they are: only how their modules compute changes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from undegrade.model.autoencoder import Decoder, Encoder, Estimator
from undegrade.model.blocks import ResBlock
from undegrade.model.posterior import Posterior


class Kernels(Protocol):
    """What computes convolutions in place of torch."""

    name: str
    dtype: torch.dtype

    def takes(self, conv: nn.Conv2d) -> bool: ...
    def conv(self, conv: nn.Conv2d, x: Tensor, relu: bool = False) -> Tensor: ...
    def conv_relu_pool(self, conv: nn.Conv2d, x: Tensor) -> Tensor: ...
    def double(self, x: Tensor) -> Tensor: ...
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
    for kind, forward in ((Encoder, _encode), (Decoder, _decode), (Estimator, _estimate)):
        if isinstance(module, kind):
            return partial(forward, kernels, module)
    return None


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor's elements are, for a compiled function."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


# Encoder, decoder and estimator of undegrade.model.autoencoder, each ReLU together with the convolution before it.


def _encode(k: Kernels, e: Any, y: Tensor) -> Posterior:
    h = k.conv_relu_pool(e.conv1, y)
    h = k.conv_relu_pool(e.conv3, k.conv(e.conv2, h, relu=True))
    h = k.conv(e.conv5, k.conv(e.conv4, h, relu=True), relu=True)
    return Posterior(e.mean(h), e.logvar(h))


def _decode(k: Kernels, d: Any, c: Tensor) -> Tensor:
    h = k.conv(d.conv2, k.conv(d.conv1, c, relu=True), relu=True)
    h = k.double(k.conv(d.conv3, h, relu=True))
    h = k.conv(d.conv5, k.conv(d.conv4, h, relu=True), relu=True)
    out: Tensor = d.conv6(k.double(h))
    return out


def _estimate(k: Kernels, e: Any, c: Tensor) -> Tensor:
    out: Tensor = e.bound(e.conv2(k.conv(e.conv1, c, relu=True)))
    return out
