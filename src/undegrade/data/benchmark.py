"""One cell of a published table: which images, how degraded.

A task lists its cells with the constructors below, which also give them the labels that ``paper.toml`` uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undegrade.data.catalogue import Dataset
from undegrade.degrade.base import Degradation
from undegrade.degrade.blur import Blur, Shape
from undegrade.degrade.jpeg import Jpeg
from undegrade.degrade.noise import GaussianNoise
from undegrade.degrade.resize import Resize, Resizer
from undegrade.lazy import torch


@dataclass(frozen=True)
class Benchmark:
    """A dataset under one known degradation.

    Attributes:
        table: of the paper, e.g. ``"VI"``; ``""`` for a measurement that the paper does not make.
        dataset: the clean images.
        case: label of the degradation, e.g. ``"sigma 10"``, ``"QF 10"``, ``"x2 g_2.0"``.
        degradation: T; None where the dataset brings its own noisy photographs.
        seed: of the generator, which starts afresh at every image.
    """

    table: str
    dataset: Dataset
    case: str
    degradation: Degradation | None
    seed: int = 0

    @property
    def scale(self) -> int:
        """How many times smaller y is than x."""
        return self.degradation.scale if self.degradation else 1

    @property
    def direct(self) -> bool:
        """On which grid y lies: :attr:`undegrade.degrade.Degradation.direct`."""
        return self.degradation.direct if self.degradation else True

    def degrade(self, x: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Degrade one clean image.

        Args:
            x: (H, W) or (H, W, 3), 8-bit; sides multiples of :attr:`scale`.

        Returns:
            y with the axes of x, in [0, 1] (but noise is not clipped); f(T), (P,), in its quantity's unit.

        Raises:
            ValueError: the dataset brings its own noisy photographs.
        """
        if self.degradation is None:
            raise ValueError(f"{self.dataset.name} is measured on its own photographs")
        planes = x if x.ndim == 3 else x[..., None]
        clean = torch.from_numpy(planes.astype(np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
        degraded = self.degradation(clean, np.random.RandomState(self.seed))
        y = degraded.image[0].permute(1, 2, 0).contiguous().numpy()
        params = self.degradation.quantity.decode(degraded.params[0]).numpy()
        return (y if x.ndim == 3 else y[..., 0]), params


def gaussian(table: str, datasets: Sequence[Dataset], sigmas: Sequence[float]) -> tuple[Benchmark, ...]:
    """White noise of known strengths, in 8-bit levels."""
    return tuple(Benchmark(table, d, f"sigma {s:g}", GaussianNoise((s, s))) for s in sigmas for d in datasets)


def jpeg(table: str, datasets: Sequence[Dataset], qualities: Sequence[int]) -> tuple[Benchmark, ...]:
    """JPEG of known quality factors, 4:2:0 where in colour."""
    return tuple(Benchmark(table, d, f"QF {q}", Jpeg((q, q))) for q in qualities for d in datasets)


def jpeg_twice(datasets: Sequence[Dataset], first: int, second: int, shift: tuple[int, int]) -> tuple[Benchmark, ...]:
    """Crops of saved pictures, saved again: the first grid starts ``shift`` rows and columns before the second."""
    twice = Jpeg((second, second), twice=1.0, first=(first, first), shift=shift)
    case = f"QF {first}, shift {shift[0]} {shift[1]}, QF {second}"
    return tuple(Benchmark("", d, case, twice) for d in datasets)


def blur(table: str, datasets: Sequence[Dataset], factor: int, shapes: Mapping[str, Shape]) -> tuple[Benchmark, ...]:
    """Known kernels, by name, and decimation by ``factor``."""
    return tuple(
        Benchmark(table, d, f"x{factor} {name}", Blur.fixed(factor, shape))
        for name, shape in shapes.items()
        for d in datasets
    )


def resized(table: str, datasets: Sequence[Dataset], factor: int) -> tuple[Benchmark, ...]:
    """Made small by ``factor`` by every ordinary resizer."""
    return tuple(
        Benchmark(table, d, f"x{factor} {resizer}", Resize(factor, (resizer,))) for resizer in Resizer for d in datasets
    )


def photographs(table: str, *datasets: Dataset) -> tuple[Benchmark, ...]:
    """Noisy photographs as they come."""
    return tuple(Benchmark(table, d, "real", None) for d in datasets)
