"""AvgPool(c) of patches at many levels of degradation (Fig. 7): does it encode the level, or the content?

Every patch is degraded at every level. The measures are

    level      R^2 of a linear probe for the level, on held-out images
    content    R^2 of linear probes for brightness and contrast of the clean patch, on held-out images
    place      how often the nearest neighbour among the points of all other levels is the same patch, and chance
    image      how often the nearest neighbour among all other patches is of the same image, and chance
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.analysis.extra import need
from undegrade.analysis.knn import Agreement, agreement
from undegrade.analysis.latents import encode, pooled
from undegrade.analysis.probe import HeldOut, held_out
from undegrade.analysis.samples import Patches
from undegrade.analysis.severity import severity
from undegrade.analysis.tables import Value
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import to_8bit

HEADER = ("patch", "image", "level", "c0", "c1", "c2", "c3", "x", "y")


@dataclass(frozen=True)
class Codes:
    """Points of the latent space.

    Attributes:
        points: AvgPool(c), (N, 4).
        level: of degradation, (N,).
        patch, image: indices of patch and image, (N,).
        pixels: the degraded patches, (N, S, S, C), 8 bits.
        brightness, contrast: mean and logarithm of the standard deviation of the clean patch, (N,).
    """

    points: NDArray[np.float64]
    level: NDArray[np.float64]
    patch: NDArray[np.int64]
    image: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]


@dataclass(frozen=True)
class Knowledge:
    """The measures of the module docstring.

    Attributes:
        level, brightness, contrast: from linear probes on held-out images.
        place, image: from nearest neighbours.
    """

    level: HeldOut
    brightness: HeldOut
    contrast: HeldOut
    place: Agreement
    image: Agreement

    def rows(self) -> list[list[Value]]:
        """Name, value and chance of each measure; a probe without information has R^2 = 0."""
        return [
            ["R^2 of a linear probe for the level", self.level.r_squared, 0.0],
            ["R^2 of a linear probe for the brightness", self.brightness.r_squared, 0.0],
            ["R^2 of a linear probe for the contrast", self.contrast.r_squared, 0.0],
            ["nearest neighbour at another level is the same patch", self.place.observed, self.place.chance],
            ["nearest neighbour among other patches is of the same image", self.image.observed, self.image.chance],
        ]

    def report(self, unit: str) -> str:
        """A Markdown table, and the error of the probe for the level."""
        rows = [[str(what), *(number(float(v or 0), 3) for v in values)] for what, *values in self.rows()]
        error = f"The probe for the level has a root mean square error of {self.level.error:.2f} ({unit}).\n"
        return table(["AvgPool(c)", "value", "chance"], rows) + "\n" + error


def encode_levels(pipeline: Pipeline, patches: Patches, seed: int = 0) -> Codes:
    """Encode every patch at every level of the severity axis: N = levels x patches points, in this order."""
    axis = severity(pipeline.task.degradation)
    generator = torch.Generator().manual_seed(seed)
    points, pixels = [], []
    for level in axis.steps:
        y, _ = axis.at(level)(patches.x, generator)
        points.append(pooled(encode(pipeline, y).mean))
        pixels.append(to_8bit(y.permute(0, 2, 3, 1).numpy()))
    count, levels = len(patches.image), len(axis.steps)
    flat = patches.x.flatten(1).double()
    return Codes(
        points=np.concatenate(points),
        level=np.repeat(np.array(axis.steps, np.float64), count),
        patch=np.tile(np.arange(count), levels),
        image=np.tile(patches.image, levels),
        pixels=np.concatenate(pixels),
        brightness=np.tile(flat.mean(1).numpy(), levels),
        contrast=np.tile((flat.std(1) + 1 / 255).log().numpy(), levels),
    )


def knowledge(codes: Codes) -> Knowledge:
    """The measures of the module docstring."""
    points = codes.points
    return Knowledge(
        level=held_out(points, codes.level, codes.image),
        brightness=held_out(points, codes.brightness, codes.image),
        contrast=held_out(points, codes.contrast, codes.image),
        place=agreement(points, codes.patch, apart=codes.level),
        image=agreement(points, codes.image, apart=codes.patch),
    )


def embed(points: NDArray[Any], seed: int = 0, perplexity: float = 30.0) -> NDArray[np.float64]:
    """t-SNE to the plane: (N, D) -> (N, 2), initialised by PCA; the result is rotated to its principal axes.

    Raises:
        UndegradeError: scikit-learn is not installed.
    """
    manifold = need("sklearn.manifold")
    perplexity = min(perplexity, (len(points) - 1) / 3)
    found: NDArray[np.float64] = np.asarray(
        manifold.TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points), np.float64
    )
    found -= found.mean(0)  # t-SNE defines no directions: any rotation is equally valid
    return np.asarray(found @ np.linalg.svd(found, full_matrices=False)[2].T)


def rows(codes: Codes, plane: NDArray[Any]) -> list[Sequence[Value]]:
    """Rows of a CSV file with :data:`HEADER`."""
    return [
        [int(p), int(i), float(v), *map(float, c), *map(float, at)]
        for p, i, v, c, at in zip(codes.patch, codes.image, codes.level, codes.points, plane, strict=True)
    ]
