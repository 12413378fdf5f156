"""3x3 convolutions and residual blocks by Winograd's F(4x4, 3x3), forward and backward, in float32: a quarter of the
multiplications.

    y = relu?(conv(x) + b)          block(h) = h + conv2(relu(conv1(h) + b1)) + b2

The transforms are in ``native/winograd.cpp``, the products between them are torch's. Sides have to be multiples of 4
and channels of 8; others are left to torch.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from undegrade.train.native import library

_G = torch.tensor(
    [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6],
     [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]],
    dtype=torch.float64,
)  # fmt: skip
_GG = torch.kron(_G, _G).float()
"""The weights' transform, (36, 9)."""


class Winograd:
    """The compiled transforms.

    Raises:
        NotCompiled: there is no compiler.
    """

    name = "winograd"
    dtype = torch.float32

    def __init__(self) -> None:
        self._library = library("winograd")

    def takes(self, conv: nn.Conv2d) -> bool:
        """Whether :meth:`conv` can stand in for a convolution."""
        return (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode) == (
            (3, 3),
            (1, 1),
            (1, 1),
            (1, 1),
            1,
            "zeros",
        ) and conv.bias is not None

    def conv(self, conv: nn.Conv2d, x: Tensor, relu: bool = False) -> Tensor:
        """``conv`` and perhaps a ReLU: (B, C, H, W) -> (B, O, H, W), float32."""
        if not _fits(conv, x):
            y = F.conv2d(x, conv.weight, conv.bias, padding=1)
            return torch.relu_(y) if relu else y
        done: Tensor = _Conv.apply(self, x, conv.weight, conv.bias, None, relu)  # type: ignore[no-untyped-call]
        return done

    def conv_relu_pool(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        """``conv``, a ReLU and the largest of each 2x2: (B, C, H, W) -> (B, O, ceil(H / 2), ceil(W / 2))."""
        return F.max_pool2d(self.conv(conv, x, relu=True), 2, ceil_mode=True)

    def double(self, x: Tensor) -> Tensor:
        """Every pixel four times: (B, C, H, W) -> (B, C, 2 H, 2 W)."""
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def block(self, conv1: nn.Conv2d, conv2: nn.Conv2d, h: Tensor) -> Tensor:
        """h + conv2(relu(conv1(h))), float32."""
        inner = self.conv(conv1, h, relu=True)
        if not _fits(conv2, inner):
            return self.conv(conv2, inner).add_(h)
        y: Tensor = _Conv.apply(self, inner, conv2.weight, conv2.bias, h, False)  # type: ignore[no-untyped-call]
        return y

    def run(self, name: str, *arguments: Tensor | int | None) -> None:
        """Call a transform; tensors by address, the rest as C longs, then the number of threads."""
        given = [
            ctypes.c_long(a) if isinstance(a, int) else ctypes.c_void_p(None if a is None else a.data_ptr())
            for a in arguments
        ]
        getattr(self._library, f"winograd_{name}")(*given, ctypes.c_int(torch.get_num_threads()))


def _fits(conv: nn.Conv2d, x: Tensor) -> bool:
    return conv.in_channels % 8 == conv.out_channels % 8 == x.shape[-2] % 4 == x.shape[-1] % 4 == 0


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Winograd, x: Tensor, weight: Tensor, bias: Tensor, skip: Tensor | None, relu: bool
    ) -> Tensor:
        n, c, h, w = x.shape
        o, tiles = weight.shape[0], n * (h // 4) * (w // 4)
        x = _ours(x)
        inputs = x.new_empty(36, tiles, c)
        kernels.run("input", x, inputs, n, h, w, c)
        weights = torch.mm(_GG, weight.permute(2, 3, 1, 0).reshape(9, c * o)).view(36, c, o)
        y = torch.empty((n, o, h, w), memory_format=torch.channels_last)
        given = None if skip is None else _ours(skip)
        kernels.run("output", torch.bmm(inputs, weights), bias, given, y, n, h, w, o, int(relu))
        ctx.save_for_backward(inputs, weights, *([y] if relu else []))
        ctx.kernels, ctx.size, ctx.skipped = kernels, (n, h, w, c, o), skip is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weights, *y = ctx.saved_tensors
        n, h, w, c, o = ctx.size
        g = _ours(g)
        outputs, db = g.new_empty(36, inputs.shape[1], o), g.new_empty(n, o)
        ctx.kernels.run("gradient", g, y[0] if y else None, outputs, db, n, h, w, o)
        dx = dw = None
        if ctx.needs_input_grad[2]:
            dw = torch.mm(_GG.T, torch.bmm(inputs.mT, outputs).view(36, c * o)).view(3, 3, c, o).permute(3, 2, 0, 1)
        if ctx.needs_input_grad[1]:
            dx = torch.empty((n, c, h, w), memory_format=torch.channels_last)
            ctx.kernels.run("input_gradient", torch.bmm(outputs, weights.mT), dx, n, h, w, c)
        return None, dx, dw, db.sum(0), g if ctx.skipped else None, None


def _ours(x: Tensor) -> Tensor:
    """float32, (B, H, W, C) in memory."""
    return x.detach().float().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
