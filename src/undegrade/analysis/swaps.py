"""What a restoration loses with a latent that is not its own, over a whole folder (Fig. 5's experiment as numbers).

    own        of the picture as it is, e.g. at sigma 30
    zero       the prior's mean: nothing is known
    another's  of the next picture of the same size with as much damage: its strength is right, and nothing else
    milder     of the same picture with less damage
    stronger   of the same picture with more

Damage is drawn as for the published tables (seed 0 for each picture), so that the row ``own`` is a cell of theirs.
:mod:`undegrade.analysis.manipulation` looks at single pictures more closely, :mod:`undegrade.analysis.health` at the
latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.latents import encode, restored
from undegrade.analysis.samples import image_files, read, to_tensor
from undegrade.analysis.severity import severity
from undegrade.analysis.tables import Value
from undegrade.degrade.severity import Severity
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr, to_8bit

LATENTS = ("own", "zero", "another's", "milder", "stronger")
HEADER = ("image", *LATENTS)


def swap_folder(
    pipeline: Pipeline,
    folder: Path,
    limit: int | None = None,
    progress: Callable[[Sequence[Path]], Any] = iter,
) -> list[list[Value]]:
    """PSNR of every picture with each latent.

    Args:
        pipeline: any task's.
        folder: clean images.
        limit: how many of them.
        progress: wraps the list of files.

    Returns:
        Rows for :data:`HEADER`, in dB.

    Raises:
        UndegradeError: no such folder or image, or a picture that has no other of its size.
    """
    axis, channels = severity(pipeline.task.degradation), pipeline.model.architecture.channels
    files = image_files(folder, limit)
    sizes = [_clean(pipeline, read(file, channels)).shape for file in files]
    rows = []
    for file, other in zip(progress(files), _partners(files, sizes), strict=True):
        x = _clean(pipeline, read(file, channels))
        own = _damaged(axis, axis.own, x)
        seen = {
            "own": own,
            "another's": _damaged(axis, axis.own, _clean(pipeline, read(other, channels))),
            "milder": _damaged(axis, axis.mild, x),
            "stronger": _damaged(axis, axis.strong, x),
        }
        latents = {name: encode(pipeline, y).mean for name, y in seen.items()}
        latents["zero"] = torch.zeros_like(latents["own"])
        scores = (psnr(x, _pixels(restored(pipeline, own, latents[name]))) for name in LATENTS)
        rows.append([file.stem, *scores])
    return rows


def report(rows: Sequence[Sequence[Value]], axis: Severity) -> str:
    """Means over the pictures as a Markdown table, and the least and the most that a picture loses."""
    scores = np.array([row[1:] for row in rows], np.float64)
    labels: Mapping[str, str] = {
        "own": f"own ({axis.label(axis.own)})",
        "another's": f"another's ({axis.label(axis.own)})",
        "milder": f"milder ({axis.label(axis.mild)})",
        "stronger": f"stronger ({axis.label(axis.strong)})",
    }
    lines = []
    for i, latent in enumerate(LATENTS):
        lost = scores[:, 0] - scores[:, i]
        told = (lost.mean(), lost.min(), lost.max()) if i else (None, None, None)
        lines.append([labels.get(latent, latent), number(float(scores[:, i].mean()), 2), *(number(v, 2) for v in told)])
    return table(["latent", "PSNR", "lost", "least", "most"], lines)


def _partners(files: Sequence[Path], sizes: Sequence[tuple[int, ...]]) -> list[Path]:
    """For every file the next one of its size, the first after the last."""
    alike: dict[tuple[int, ...], list[Path]] = {}
    for file, size in zip(files, sizes, strict=True):
        alike.setdefault(size, []).append(file)
    partners = []
    for file, size in zip(files, sizes, strict=True):
        group = alike[size]
        if len(group) < 2:
            raise UndegradeError(
                f"{file.name} has no other of its size to swap latents with; use images of which two or more are alike."
            )
        partners.append(group[(group.index(file) + 1) % len(group)])
    return partners


def _clean(pipeline: Pipeline, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = pipeline.model.architecture.scale
    return image[: image.shape[0] - image.shape[0] % scale, : image.shape[1] - image.shape[1] % scale]


def _damaged(axis: Severity, level: float, x: NDArray[np.uint8]) -> Tensor:
    return axis.at(level)(to_tensor(x), np.random.RandomState(0)).image


def _pixels(xhat: Tensor) -> NDArray[np.uint8]:
    return to_8bit(xhat[0].permute(1, 2, 0).numpy())
