"""The networks by kernels that are compiled on this machine: Winograd's convolution in the cache, two to three times as
fast as direct convolution at the CPU's peak.

The sums of Winograd's tiles depend in their last bits on where a window
starts: results of tiles agree with those of the whole image, and with the other engines, to 1e-5, not to the last bit.
"""

from __future__ import annotations

from undegrade.inference.array_engine import ArrayEngine
from undegrade.inference.compiled import Compiled, Tensors
from undegrade.inference.engine import Posterior, Window
from undegrade.model.architecture import Architecture
from undegrade.model.part import Part

TILE, BYTES_PER_PIXEL = 512, 200
"""Larger tiles are hardly faster (``benchmarks/window.py --tiles``). Of the wide restorer, which takes more."""
ENLARGING = 128e6
"""Bytes for a window of a super-resolver: with as few as at scale 1, it would be mostly halo."""


class CompiledEngine(ArrayEngine):
    """A model's networks with its weights.

    Args:
        architecture: one that has graphs and a compiled form (:func:`undegrade.inference.compiled.has_form`).
        tensors: the weights by name.
        threads: that convolve, at most and usually the cores that the process may use.

    Raises:
        NotCompiled: there is no compiler.
        UndegradeError: the weights are not those of the architecture.
    """

    bytes_per_result = 45

    def __init__(self, architecture: Architecture, tensors: Tensors, threads: int | None = None) -> None:
        super().__init__(architecture, tensors, threads)
        self._networks = Compiled(architecture, tensors, self.threads)

    @property
    def software(self) -> str:
        return "compiled kernels"

    @property
    def usual_tile(self) -> int:
        return TILE

    @property
    def bytes_per_input(self) -> int:
        return BYTES_PER_PIXEL

    @property
    def usual_memory(self) -> float:
        return super().usual_memory if self.architecture.scale == 1 else ENLARGING

    def encode(self, y: Window) -> Posterior:
        return Posterior(*self._networks.encode(y))

    def estimate(self, c: Window) -> Window:
        return self._networks.estimate(c)

    def _restore(self, y: Window, c: Window, part: Part | None) -> Window:
        return self._with_features(y, c, part)[0]

    def _restore_with_scale(self, y: Window, c: Window, part: Part | None) -> tuple[Window, Window]:
        self._checked("scale")
        xhat, h = self._with_features(y, c, part)
        return xhat, self._networks.scale(h, (xhat.shape[-2], xhat.shape[-1]))

    def _with_features(self, y: Window, c: Window, part: Part | None) -> tuple[Window, Window]:
        h = self._networks.features(y, c, part)
        return self._networks.image(y if part is None else part.of(y), h), h
