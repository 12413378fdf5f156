"""Encoder, restorer, estimator and scale head on arrays, computed by compiled kernels.

The modules of ``undegrade.model`` say what is computed; here are the same operations on arrays (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.part import Part
from undegrade.native.convolution import Array, Conv3x3, Patches, add_residual, eights

Tensors = Mapping[str, npt.NDArray[Any]]
SHUFFLE, JOIN = 2, 2
"""r of the fast restorer, J of the wide one."""
BEYOND = 0.05
"""Of :class:`undegrade.model.autoencoder.Estimator`."""
LEAST = 0.05 / 255
"""Of :mod:`undegrade.model.scale_head`."""


def has_form(a: Architecture) -> bool:
    """Whether there is a compiled form of an architecture."""
    return a.restorer in _FORMS and a.conditioning is Conditioning.LATENT


class Compiled:
    """A model's networks with its weights.

    Args:
        a: an architecture that has a form.
        tensors: the weights by name, which fit it.
        threads: that convolve.

    Raises:
        NotCompiled: there is no compiler.
    """

    def __init__(self, a: Architecture, tensors: Tensors, threads: int) -> None:
        self._a = a
        heads = {
            f"encoder.heads.{kind}": np.concatenate([tensors[f"encoder.{name}.{kind}"] for name in ("mean", "logvar")])
            for kind in ("weight", "bias")
        }
        self._layers = Layers({**tensors, **heads}, threads)
        self._form = _FORMS[a.restorer]

    def encode(self, y: Array) -> tuple[Array, Array]:
        """(N, C, H, W) -> mu and log sigma^2 of q(c|y), (N, 4, ceil(H / 4), ceil(W / 4))."""
        layers = self._layers
        x = _completed(y)
        # What is no longer needed goes before the next layer: the first ones' results are the largest there are.
        x = layers.conv("encoder.conv1", x, halved=True)
        x = layers.conv("encoder.conv2", x, relu=True)
        x = layers.conv("encoder.conv3", x, halved=True)
        x = layers.conv("encoder.conv4", x, relu=True)
        x = layers.conv("encoder.conv5", x, relu=True)
        found = layers.conv("encoder.heads", x).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(found[:, :4]), np.ascontiguousarray(found[:, 4:])

    def estimate(self, c: Array) -> Array:
        """EST(c): (N, 4, h, w) -> (N, P, h, w)."""
        given = self._layers.conv("estimator.conv1", _completed(c), relu=True)
        found = self._layers.conv("estimator.conv2", given).transpose(0, 3, 1, 2)[:, : self._a.params]
        if self._a.bounds is None:
            return np.ascontiguousarray(found)
        most = np.array(self._a.bounds, np.float32)[:, None, None]
        reaching = _sigmoid(found) * np.float32(1 + 2 * BEYOND) - np.float32(BEYOND)
        inside: Array = np.minimum((reaching * most).clip(min=0), most)
        return inside

    def features(self, y: Array, c: Array, part: Part | None) -> Array:
        """The restorer's last features of a part of y, or of all."""
        return self._form(self._layers, self._start(y, c), c, part)

    def image(self, y: Array, h: Array) -> Array:
        """xhat of y's features h."""
        scale, channels = self._a.scale, self._a.channels
        times = SHUFFLE * scale
        residual = _spread(self._layers.conv("restorer.tail", h), channels, times)
        large = y if scale == 1 else enlarged(y, scale)
        return large + residual[..., : large.shape[-2], : large.shape[-1]]

    def scale(self, h: Array, size: tuple[int, int]) -> Array:
        """b of features h, (N, 1, *size)."""
        log_b = self._layers.patches("scale.tail", self._layers.conv("scale.conv", h, relu=True))
        b: Array = np.float32(LEAST) + np.exp(_spread(log_b, 1, SHUFFLE * self._a.scale)[..., : size[0], : size[1]])
        return b

    def _start(self, y: Array, c: Array) -> Array:
        n, channels, height, width = y.shape
        if height % 2 or width % 2:
            y = np.pad(y, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), "edge")
        rows, columns, own = y.shape[2] // 2, y.shape[3] // 2, SHUFFLE**2 * channels
        u = np.zeros((n, rows, columns, eights(own + c.shape[1])), np.float32)
        apart = y.reshape(n, channels, rows, 2, columns, 2).transpose(0, 2, 4, 1, 3, 5)
        u[..., :own] = apart.reshape(n, rows, columns, own)
        near = _doubled(_doubled(c.transpose(0, 2, 3, 1), 1), 2)
        u[..., own : own + c.shape[1]] = near[:, :rows, :columns]
        return self._layers.conv("restorer.head", u)


class Layers:
    """A model's layers by name, each made at its first use."""

    def __init__(self, tensors: Tensors, threads: int) -> None:
        self._tensors, self._threads = tensors, threads
        self._made: dict[str, Any] = {}

    def conv(self, name: str, x: Array, **how: Any) -> Array:
        """A 3x3 convolution, see :class:`undegrade.native.convolution.Conv3x3`."""
        y: Array = self._layer(Conv3x3, name)(x, self._threads, **how)
        return y

    def patches(self, name: str, x: Array) -> Array:
        """A convolution whose stride is its side."""
        y: Array = self._layer(Patches, name)(x, self._threads)
        return y

    def blocks(self, name: str, h: Array, which: range) -> Array:
        """Residual blocks, whose result takes h's place."""
        for n in which:
            first, second = (self._layer(Conv3x3, f"{name}.{n}.conv{k}") for k in (1, 2))
            add_residual(h, first, second, self._threads)
        return h

    def count(self, name: str) -> int:
        """How many blocks there are."""
        return sum(key.startswith(f"{name}.") and key.endswith(".conv1.weight") for key in self._tensors)

    def has(self, name: str) -> bool:
        """Whether there is such a layer."""
        return f"{name}.weight" in self._tensors

    def _layer(self, kind: type, name: str) -> Any:
        if name not in self._made:
            self._made[name] = kind(self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])
        return self._made[name]


def _fast(layers: Layers, h: Array, c: Array, part: Part | None) -> Array:
    h = layers.blocks("restorer.blocks", h, range(layers.count("restorer.blocks")))
    return h if part is None else _part(part, h)


def _wide(layers: Layers, h: Array, c: Array, part: Part | None) -> Array:
    h = layers.blocks("restorer.blocks", h, range(JOIN))
    h = _level(layers, "restorer.level", h, c, part)
    return layers.blocks("restorer.blocks", h, range(JOIN, layers.count("restorer.blocks")))


_FORMS: Mapping[str, Callable[[Layers, Array, Array, Part | None], Array]] = {"fast": _fast, "wide": _wide}
"""By restorer: the last features from what the head gives."""


def _level(layers: Layers, name: str, h: Array, c: Array | None, part: Part | None = None) -> Array:
    """h and what a coarser level adds to it, of a part of the image."""
    rows, columns = h.shape[1:3]
    even = h
    if rows % 2 or columns % 2:
        even = np.pad(h, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)), "edge")
    q = layers.patches(f"{name}.down", even)
    if c is not None and layers.has(f"{name}.condition"):
        layers.conv(f"{name}.condition", _completed(c), skip=q, out=q)
    q = layers.blocks(f"{name}.before", q, range(layers.count(f"{name}.before")))
    if layers.has(f"{name}.level.down"):
        q = _level(layers, f"{name}.level", q, None)
    q = layers.blocks(f"{name}.after", q, range(layers.count(f"{name}.after")))
    n, low, wide, filters = q.shape
    finer = q.reshape(n, low, wide, filters // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    finer = finer.reshape(n, 2 * low, 2 * wide, filters // 4)[:, :rows, :columns]
    if part is not None:
        finer = _part(part, finer)
        del q
        h = _packed(part, h)
    return layers.conv(f"{name}.last", np.ascontiguousarray(finer), skip=h, out=h)


def _completed(x: Array) -> Array:
    """(N, C, H, W) -> (N, H, W, C completed by zeros)."""
    n, channels, height, width = x.shape
    completed = np.zeros((n, height, width, eights(channels)), np.float32)
    completed[..., :channels] = x.transpose(0, 2, 3, 1)
    return completed


def _sigmoid(x: Array) -> Array:
    # exp() of a positive number may be infinite.
    e = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, 1, e) / (1 + e)
    return y


def _doubled(c: Array, axis: int) -> Array:
    """Twice as large along an axis, bilinear: the factor 2 of :func:`undegrade.model.autoencoder.resize_latent`."""
    c = np.moveaxis(c, axis, 0)
    before, after = np.concatenate((c[:1], c[:-1])), np.concatenate((c[1:], c[-1:]))
    three = np.float32(0.75) * c
    both = np.stack((three + np.float32(0.25) * before, three + np.float32(0.25) * after), 1)
    return np.moveaxis(both.reshape(2 * len(c), *c.shape[1:]), 0, axis)


def _part(part: Part, h: Array) -> Array:
    """Of features at half of the resolution."""
    return np.ascontiguousarray(part.of(h.transpose(0, 3, 1, 2), 1, SHUFFLE).transpose(0, 2, 3, 1))


def _packed(part: Part, h: Array) -> Array:
    """The same, in the memory of h: a copy beside it would be the most that a window takes."""
    cut = part.of(h.transpose(0, 3, 1, 2), 1, SHUFFLE).transpose(0, 2, 3, 1)
    packed = h.reshape(-1)[: cut.size].reshape(cut.shape)
    for to, of in zip(packed, cut, strict=True):
        for row in range(len(of)):  # from the first on: none is written where a later one is still to be read
            to[row] = of[row]
    return packed


def _spread(x: Array, channels: int, times: int) -> Array:
    """A sub-pixel shuffle: (N, h, w, at least C times^2) -> (N, C, h times, w times)."""
    n, rows, columns = x.shape[:3]
    apart = x[..., : channels * times**2].reshape(n, rows, columns, channels, times, times)
    return apart.transpose(0, 3, 1, 4, 2, 5).reshape(n, channels, rows * times, columns * times)


def enlarged(y: Array, scale: int) -> Array:
    """:class:`undegrade.model.upsample.Enlarge` of (N, C, H, W)."""
    n, channels, height, width = y.shape
    padded = np.pad(y, ((0, 0), (0, 0), (1, 2), (1, 2)), "edge")
    weights = _keys(np.array([[tap - phase / scale for tap in (-1, 0, 1, 2)] for phase in range(scale)]))
    columns = np.empty((n, channels, height + 3, width, scale), np.float32)
    for phase, taps in enumerate(weights):
        columns[..., phase] = sum(w * padded[..., k : k + width] for k, w in enumerate(taps))
    columns = columns.reshape(n, channels, height + 3, width * scale)
    both = np.empty((n, channels, height, scale, width * scale), np.float32)
    for phase, taps in enumerate(weights):
        both[:, :, :, phase] = sum(w * columns[:, :, k : k + height] for k, w in enumerate(taps))
    return both.reshape(n, channels, height * scale, width * scale)


def _keys(t: npt.NDArray[np.float64]) -> Array:
    """Keys' cubic kernel with a = -0.5 at distances of less than 2."""
    t = np.abs(t)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0)).astype(np.float32)
