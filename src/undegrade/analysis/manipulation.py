"""Restorations with modified and exchanged latents (Figs. 5 and 6).

A degraded picture is restored with the latent

    own        of the picture itself, e.g. at sigma 30
    flipped    of its mirror image: equal degradation, other content at each position
    milder     of the same picture with weaker degradation
    stronger   of the same picture with stronger degradation
    another's  of the next picture of the same size with equal degradation: only the strength is right
    zero       the prior mean: no information

``manipulate`` compares the first four on single pictures: PSNR, and noise left and detail kept, which show the kind of
error. ``swap_folder`` compares PSNR over a folder, for all but ``flipped``. It draws the degradation as for the
published tables (seed 0 for each picture): the PSNR of ``own`` is a cell of these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.latents import encode, reading, restored
from undegrade.analysis.measures import detail_kept, noise_left
from undegrade.analysis.samples import chosen_files, image_files, read, to_tensor
from undegrade.analysis.severity import severity
from undegrade.analysis.tables import Value
from undegrade.degrade.severity import Severity
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr, to_8bit

LATENTS = ("own", "flipped", "milder", "stronger")
HEADER = ("image", "latent", "psnr", "noise_left", "detail_kept", "estimate")
SWAP_LATENTS = ("own", "zero", "another's", "milder", "stronger")
SWAP_HEADER = ("image", *SWAP_LATENTS)
_DRAWS = 2
"""Number of draws of the degradation; noise left needs two."""


@dataclass(frozen=True)
class RestoredWith:
    """A restoration with one of the latents.

    Attributes:
        image: (H, W, C), 8 bits.
        latent: the posterior mean, (4, h / 4, w / 4).
        psnr: in dB.
        noise_left: :func:`undegrade.analysis.measures.noise_left`, in 8-bit levels.
        detail_kept: :func:`undegrade.analysis.measures.detail_kept`.
        estimate: EST of the latent, in the axis' unit; None without an estimator.
    """

    image: NDArray[np.uint8]
    latent: NDArray[np.float32]
    psnr: float
    noise_left: float
    detail_kept: float
    estimate: float | None


@dataclass(frozen=True)
class Manipulated:
    """The restorations of one picture.

    Attributes:
        name: of its file, without suffix.
        x: clean, (H, W, C), 8 bits.
        y: degraded, (h, w, C), rounded to 8 bits for display.
        results: by latent, see :data:`LATENTS`.
    """

    name: str
    x: NDArray[np.uint8]
    y: NDArray[np.uint8]
    results: Mapping[str, RestoredWith]

    def rows(self) -> list[list[Value]]:
        """Rows of a CSV file with :data:`HEADER`."""
        return [
            [self.name, latent, r.psnr, r.noise_left, r.detail_kept, r.estimate] for latent, r in self.results.items()
        ]


def manipulate(pipeline: Pipeline, x: NDArray[np.uint8], name: str = "") -> Manipulated:
    """Restore a picture with each of the four latents.

    Args:
        pipeline: of any task.
        x: clean, (H, W, C) with the model's channels.
        name: of the picture.
    """
    axis, x = severity(pipeline.task.degradation), _cropped(pipeline, x)
    clean = to_tensor(x)
    draws = [_draw(axis, clean, seed) for seed in range(_DRAWS)]
    results = {}
    for latent in LATENTS:
        c = [encode(pipeline, draw[latent]).mean for draw in draws]
        pairs = zip(draws, c, strict=True)
        found = [restored(pipeline, draw["own"], one)[0].permute(1, 2, 0).numpy() for draw, one in pairs]
        results[latent] = RestoredWith(
            image=to_8bit(found[0]),
            latent=c[0][0].numpy(),
            psnr=psnr(x, to_8bit(found[0])),
            noise_left=noise_left(*found),
            detail_kept=detail_kept(x / 255, np.mean(found, axis=0)),
            estimate=reading(pipeline, axis, c[0]),
        )
    return Manipulated(name, x, to_8bit(draws[0]["own"][0].permute(1, 2, 0).numpy()), results)


def _draw(axis: Severity, x: Tensor, seed: int) -> dict[str, Tensor]:
    """The encoder's input for each latent; all levels use the same random numbers."""

    def at(level: float) -> Tensor:
        return axis.at(level)(x, np.random.RandomState(seed)).image

    own = at(axis.own)
    return {"own": own, "flipped": own.flip(3), "milder": at(axis.mild), "stronger": at(axis.strong)}


def manipulate_folder(
    pipeline: Pipeline,
    folder: Path,
    limit: int | None = None,
    show: str | None = None,
    progress: Callable[[Sequence[Path]], Any] = iter,
) -> tuple[list[list[Value]], Manipulated]:
    """Restore every picture of a folder with each of the four latents.

    Args:
        pipeline: of any task.
        folder: clean images.
        limit: largest number of images.
        show: name of the picture to return, without suffix; None for the first.
        progress: wraps the list of files.

    Returns:
        Rows for :data:`HEADER`, and the restorations of the picture to show.

    Raises:
        UndegradeError: there is no such folder, no image in it, or no image of that name.
    """
    files = chosen_files(folder, limit, show)
    rows: list[list[Value]] = []
    shown: Manipulated | None = None
    for file in progress(files):
        found = manipulate(pipeline, read(file, pipeline.architecture.channels), file.stem)
        rows += found.rows()
        shown = shown or found
    assert shown is not None
    return rows, shown


def report(rows: Sequence[Sequence[Value]], axis: Severity) -> str:
    """Means over the pictures of :func:`manipulate_folder` as a Markdown table."""
    levels = {"own": axis.own, "flipped": axis.own, "milder": axis.mild, "stronger": axis.strong}
    lines = []
    own = _means(rows, "own")
    for latent in LATENTS:
        means = _means(rows, latent)
        score, gap = means[0], None if means[0] is None or own[0] is None else means[0] - own[0]
        lines.append(
            [
                f"{latent} ({axis.label(levels[latent])})",
                number(score, 2),
                number(gap, 2, signed=True),
                number(means[1], 2),
                number(means[2], 3),
                number(means[3], 1),
            ]
        )
    return table(["latent", "PSNR", "diff.", "noise left", "detail kept", "estimate"], lines)


def _means(rows: Sequence[Sequence[Value]], latent: str) -> list[float | None]:
    mine = [row[2:] for row in rows if row[1] == latent]
    columns = [[v for v in column if isinstance(v, (int, float))] for column in zip(*mine, strict=True)]
    return [float(np.mean(column)) if column else None for column in columns]


def swap_folder(
    pipeline: Pipeline,
    folder: Path,
    limit: int | None = None,
    progress: Callable[[Sequence[Path]], Any] = iter,
) -> list[list[Value]]:
    """PSNR of every picture with each latent.

    Args:
        pipeline: of any task.
        folder: clean images.
        limit: largest number of images.
        progress: wraps the list of files.

    Returns:
        Rows for :data:`SWAP_HEADER`, in dB.

    Raises:
        UndegradeError: there is no such folder, no image in it, or a picture without another one of its size.
    """
    axis, channels = severity(pipeline.task.degradation), pipeline.architecture.channels
    files = image_files(folder, limit)
    sizes = [_cropped(pipeline, read(file, channels)).shape for file in files]
    rows = []
    for file, other in zip(progress(files), _partners(files, sizes), strict=True):
        x = _cropped(pipeline, read(file, channels))
        own = _damaged(axis, axis.own, x)
        inputs = {
            "own": own,
            "another's": _damaged(axis, axis.own, _cropped(pipeline, read(other, channels))),
            "milder": _damaged(axis, axis.mild, x),
            "stronger": _damaged(axis, axis.strong, x),
        }
        latents = {name: encode(pipeline, y).mean for name, y in inputs.items()}
        latents["zero"] = torch.zeros_like(latents["own"])
        scores = (psnr(x, _pixels(restored(pipeline, own, latents[name]))) for name in SWAP_LATENTS)
        rows.append([file.stem, *scores])
    return rows


def swap_report(rows: Sequence[Sequence[Value]], axis: Severity) -> str:
    """Means over the pictures of :func:`swap_folder` as a Markdown table, with the smallest and largest loss."""
    scores = np.array([row[1:] for row in rows], np.float64)
    labels: Mapping[str, str] = {
        "own": f"own ({axis.label(axis.own)})",
        "another's": f"another's ({axis.label(axis.own)})",
        "milder": f"milder ({axis.label(axis.mild)})",
        "stronger": f"stronger ({axis.label(axis.strong)})",
    }
    lines = []
    for i, latent in enumerate(SWAP_LATENTS):
        lost = scores[:, 0] - scores[:, i]
        losses = (lost.mean(), lost.min(), lost.max()) if i else (None, None, None)
        lines.append(
            [labels.get(latent, latent), number(float(scores[:, i].mean()), 2), *(number(v, 2) for v in losses)]
        )
    return table(["latent", "PSNR", "lost", "least", "most"], lines)


def _partners(files: Sequence[Path], sizes: Sequence[tuple[int, ...]]) -> list[Path]:
    """For every file the next one of the same size, cyclically."""
    groups: dict[tuple[int, ...], list[Path]] = {}
    for file, size in zip(files, sizes, strict=True):
        groups.setdefault(size, []).append(file)
    partners = []
    for file, size in zip(files, sizes, strict=True):
        group = groups[size]
        if len(group) < 2:
            raise UndegradeError(
                f"{file.name} has no other image of its size for swapping latents; use two or more images of each size."
            )
        partners.append(group[(group.index(file) + 1) % len(group)])
    return partners


def _damaged(axis: Severity, level: float, x: NDArray[np.uint8]) -> Tensor:
    return axis.at(level)(to_tensor(x), np.random.RandomState(0)).image


def _pixels(xhat: Tensor) -> NDArray[np.uint8]:
    return to_8bit(xhat[0].permute(1, 2, 0).numpy())


def _cropped(pipeline: Pipeline, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop height and width to multiples of the scale."""
    scale = pipeline.architecture.scale
    return image[: image.shape[0] - image.shape[0] % scale, : image.shape[1] - image.shape[1] % scale]
