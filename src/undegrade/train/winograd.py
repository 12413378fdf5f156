"""3x3 convolutions and residual blocks by Winograd's F(4x4, 3x3), forward and backward, in float32: a quarter of the
multiplications.

    y = relu?(conv(x) + b)          block(h) = h + conv2(relu(conv1(h) + b1)) + b2

The arithmetic is in ``native/winograd.cpp``. Sides have to be multiples of 4 and input channels of 8; others are left
to torch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from undegrade.native.convolution import call, check, panels_of
from undegrade.train.convolution import address


class Winograd:
    """The compiled arithmetic.

    Raises:
        NotCompiled: there is no compiler, or what it made computes something else.
    """

    name = "winograd"
    dtype = torch.float32

    def __init__(self) -> None:
        check()

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
        weight, bias, more = conv.weight, conv.bias, -conv.out_channels % 8
        if more and bias is not None:  # takes()
            weight, bias = F.pad(weight, (0, 0) * 3 + (0, more)), F.pad(bias, (0, more))
        done: Tensor = _Conv.apply(self, x, weight, bias, relu)  # type: ignore[no-untyped-call]
        return done[:, : conv.out_channels] if more else done

    def conv_relu_pool(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        """``conv``, a ReLU and the largest of each 2x2: (B, C, H, W) -> (B, O, ceil(H / 2), ceil(W / 2))."""
        return F.max_pool2d(self.conv(conv, x, relu=True), 2, ceil_mode=True)

    def double(self, x: Tensor) -> Tensor:
        """Every pixel four times: (B, C, H, W) -> (B, C, 2 H, 2 W)."""
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def block(self, conv1: nn.Conv2d, conv2: nn.Conv2d, h: Tensor) -> Tensor:
        """h + conv2(relu(conv1(h))), float32."""
        if conv1.in_channels % 8 or conv1.out_channels % 8 or not _fits(conv1, h):
            return self.conv(conv2, self.conv(conv1, h, relu=True)) + h
        given = (conv1.weight, conv1.bias, conv2.weight, conv2.bias)
        y: Tensor = _Block.apply(self, h, *given)  # type: ignore[no-untyped-call]
        return y

    def convolve(
        self,
        x: Tensor,
        mask: Tensor | None,
        weight: Tensor,
        bias: Tensor | None = None,
        skip: Tensor | None = None,
        relu: bool = False,
        turned: bool = False,
    ) -> Tensor:
        """relu?(conv(x) + bias + skip), x taken for zero where the mask is not positive.

        All are (B, H, W, C) in memory.

        Args:
            x: what is convolved.
            mask: like x.
            weight: (O, C, 3, 3); turned: (C, O, 3, 3), the weight whose gradient is passed back.
        """
        (n, c, h, w), o = x.shape, weight.shape[int(turned)]
        taps = weight.permute(2, 3, 0, 1) if turned else weight.permute(2, 3, 1, 0)
        taps, panels = taps.contiguous(), x.new_empty(panels_of(c, o))
        y = torch.empty((n, o, h, w), memory_format=torch.channels_last)
        threads = torch.get_num_threads()
        call("pack", address(taps), int(turned), address(panels), c, o, threads=threads)
        given = map(address, (x, mask, panels, bias, skip, y))
        call("convolve", *given, n, h, w, c, o, int(relu), 0, threads=threads)
        return y

    def weights(self, x: Tensor, g: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gradients of a convolution's weight and bias, from that of its output, zero where the mask is not
        positive."""
        (n, c, h, w), o = x.shape, g.shape[1]
        dw, db = x.new_empty(3, 3, c, o), x.new_empty(o)
        call("weights", *map(address, (x, g, mask, dw, db)), n, h, w, c, o, threads=torch.get_num_threads())
        return dw.permute(3, 2, 0, 1), db


def _fits(conv: nn.Conv2d, x: Tensor) -> bool:
    return conv.in_channels % 8 == x.shape[-2] % 4 == x.shape[-1] % 4 == 0


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Winograd, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        x = _ours(x)
        y = kernels.convolve(x, None, weight, bias, relu=relu)
        ctx.save_for_backward(x, weight, *([y] if relu else []))
        ctx.kernels = kernels
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *y = ctx.saved_tensors
        g, mask = _ours(g), y[0] if y else None
        dx = dw = db = None
        if ctx.needs_input_grad[2]:
            dw, db = ctx.kernels.weights(x, g, mask)
        if ctx.needs_input_grad[1]:
            dx = ctx.kernels.convolve(g, mask, weight, turned=True)
        return None, dx, dw, db, None


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Winograd, h: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        h = _ours(h)
        inner = kernels.convolve(h, None, w1, b1, relu=True)
        ctx.save_for_backward(h, inner, w1, w2)
        ctx.kernels = kernels
        return kernels.convolve(inner, None, w2, b2, skip=h)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        h, inner, w1, w2 = ctx.saved_tensors
        kernels, g = ctx.kernels, _ours(g)
        dh = dw1 = db1 = dw2 = db2 = None
        if ctx.needs_input_grad[4]:
            dw2, db2 = kernels.weights(inner, g, None)
        between = kernels.convolve(g, None, w2, turned=True)
        if ctx.needs_input_grad[2]:
            dw1, db1 = kernels.weights(h, between, inner)
        if ctx.needs_input_grad[1]:
            dh = kernels.convolve(between, inner, w1, skip=g, turned=True)
        return None, dh, dw1, db1, dw2, db2


def _ours(x: Tensor) -> Tensor:
    """float32, (B, H, W, C) in memory."""
    return x.detach().float().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
