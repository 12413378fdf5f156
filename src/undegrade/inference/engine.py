"""Runs the networks on windows of an image: arrays in, arrays out.

An engine knows one set of weights and the machine. There are three: :mod:`undegrade.inference.compiled_engine`, where
there is a C++ compiler; :mod:`undegrade.inference.onnx_engine`, which a plain installation has; and
:mod:`undegrade.inference.torch_engine`, for GPUs and for networks without a shipped graph. They agree to 1e-5.

What does not depend on the engine is here: grey images for colour models, colour images for luma models, the grid of
super-resolvers, and the strength. :mod:`undegrade.inference.pipeline` chooses the windows and combines the results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undegrade.degrade.resize import SHIFT_REACH, array_onto_direct_grid
from undegrade.inference.arrays import full_range_luma
from undegrade.model.architecture import Architecture
from undegrade.model.part import Part
from undegrade.model.restorers import RESTORERS

Window = npt.NDArray[np.float32]
LEAST_PART = 64 * 64
"""The last layers are computed of at least so many pixels of a window, or of all: as
:data:`undegrade.inference.tiles.AREA`, since their smallest input has six elements per pixel."""


class Posterior(NamedTuple):
    """q(c|y) as arrays; :class:`undegrade.model.posterior.Posterior` has the equations.

    Attributes:
        mean: mu, (B, 4, h, w), float32.
        logvar: log sigma^2, the same shape.
    """

    mean: Window
    logvar: Window

    def at(self, noise: Window) -> Window:
        """mu + sigma ``noise``: the sample that belongs to given standard-normal noise."""
        c: Window = self.mean + np.exp(np.float32(0.5) * self.logvar) * noise
        return c


class Reaches(NamedTuple):
    """How far from a pixel, in pixels, its result reads; multiples of the model's stride.

    Attributes:
        both: of encoder and restorer together: :attr:`undegrade.model.vdir.VDIR.reach`.
        encode: of the encoder and the estimator.
        restore: of the restorer, given the latent of the whole image.
    """

    both: int
    encode: int
    restore: int


class Engine(ABC):
    """A model on a device.

    Attributes:
        architecture: of the networks.
        networks: how far they read.
        stride: :attr:`undegrade.model.vdir.VDIR.stride`.
        last_reach: :attr:`undegrade.model.restorer_module.RestorerModule.last_reach`.
        half: whether it convolves in half precision.
        int8: whether it convolves in int8.
    """

    half = False
    int8 = False
    bytes_per_result = 120
    """Bytes of memory per pixel of a super-resolver's result: the residual, the interpolated image, their sum."""

    def __init__(
        self, architecture: Architecture, networks: Reaches, stride: int, last_reach: int | None = None
    ) -> None:
        self.architecture, self.networks, self.stride = architecture, networks, stride
        self.last_reach = last_reach

    @property
    @abstractmethod
    def device(self) -> str:
        """Where the networks run: ``"cpu"``, ``"cuda"``, ..."""

    @property
    @abstractmethod
    def software(self) -> str:
        """The library that runs the networks, and its version."""

    @abstractmethod
    def encode(self, y: Window) -> Posterior:
        """q(c|y) of (B, C, h, w)."""

    def restore(self, y: Window, c: Window, part: Part | None = None) -> Window:
        """xhat = f(y, c), or that part of it: less is computed, and it is the same.

        To the last bit; by compiled kernels to 1e-5.

        Args:
            y: (B, C, h, w).
            c: the latent, (B, 4, ceil(h / 4), ceil(w / 4)).
            part: of y; None for all of it.

        Returns:
            (B, C, rows scale, columns scale).
        """
        computed = self._computed(y, part)
        return self._cut(self._restore(y, c, computed), part, computed)

    def restore_with_scale(self, y: Window, c: Window, part: Part | None = None) -> tuple[Window, Window]:
        """:meth:`restore`, the same to the last bit, and the scale b of its errors, (B, 1, rows scale, columns scale).

        Only of an architecture with a scale head.
        """
        computed = self._computed(y, part)
        xhat, b = self._restore_with_scale(y, c, computed)
        return self._cut(xhat, part, computed), self._cut(b, part, computed)

    @abstractmethod
    def _restore(self, y: Window, c: Window, part: Part | None) -> Window:
        """:meth:`undegrade.model.vdir.VDIR.restore`; the part has its :attr:`last_reach` around it."""

    @abstractmethod
    def _restore_with_scale(self, y: Window, c: Window, part: Part | None) -> tuple[Window, Window]:
        """:meth:`undegrade.model.vdir.VDIR.restore_with_scale`, of such a part."""

    def _computed(self, y: Window, part: Part | None) -> Part | None:
        """The part of y that the last layers are computed of, so that ``part`` is right; None for all of it."""
        if part is None or self.last_reach is None:
            return None
        h, w = y.shape[-2:]
        wider = part.around(self.last_reach, self.stride, (h, w))
        return wider if LEAST_PART <= wider.pixels < h * w else None

    def _cut(self, x: Window, part: Part | None, computed: Part | None) -> Window:
        """A part of what was computed, at the result's resolution."""
        if part is None:
            return x
        cut: Window = (part if computed is None else part.within(computed)).of(x, self.architecture.scale)
        return cut

    @abstractmethod
    def estimate(self, c: Window) -> Window:
        """EST(c): (B, 4, h, w) -> (B, P, h, w)."""

    @abstractmethod
    def to(self, device: str) -> Engine:
        """The same model on another device; this engine stays where it is.

        Raises:
            UndegradeError: the device cannot be used, or it needs PyTorch, which is not installed.
        """

    def release(self) -> None:  # noqa: B027 (most engines keep none)
        """Give memory back to the system that is kept for the next window; called after memory ran out."""

    @property
    def reaches(self) -> Reaches:
        """How far the results read the image: :attr:`networks`, and for super-resolution the shift of the grid."""
        shift = SHIFT_REACH if self.architecture.scale > 1 else 0
        return Reaches(*(reach + -(-shift // self.stride) * self.stride for reach in self.networks))

    @property
    def usual_tile(self) -> int:
        """Default side of a tile at scale 1."""
        return RESTORERS[self.architecture.restorer].tile

    @property
    def bytes_per_input(self) -> int:
        """Bytes of memory per pixel of y that the restoration of a window takes at scale 1."""
        return RESTORERS[self.architecture.restorer].bytes_per_pixel

    @property
    def usual_memory(self) -> float:
        """Bytes that a window takes by default. Super-resolvers take more per pixel: with as many as at scale 1 a
        window is still mostly tile."""
        return float((self.usual_tile + 2 * self.reaches.restore) ** 2 * self.bytes_per_input)

    @property
    def bytes_per_pixel(self) -> int:
        """The same at the model's scale."""
        scale = self.architecture.scale
        return self.bytes_per_input + (0 if scale == 1 else self.bytes_per_result * scale**2)

    def to_model(self, window: Window, direct: bool = False) -> Window:
        """(h, w, C) -> y, (1, model channels, h, w). A colour model gets grey as three equal channels.

        For super-resolution, y is shifted to the grid of direct decimation, unless ``direct`` says that it is there
        already. The shift reads up to :data:`undegrade.degrade.resize.SHIFT_REACH` pixels around each pixel.
        """
        channels = self.architecture.channels
        if channels == 1 and window.shape[2] == 3:
            window = full_range_luma(window)
        elif channels == 3 and window.shape[2] == 1:
            window = np.repeat(window, 3, axis=2)
        if not direct:
            window = array_onto_direct_grid(window, self.architecture.scale)
        y: Window = window.transpose(2, 0, 1)[None]
        return y

    def from_model(self, xhat: Window, given: Window) -> Window:
        """xhat, (1, model channels, h, w), -> (h, w, C) with the channels of the input window ``given``."""
        restored: Window = xhat[0].transpose(1, 2, 0)
        if restored.shape[2] == given.shape[2]:
            return restored
        if given.shape[2] == 1:  # grey image, colour model: the mean of the three output channels
            restored = (restored[..., :1] + restored[..., 1:2] + restored[..., 2:]) / np.float32(3)
        else:  # with chroma unchanged, a change of luma is the same change in R, G and B
            restored = given + (restored - full_range_luma(given))
        return restored

    def pooled(self, mean: Window, common: Window | None = None) -> Window:
        """The mean of :meth:`undegrade.model.vdir.VDIR.pooled`: what the restorer is given of mu.

        Args:
            mean: mu of a window, (B, 4, h, w).
            common: its mean over the whole image, (B, 4, 1, 1), float32; None if the window is all of it.
        """
        share = np.float32(self.architecture.pooling)
        if share == 0:
            return mean
        if common is None:
            common = mean.mean((2, 3), np.float64, keepdims=True).astype(np.float32)
        moved: Window = mean + share * (common - mean)
        return moved

    def steered(self, y: Window, posterior: Posterior, amount: float, common: Window | None = None) -> Posterior:
        """q(c|y') of the same image with ``amount`` times the degradation: y' = xhat + amount (y - xhat).

        The residual y - xhat is the model's estimate of the degradation. Encoding y' moves the latent towards weaker or
        stronger degradation, at each position according to the residual there. What pooling adds to mu is added to that
        of y', too, and less of it to less degradation.

        Args:
            y: a window.
            posterior: of it.
            amount: of degradation, 0 or more.
            common: as for :meth:`pooled`.
        """
        mean = self.pooled(posterior.mean, common)
        pooled = posterior if mean is posterior.mean else Posterior(mean, posterior.logvar)
        if amount == 1:
            return pooled
        xhat = self.restore(y, mean)
        found = self.encode(xhat + np.float32(amount) * (y - xhat))
        if pooled is posterior:
            return found
        return Posterior(found.mean + np.float32(min(amount, 1.0)) * (mean - posterior.mean), found.logvar)


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device."""
    # On a CPU and on Apple's GPUs torch raises a plain RuntimeError; OnnxEngine makes its errors a MemoryError.
    message = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("allocate memory" in message or "out of memory" in message)
    )
