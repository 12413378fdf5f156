"""3x3 convolutions and residual blocks in bfloat16 on AMX tiles, each with what follows it in one pass.

    y = relu?(conv(x) + b)          block(h) = h + conv2(relu(conv1(h) + b1)) + b2

The passes are in ``native/amx.cpp``; sums are float32, what lies between layers is bfloat16 and channels_last.
Gradients of the weights are float32.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from undegrade.native import NotCompiled, library
from undegrade.train.convolution import address
from undegrade.train.cpu import lacks_bfloat16_tiles

MAX_CHANNELS = 1024


class Amx:
    """The compiled passes.

    Raises:
        NotCompiled: there is no compiler, or the CPU has no such tiles.
    """

    name = "amx"
    dtype = torch.bfloat16

    def __init__(self) -> None:
        absent = NotCompiled("this CPU has no bfloat16 tiles (AMX).")
        if lacks_bfloat16_tiles():  # a compiler for this CPU would only say so in its own words
            raise absent
        self._library = library("amx")
        if self._library.amx_ready() != 0:
            raise absent
        self._library.amx_packed_size.restype = ctypes.c_long

    def takes(self, conv: nn.Conv2d) -> bool:
        """Whether the passes can stand in for a convolution."""
        return (
            (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
            == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros")
            and conv.bias is not None
            and max(conv.in_channels, conv.out_channels) <= MAX_CHANNELS
        )

    def conv(self, conv: nn.Conv2d, x: Tensor, relu: bool = False) -> Tensor:
        """``conv`` and perhaps a ReLU: (B, C, H, W) -> (B, O, H, W), bfloat16."""
        y: Tensor = _Conv.apply(self, x, conv.weight, conv.bias, relu, False)  # type: ignore[no-untyped-call]
        return y

    def conv_relu_pool(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        """``conv``, a ReLU and the largest of each 2x2: (B, C, H, W) -> (B, O, ceil(H / 2), ceil(W / 2)), bfloat16."""
        y: Tensor = _Conv.apply(self, x, conv.weight, conv.bias, True, True)  # type: ignore[no-untyped-call]
        return y

    def double(self, x: Tensor) -> Tensor:
        """Every pixel four times: (B, C, H, W) -> (B, C, 2 H, 2 W), bfloat16."""
        y: Tensor = _Double.apply(self, x)  # type: ignore[no-untyped-call]
        return y

    def block(self, conv1: nn.Conv2d, conv2: nn.Conv2d, h: Tensor) -> Tensor:
        """h + conv2(relu(conv1(h))), bfloat16."""
        y: Tensor = _Block.apply(self, h, conv1.weight, conv1.bias, conv2.weight, conv2.bias)  # type: ignore[no-untyped-call]
        return y

    def packed(self, weight: Tensor, backward: bool = False) -> Tensor:
        """Weights (O, C, 3, 3), float32, in bfloat16 and in the order in which the passes read them."""
        outputs, inputs = weight.shape[:2]
        size = (outputs, inputs) if backward else (inputs, outputs)
        to = torch.empty(self._library.amx_packed_size(*map(ctypes.c_long, size)), dtype=torch.bfloat16)
        strides = (ctypes.c_long * 4)(*weight.stride())
        self._library.amx_pack(
            address(weight), strides, address(to), ctypes.c_long(inputs), ctypes.c_long(outputs), int(backward)
        )
        return to

    def convolve(
        self,
        x: Tensor,
        packed: Tensor,
        outputs: int,
        bias: Tensor | None = None,
        skip: Tensor | None = None,
        mask: Tensor | None = None,
        relu: bool = False,
    ) -> Tensor:
        """relu?(x * w + bias + skip), 0 where ``mask`` is not positive."""
        b, c, h, w = x.shape
        y = _empty(b, outputs, h, w)
        sizes = map(ctypes.c_long, (b, h, w, c, outputs))
        tensors = map(address, (x, packed, bias, skip, mask, y))
        wrong = self._library.amx_convolve(*tensors, *sizes, int(relu), torch.get_num_threads())
        assert not wrong
        return y

    def weights(self, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients of weights (O, C, 3, 3), channels_last, and bias (O,), float32."""
        b, c, h, w = x.shape
        dw = torch.empty((g.shape[1], c, 3, 3), memory_format=torch.channels_last)
        db = torch.empty(g.shape[1])
        sizes = map(ctypes.c_long, (b, h, w, c, g.shape[1]))
        self._library.amx_weights(address(x), address(g), address(dw), address(db), *sizes, torch.get_num_threads())
        return dw, db

    def run(self, name: str, size: tuple[int, int, int, int], *tensors: Tensor) -> None:
        """Call a pass over tensors, given its N, C, H and W."""
        n, c, h, w = size
        sizes = map(ctypes.c_long, (n, h, w, c))
        getattr(self._library, f"amx_{name}")(*map(address, tensors), *sizes, torch.get_num_threads())

    def masked(self, g: Tensor, y: Tensor) -> Tensor:
        """g where y, which a ReLU gave, is not zero."""
        to = torch.empty_like(g)
        self._library.amx_mask(address(g), address(y), address(to), ctypes.c_long(g.numel()), torch.get_num_threads())
        return to


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, amx: Amx, x: Tensor, weight: Tensor, bias: Tensor, relu: bool, pool: bool) -> Tensor:
        ctx.amx, ctx.dtype = amx, x.dtype
        x = _ours(x)
        y = amx.convolve(x, amx.packed(weight), weight.shape[0], bias, relu=relu)
        if not pool:
            ctx.save_for_backward(x, weight, *([y] if relu else []))
            return y
        n, o, h, w = y.shape
        pooled = _empty(n, o, (h + 1) // 2, (w + 1) // 2)
        amx.run("pool", (n, o, h, w), y, pooled)
        ctx.save_for_backward(x, weight, y, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *y = ctx.saved_tensors
        g = _ours(g)
        if len(y) == 2:
            given, g = g, torch.empty_like(y[0])
            ctx.amx.run("unpool", tuple(g.shape), given, *y, g)
        elif y:
            g = ctx.amx.masked(g, y[0])
        dx = dw = db = None
        if ctx.needs_input_grad[1]:
            dx = ctx.amx.convolve(g, ctx.amx.packed(weight, backward=True), x.shape[1]).to(ctx.dtype)
        if ctx.needs_input_grad[2]:
            dw, db = ctx.amx.weights(x, g)
        return None, dx, dw, db, None, None


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, amx: Amx, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        ctx.amx, ctx.dtype = amx, x.dtype
        y = _empty(n, c, 2 * h, 2 * w)
        amx.run("double", (n, c, h, w), _ours(x), y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        n, c, h, w = g.shape
        to = _empty(n, c, h // 2, w // 2)
        ctx.amx.run("halve", (n, c, h // 2, w // 2), _ours(g), to)
        return None, to.to(ctx.dtype)


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, amx: Amx, h: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        ctx.amx, ctx.dtype = amx, h.dtype
        h = _ours(h)
        a = amx.convolve(h, amx.packed(w1), w1.shape[0], b1, relu=True)
        ctx.save_for_backward(h, a, w1, w2)
        return amx.convolve(a, amx.packed(w2), w2.shape[0], b2, skip=h)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        h, a, w1, w2 = ctx.saved_tensors
        amx, g = ctx.amx, _ours(g)
        inner = amx.convolve(g, amx.packed(w2, backward=True), w2.shape[1], mask=a)
        dh = amx.convolve(inner, amx.packed(w1, backward=True), w1.shape[1], skip=g)
        return None, dh.to(ctx.dtype), *amx.weights(h, inner), *amx.weights(a, g)


def _ours(x: Tensor) -> Tensor:
    """bfloat16, (B, H, W, C) in memory, whatever sizes of 1 make torch believe of strides."""
    return x.detach().to(torch.bfloat16).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _empty(n: int, c: int, h: int, w: int) -> Tensor:
    return torch.empty((n, c, h, w), dtype=torch.bfloat16, memory_format=torch.channels_last)
