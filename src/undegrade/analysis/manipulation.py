"""One picture restored with latents that are not its own (Figs. 5 and 6).

    own        of the picture as it is, e.g. at sigma 30
    flipped    of its mirror image: as much damage, other content at each place
    milder     of the same picture with less damage
    stronger   of the same picture with more

PSNR says how good each is; noise left and detail kept say in what way it is bad.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.latents import encode, reading, restored
from undegrade.analysis.measures import detail_kept, noise_left
from undegrade.analysis.samples import chosen_files, read, to_tensor
from undegrade.analysis.severity import severity
from undegrade.analysis.tables import Value
from undegrade.degrade.severity import Severity
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr, to_8bit

LATENTS = ("own", "flipped", "milder", "stronger")
HEADER = ("image", "latent", "psnr", "noise_left", "detail_kept", "estimate")
_DRAWS = 2
"""Of the damage; two tell the noise that is left."""


@dataclass(frozen=True)
class RestoredWith:
    """A restoration with one of the latents.

    Attributes:
        image: (H, W, C), 8 bits.
        latent: its mean, (4, h / 4, w / 4).
        psnr: in dB.
        noise_left: :func:`undegrade.analysis.measures.noise_left`, in 8-bit levels.
        detail_kept: :func:`undegrade.analysis.measures.detail_kept`.
        estimate: what the estimator reads off the latent, in the axis' unit; None without an estimator.
    """

    image: NDArray[np.uint8]
    latent: NDArray[np.float32]
    psnr: float
    noise_left: float
    detail_kept: float
    estimate: float | None


@dataclass(frozen=True)
class Manipulated:
    """One picture.

    Attributes:
        name: of its file, without ending.
        x: clean, (H, W, C), 8 bits.
        y: damaged, (h, w, C), 8 bits, for looking at.
        results: by latent, see :data:`LATENTS`.
    """

    name: str
    x: NDArray[np.uint8]
    y: NDArray[np.uint8]
    results: Mapping[str, RestoredWith]

    def rows(self) -> list[list[Value]]:
        """For a CSV file with :data:`HEADER`."""
        return [
            [self.name, latent, r.psnr, r.noise_left, r.detail_kept, r.estimate] for latent, r in self.results.items()
        ]


def manipulate(pipeline: Pipeline, x: NDArray[np.uint8], name: str = "") -> Manipulated:
    """Restore a picture with each of the four latents.

    Args:
        pipeline: any task's.
        x: clean, (H, W, C) of the model's channels.
        name: what to call it.
    """
    axis, scale = severity(pipeline.task.degradation), pipeline.model.architecture.scale
    x = x[: x.shape[0] - x.shape[0] % scale, : x.shape[1] - x.shape[1] % scale]
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
    """What the encoder is shown for each latent; the levels share the random numbers, as far as there are any."""

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
    """Every picture of a folder, and one of them whole.

    Args:
        pipeline: any task's.
        folder: clean images.
        limit: how many of them.
        show: name of the one to keep, without ending; None keeps the first.
        progress: wraps the list of files.

    Returns:
        Rows for :data:`HEADER`, and the picture to show.

    Raises:
        UndegradeError: no such folder, image or name.
    """
    files = chosen_files(folder, limit, show)
    rows: list[list[Value]] = []
    shown: Manipulated | None = None
    for file in progress(files):
        found = manipulate(pipeline, read(file, pipeline.model.architecture.channels), file.stem)
        rows += found.rows()
        shown = shown or found
    assert shown is not None
    return rows, shown


def report(rows: Sequence[Sequence[Value]], axis: Severity) -> str:
    """Means over the pictures as a Markdown table."""
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
