"""Convolutions of arrays (N, H, W, C), float32, by ``winograd.cpp``.

Channels are counted in eights: a convolution takes and gives a multiple of eight, the missing ones are zeros.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.native import NotCompiled, library

Array = npt.NDArray[np.float32]
EIGHT = 8


def eights(channels: int) -> int:
    """Channels that so many are completed to."""
    return -(-channels // EIGHT) * EIGHT


class Conv3x3:
    """A 3x3 convolution with zero padding, and perhaps a ReLU.

    Args:
        weight: (O, C, 3, 3).
        bias: (O,).

    Raises:
        NotCompiled: there is no compiler.
    """

    def __init__(self, weight: Array, bias: Array) -> None:
        o, c = eights(weight.shape[0]), eights(weight.shape[1])
        taps = np.zeros((3, 3, c, o), np.float32)
        taps[:, :, : weight.shape[1], : weight.shape[0]] = weight.transpose(2, 3, 1, 0)
        self._panels = np.empty(panels_of(c, o), np.float32)
        self._bias, self._channels = _completed(bias, o), c
        call("pack", taps, 0, self._panels, c, o, threads=1)

    def __call__(
        self,
        x: Array,
        threads: int,
        *,
        skip: Array | None = None,
        relu: bool = False,
        halved: bool = False,
        out: Array | None = None,
    ) -> Array:
        """relu?(conv(x) + skip): (N, H, W, C) -> (N, H, W, O).

        Args:
            x: contiguous.
            threads: that work on it.
            skip: of the result's size.
            relu: whether negative results become 0.
            halved: give the largest of each 2x2 after a ReLU, (N, ceil(H / 2), ceil(W / 2), O), and take no skip.
            out: where the result goes; it may be ``skip``, not ``x``.

        Raises:
            ValueError: an array has another size or layout.
        """
        (n, h, w, c), o = x.shape, len(self._bias)
        size = (n, -(-h // 2), -(-w // 2), o) if halved else (n, h, w, o)
        if out is None:
            out = np.empty(size, np.float32)
        _demand(x, (n, h, w, self._channels))
        for given in (out, skip):
            if given is not None:
                _demand(given, size)
        sizes = (n, h, w, c, o, int(relu), int(halved))
        call("convolve", x, None, self._panels, self._bias, skip, out, *sizes, threads=threads)
        return out


def add_residual(h: Array, first: Conv3x3, second: Conv3x3, threads: int) -> None:
    """h += second(relu(first(h))), in place: as by two calls, to the last bit, but little of what is between is kept.

    Args:
        h: (N, H, W, C), contiguous.
        first: C channels to as many.
        second: likewise.
        threads: that work on it.

    Raises:
        MemoryError: there is not enough; h is then neither what it was nor the result.
        ValueError: an array has another size or layout.
    """
    for conv in (first, second):
        _demand(h, (*h.shape[:3], conv._channels))
        _demand(conv._bias, h.shape[3:])
    call("residual", h, first._panels, first._bias, second._panels, second._bias, *h.shape, threads=threads)


class Patches:
    """A convolution of side x side with that stride; of side 1, a product at every place.

    Args:
        weight: (O, C, side, side).
        bias: (O,).
    """

    def __init__(self, weight: Array, bias: Array) -> None:
        o, (c, self._side) = eights(weight.shape[0]), weight.shape[1:3]
        panel = call("panel")
        panels = -(-o // panel)
        taps = np.zeros((self._side, self._side, eights(c), panels * panel), np.float32)
        taps[:, :, :c, : weight.shape[0]] = weight.transpose(2, 3, 1, 0)
        self._panels = np.ascontiguousarray(taps.reshape(-1, panels, panel).transpose(1, 0, 2))
        self._bias, self._channels = _completed(bias, o), eights(c)

    def __call__(self, x: Array, threads: int) -> Array:
        """(N, H, W, C) -> (N, H / side, W / side, O); x is contiguous.

        Raises:
            ValueError: x has another size or layout.
        """
        (n, h, w, c), o, side = x.shape, len(self._bias), self._side
        _demand(x, (n, h // side * side, w // side * side, self._channels))
        y = np.empty((n, h // side, w // side, o), np.float32)
        call("patches", x, self._panels, self._bias, y, n, h, w, c, o, side, threads=threads)
        return y


def check() -> None:
    """Check that there are kernels and that they compute what they should.

    Raises:
        NotCompiled: there are none, or a compiler made them wrong.
    """
    try:
        is_right = _are_right(library("winograd"))
    except AttributeError:  # it has not all functions
        is_right = False
    if not is_right:
        raise NotCompiled("what the C++ compiler made computes something else; install another one.")


@cache
def _are_right(_: ctypes.CDLL) -> bool:
    # Spread like random numbers, without the import of NumPy's.
    x, weight, bias = (
        (np.arange(np.prod(shape)) * 0.618034 % 1 - 0.5).astype(np.float32).reshape(shape)
        for shape in ((1, 9, 10, 8), (16, 8, 3, 3), (16,))
    )
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2))
    wanted = np.einsum("nhwcij,ocij->nhwo", places, weight) + bias
    patches = np.einsum("nhwc,oc->nhwo", x, weight[..., 0, 0]) + bias
    found = Conv3x3(weight, bias)(x, 2), Patches(weight[..., :1, :1], bias)(x, 1)
    if not all(np.abs(f - w).max() < 1e-4 for f, w in zip(found, (wanted, patches), strict=True)):
        return False
    first, second = Conv3x3(weight[:8], bias[:8]), Conv3x3(weight[8:], bias[8:])
    both, h = second(first(x, 1, relu=True), 1, skip=x), x.copy()
    add_residual(h, first, second, 2)
    return bool(np.abs(h - both).max() < 1e-4)


def _demand(x: Array, size: tuple[int, ...]) -> None:
    # The kernels would read or write what lies beside it.
    if x.shape != size or x.dtype != np.float32 or not x.flags.c_contiguous:
        raise ValueError(f"{x.dtype} {x.shape} is no contiguous float32 {size}")


def _completed(bias: Array, channels: int) -> Array:
    completed = np.zeros(channels, np.float32)
    completed[: len(bias)] = bias
    return completed


def panels_of(c: int, o: int) -> tuple[int, int, int, int]:
    """The size of the transformed weights of so many channels."""
    panel = call("panel")
    return -(-o // panel), 36, c, panel


def call(name: str, *arguments: Array | ctypes.c_void_p | int | None, threads: int | None = None) -> Any:
    """Call a function of ``winograd.cpp``: arrays and addresses, numbers as C longs, then the number of threads.

    Raises:
        MemoryError: there is not enough.
    """
    given = [
        ctypes.c_long(a) if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a
        for a in arguments
    ]
    function = getattr(library("winograd"), f"winograd_{name}")
    if threads is None:
        return function(*given)
    if function(*given, ctypes.c_int(threads)):
        raise MemoryError
    return None
