"""Where does the noise come from (Fig. 8)? Latents of photographs, of synthetic camera noise and of Gaussian noise.

The photographs show other scenes than the clean images, and scenes differ in the latent as well as noise does. So the
separation of two sources is measured between five pairs, the last three of which say what the first two are worth:

    photographs | camera noise       as in the paper: other scenes, other noise
    photographs | Gaussian noise     the same
    camera noise | Gaussian noise    the same images, and on every patch as strong: the noise's character alone
    photographs | means + Gaussian   the same scenes, and on every patch as strong
    means | clean images             no noise added to either: the scenes alone

All noisy patches are clipped to [0, 1] and rounded to 8 bits, as photographs are. Patches do not overlap, and no patch
is in two sources. Separation is measured on AvgPool(c), across images: neighbours in the same image do not count, and
the classifier is asked about images that it was not fitted on.
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
"""CBDNet's ranges, spread downwards: its noise alone is stronger than that of most photographs."""
_NEIGHBOURS = 10


@dataclass(frozen=True)
class LatentSource:
    """Patches of one kind.

    Attributes:
        points: AvgPool(c), (N, 4).
        image: which scene each is of, (N,); the same number is the same scene in all sources.
        noise: standard deviation of what was added, in 8-bit levels, (N,); NaN where that is not known.
        seen: the patches, (N, S, S, C), 8 bits.
    """

    points: NDArray[np.float64]
    image: NDArray[np.int64]
    noise: NDArray[np.float64]
    seen: NDArray[np.uint8]


@dataclass(frozen=True)
class Separation:
    """Of two sources; 0.5 is chance for the accuracy, 0 for the silhouette.

    Attributes:
        purity: share of the ten nearest neighbours in other images that are of the point's own source.
        accuracy: of a linear classifier on held-out images, the mean over the two sources.
        silhouette: -1 to 1.
    """

    purity: Agreement
    accuracy: float
    silhouette: float


def separation(a: NDArray[Any], b: NDArray[Any], image_a: NDArray[Any], image_b: NDArray[Any]) -> Separation:
    """How far two sets of points are apart.

    Args:
        a, b: (N, D) and (M, D).
        image_a, image_b: (N,) and (M,), which image each point is of.

    Raises:
        UndegradeError: scikit-learn is not installed.
    """
    linear, metrics, selection = (need(f"sklearn.{m}") for m in ("linear_model", "metrics", "model_selection"))
    points, image = np.concatenate((a, b)).astype(np.float64), np.concatenate((image_a, image_b))
    label = np.repeat((0, 1), (len(a), len(b)))
    folds = selection.StratifiedGroupKFold(min(5, len(np.unique(image))))
    # In double precision, whose rounding of a constant column stays far below the floor.
    scaled = (points - points.mean(0)) / np.maximum(points.std(0), 1e-9)
    model = linear.LogisticRegression(class_weight="balanced")
    # Not every fold holds both sources, so the answers are put together before they are scored.
    told = selection.cross_val_predict(model, scaled, label, groups=image, cv=folds)
    return Separation(
        purity=agreement(points, label, apart=image, k=_NEIGHBOURS),
        accuracy=float(metrics.balanced_accuracy_score(label, told)),
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
    """The sources by name; without means the two pairs that need them are left out.

    Args:
        pipeline: any task's.
        clean: images (H, W, C).
        photographs: noisy ones.
        means: the same scenes without noise, in the same order, or None.
        count: patches of each source.
        size: their side in pixels.
        seed: of everything random.

    Raises:
        UndegradeError: the images hold too few patches, or photographs and means are no pairs.
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
            "photographs and means are no pairs; give two folders with the same scenes in the same order."
        )
    # The same draw of the same places: what is at the same index in both is the same piece of the same scene.
    photos, scenes = (_thirds(cut(part, size, 3 * count, seed), count) for part in (photographs, means))
    found[PHOTOGRAPHS] = _source(pipeline, photos[0].x, photos[0], _strength(photos[0].x, scenes[0].x), offset)
    strengths = _strength(photos[1].x, scenes[1].x)
    found[MEANS_NOISY] = _source(pipeline, _gaussian(scenes[1].x, strengths, generator), scenes[1], strengths, offset)
    found[MEANS] = _source(pipeline, scenes[2].x, scenes[2], torch.zeros(count), offset)
    return found


def separations(found: Mapping[str, LatentSource]) -> dict[tuple[str, str], Separation]:
    """Of every pair whose sources are there."""
    return {
        (a, b): separation(found[a].points, found[b].points, found[a].image, found[b].image)
        for a, b in PAIRS
        if a in found and b in found
    }


def report(found: Mapping[tuple[str, str], Separation]) -> str:
    """A Markdown table."""
    rows = [[f"{a}, {b}", *(number(v, 3) for v in _values(s))] for (a, b), s in found.items()]
    return table(["sources", "own among 10 nearest", "chance", "linear accuracy", "chance", "silhouette"], rows)


def separation_rows(found: Mapping[tuple[str, str], Separation]) -> list[list[Value]]:
    """For a CSV file: first, second, purity, its chance, accuracy, its chance, silhouette."""
    return [[a, b, *_values(s)] for (a, b), s in found.items()]


def rows(found: Mapping[str, LatentSource], plane: NDArray[Any]) -> list[list[Value]]:
    """For a CSV file with :data:`HEADER`; the plane's points are those of :data:`SHOWN`, in order."""
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
    """White noise of these strengths in 8-bit levels, (N,), as a photograph would hold it."""
    noise = torch.randn(x.shape, generator=generator) * (strengths / 255).view(-1, 1, 1, 1)
    return (x + noise).clamp(0, 1).mul(255).round().div(255)


def _strength(y: Tensor, x: Tensor) -> Tensor:
    """Standard deviation of the noise on each patch, in 8-bit levels: (N,)."""
    return (y - x).flatten(1).square().mean(1).sqrt() * 255


def _source(pipeline: Pipeline, y: Tensor, patches: Patches, noise: Tensor, offset: int = 0) -> LatentSource:
    """The latents of patches as they are, or with noise added; ``offset`` keeps scenes of other folders apart."""
    return LatentSource(
        points=pooled(encode(pipeline, y).mean),
        image=patches.image + offset,
        noise=noise.double().numpy(),
        seen=to_8bit(y.permute(0, 2, 3, 1).numpy()),
    )
