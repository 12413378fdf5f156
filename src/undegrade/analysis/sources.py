"""Latents of photographs, of synthetic camera noise and of Gaussian noise (Fig. 8): does the latent separate them?

The photographs show other scenes than the clean images, and scenes also differ in the latent. Separation is therefore
measured for five pairs of sources. The last three are controls for the first two:

    photographs | camera noise       as in the paper: scenes and noise differ
    photographs | Gaussian noise     as in the paper: scenes and noise differ
    camera noise | Gaussian noise    the same images, equal noise level on each patch: only the kind of noise differs
    photographs | means + Gaussian   the same scenes, equal noise level on each patch: only the kind of noise differs
    means | clean images             no added noise: only the scenes differ

All noisy patches are clipped to [0, 1] and rounded to 8 bits, as photographs are. Patches do not overlap, and no patch
is in two sources. Separation is measured on AvgPool(c), across images: neighbours in the same image do not count, and
the classifier is tested on held-out images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.extra import need
from undegrade.analysis.knn import Agreement, agreement
from undegrade.analysis.latents import encode, pooled
from undegrade.analysis.samples import Patches, cut
from undegrade.analysis.tables import Value
from undegrade.degrade import CameraNoise
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import to_8bit

HEADER = ("source", "image", "noise", "c0", "c1", "c2", "c3", "x", "y")
PHOTOGRAPHS, CAMERA, GAUSSIAN = "photographs", "camera noise", "Gaussian noise"
SHOWN = (PHOTOGRAPHS, CAMERA, GAUSSIAN)
MEANS_NOISY, MEANS, CLEAN = "means + Gaussian", "means", "clean images"
PAIRS = ((PHOTOGRAPHS, CAMERA), (PHOTOGRAPHS, GAUSSIAN), (CAMERA, GAUSSIAN), (PHOTOGRAPHS, MEANS_NOISY), (MEANS, CLEAN))
_CAMERA = CameraNoise(gain=(1 / 8, 1))
"""CBDNet's ranges extended to weaker noise, because CBDNet's noise is stronger than that of most photographs."""
_NEIGHBOURS = 10


@dataclass(frozen=True)
class LatentSource:
    """The latents of the patches of one source.

    Attributes:
        points: AvgPool(c), (N, 4).
        image: index of the scene, (N,); the same index means the same scene in all sources.
        noise: standard deviation of the noise, in 8-bit levels, (N,); NaN if it is not known.
        pixels: the patches, (N, S, S, C), 8 bits.
    """

    points: NDArray[np.float64]
    image: NDArray[np.int64]
    noise: NDArray[np.float64]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Separation:
    """Separation of two sources; chance is 0.5 for the accuracy and 0 for the silhouette.

    Attributes:
        purity: fraction of the ten nearest neighbours in other images that are of the same source.
        accuracy: of a linear classifier on held-out images, mean over the two sources.
        silhouette: -1 to 1.
    """

    purity: Agreement
    accuracy: float
    silhouette: float


def separation(a: NDArray[Any], b: NDArray[Any], image_a: NDArray[Any], image_b: NDArray[Any]) -> Separation:
    """Measure the separation of two sets of points.

    Args:
        a, b: (N, D) and (M, D).
        image_a, image_b: (N,) and (M,), index of the image of each point.

    Raises:
        UndegradeError: scikit-learn is not installed.
    """
    linear, metrics, selection = (need(f"sklearn.{m}") for m in ("linear_model", "metrics", "model_selection"))
    points, image = np.concatenate((a, b)).astype(np.float64), np.concatenate((image_a, image_b))
    label = np.repeat((0, 1), (len(a), len(b)))
    folds = selection.StratifiedGroupKFold(min(5, len(np.unique(image))))
    # Double precision: for a constant column the rounding error stays far below the floor of 1e-9.
    scaled = (points - points.mean(0)) / np.maximum(points.std(0), 1e-9)
    model = linear.LogisticRegression(class_weight="balanced")
    # A fold may have only one source: predictions of all folds are combined before scoring.
    predicted = selection.cross_val_predict(model, scaled, label, groups=image, cv=folds)
    return Separation(
        purity=agreement(points, label, apart=image, k=_NEIGHBOURS),
        accuracy=float(metrics.balanced_accuracy_score(label, predicted)),
        silhouette=float(metrics.silhouette_score(points, label)),
    )


def gather(
    pipeline: Pipeline,
    clean: Sequence[NDArray[np.uint8]],
    photographs: Sequence[NDArray[np.uint8]],
    means: Sequence[NDArray[np.uint8]] | None,
    count: int,
    size: int,
    seed: int = 0,
) -> dict[str, LatentSource]:
    """The sources by name. Without ``means``, the two sources of the controls that need them are left out.

    Args:
        pipeline: of any task.
        clean: images (H, W, C).
        photographs: noisy photographs (H, W, C).
        means: the same scenes without noise, in the same order, or None.
        count: number of patches of each source.
        size: side of the patches in pixels.
        seed: of all random numbers.

    Raises:
        UndegradeError: the images have too few patches, or photographs and means do not match.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second, third = _thirds(cut(clean, size, 3 * count, seed), count)
    noisy = _camera(first.x, generator)
    found = {CAMERA: _source(pipeline, noisy, first, _strength(noisy, first.x))}
    strengths = _strength(_camera(second.x, generator), second.x)
    found[GAUSSIAN] = _source(pipeline, _gaussian(second.x, strengths, generator), second, strengths)
    found[CLEAN] = _source(pipeline, third.x, third, torch.zeros(count))
    offset = len(clean)
    if means is None:
        real = cut(photographs, size, count, seed)
        found[PHOTOGRAPHS] = _source(pipeline, real.x, real, torch.full((count,), torch.nan), offset)
        return found
    if [p.shape for p in photographs] != [m.shape for m in means]:
        raise UndegradeError(
            "photographs and means do not match; give two folders with the same scenes in the same order."
        )
    # The same seed and the same sizes: equal indices are the same patch of the same scene.
    photos, scenes = (_thirds(cut(part, size, 3 * count, seed), count) for part in (photographs, means))
    found[PHOTOGRAPHS] = _source(pipeline, photos[0].x, photos[0], _strength(photos[0].x, scenes[0].x), offset)
    strengths = _strength(photos[1].x, scenes[1].x)
    found[MEANS_NOISY] = _source(pipeline, _gaussian(scenes[1].x, strengths, generator), scenes[1], strengths, offset)
    found[MEANS] = _source(pipeline, scenes[2].x, scenes[2], torch.zeros(count), offset)
    return found


def separations(found: Mapping[str, LatentSource]) -> dict[tuple[str, str], Separation]:
    """Separation of every pair in :data:`PAIRS` whose sources are present."""
    return {
        (a, b): separation(found[a].points, found[b].points, found[a].image, found[b].image)
        for a, b in PAIRS
        if a in found and b in found
    }


def report(found: Mapping[tuple[str, str], Separation]) -> str:
    """The separations as a Markdown table."""
    rows = [[f"{a}, {b}", *(number(v, 3) for v in _values(s))] for (a, b), s in found.items()]
    return table(["sources", "own among 10 nearest", "chance", "linear accuracy", "chance", "silhouette"], rows)


def separation_rows(found: Mapping[tuple[str, str], Separation]) -> list[list[Value]]:
    """Rows of a CSV file: first, second, purity, its chance, accuracy, its chance, silhouette."""
    return [[a, b, *_values(s)] for (a, b), s in found.items()]


def rows(found: Mapping[str, LatentSource], plane: NDArray[Any]) -> list[list[Value]]:
    """Rows of a CSV file with :data:`HEADER`; ``plane`` has the points of :data:`SHOWN`, in this order."""
    lines: list[list[Value]] = []
    for name in SHOWN:
        source = found[name]
        for i, noise, c in zip(source.image, source.noise, source.points, strict=True):
            known = None if np.isnan(noise) else float(noise)
            lines.append([name, int(i), known, *map(float, c), *map(float, plane[len(lines)])])
    return lines


def _values(s: Separation) -> list[float]:
    return [s.purity.observed, s.purity.chance, s.accuracy, 0.5, s.silhouette]


def _thirds(patches: Patches, count: int) -> list[Patches]:
    return [patches.part(np.arange(i * count, (i + 1) * count)) for i in range(3)]


def _camera(x: Tensor, generator: torch.Generator) -> Tensor:
    return _CAMERA(x, generator).image


def _gaussian(x: Tensor, strengths: Tensor, generator: torch.Generator) -> Tensor:
    """Add white noise with these standard deviations in 8-bit levels, (N,); clip and round as in a photograph."""
    noise = torch.randn(x.shape, generator=generator) * (strengths / 255).view(-1, 1, 1, 1)
    return (x + noise).clamp(0, 1).mul(255).round().div(255)


def _strength(y: Tensor, x: Tensor) -> Tensor:
    """Standard deviation of the noise on each patch, in 8-bit levels: (N,)."""
    return (y - x).flatten(1).square().mean(1).sqrt() * 255


def _source(pipeline: Pipeline, y: Tensor, patches: Patches, noise: Tensor, offset: int = 0) -> LatentSource:
    """Encode ``y``, the patches with or without noise; ``offset`` distinguishes the scenes of different folders."""
    return LatentSource(
        points=pooled(encode(pipeline, y).mean),
        image=patches.image + offset,
        noise=noise.double().numpy(),
        pixels=to_8bit(y.permute(0, 2, 3, 1).numpy()),
    )
