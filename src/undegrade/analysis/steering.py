"""Moves the latent along the direction of increasing degradation: does the restoration change smoothly with it?

A linear probe predicts the level of degradation from AvgPool(c). The shortest step of c that raises the prediction by
one unit is w / |w|^2. The picture is restored with c + t w / |w|^2 at every position: for t < 0 as if the degradation
were weaker, for t > 0 as if it were stronger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.embedding import encode_levels
from undegrade.analysis.latents import encode, reading, restored
from undegrade.analysis.measures import detail_kept, monotonicity, noise_left
from undegrade.analysis.probe import Probe, fit
from undegrade.analysis.samples import Patches
from undegrade.analysis.severity import severity
from undegrade.analysis.tables import Value
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr, to_8bit

HEADER = ("image", "shift", "estimate", "noise_left", "detail_kept", "psnr")
STEPS = 9
"""Number of shifts, evenly spaced over the reach of the axis."""


@dataclass(frozen=True)
class Steered:
    """Measures of pictures restored with a shifted latent.

    Attributes:
        shifts: in the axis' unit, (T,).
        estimate: EST of the shifted latent, (N, T); NaN without an estimator.
        noise_left: in 8-bit levels, (N, T); 0 if the degradation is not random.
        detail_kept: (N, T).
        psnr: in dB, (N, T).
        strip: of the first picture, (T, H, W, C), 8 bits.
    """

    shifts: NDArray[np.float64]
    estimate: NDArray[np.float64]
    noise_left: NDArray[np.float64]
    detail_kept: NDArray[np.float64]
    psnr: NDArray[np.float64]
    strip: NDArray[np.uint8]

    def monotone(self) -> dict[str, float]:
        """Spearman's correlation of each measure with the shift, mean over the pictures."""
        named = {"estimate": self.estimate, "noise left": self.noise_left, "detail kept": self.detail_kept}
        return {n: float(np.mean([monotonicity(self.shifts, row) for row in v])) for n, v in named.items()}

    def rows(self) -> list[list[Value]]:
        """Rows of a CSV file with :data:`HEADER`."""
        measures = (self.estimate, self.noise_left, self.detail_kept, self.psnr)
        return [
            [i, float(t), *(_known(m[i, j]) for m in measures)]
            for i in range(len(self.psnr))
            for j, t in enumerate(self.shifts)
        ]

    def report(self, unit: str) -> str:
        """Means over the pictures as a Markdown table, and the rank correlations."""
        measures = ((self.estimate, 1), (self.noise_left, 2), (self.detail_kept, 3), (self.psnr, 2))
        rows = [
            [number(t, 2, signed=True), *(number(_known(m[:, j].mean()), digits) for m, digits in measures)]
            for j, t in enumerate(self.shifts)
        ]
        ranks = ", ".join(f"{name} {number(_known(v), 3)}" for name, v in self.monotone().items())
        header = [f"shift ({unit})", "estimate", "noise left", "detail kept", "PSNR"]
        return table(header, rows, words=0) + f"\nRank correlation with the shift: {ranks}.\n"


def fit_probe(pipeline: Pipeline, patches: Patches, seed: int = 0) -> Probe:
    """Fit the probe for the level of degradation on every patch at every level."""
    codes = encode_levels(pipeline, patches, seed)
    return fit(codes.points, codes.level)


def steer(
    pipeline: Pipeline,
    probe: Probe,
    x: Tensor,
    progress: Callable[[Sequence[int]], Any] = iter,
) -> Steered:
    """Restore pictures at the axis' own level with the latent shifted by each of the steps.

    Args:
        pipeline: of any task.
        probe: defines the direction; it should be fitted on other images.
        x: clean, (N, C, S, S).
        progress: wraps the indices of the pictures.
    """
    axis = severity(pipeline.task.degradation)
    shifts = np.linspace(-axis.reach, axis.reach, STEPS)
    step = torch.from_numpy(probe.step).float().view(1, -1, 1, 1)
    measured = np.full((4, len(x), len(shifts)), np.nan)
    strip = []
    for i in progress(range(len(x))):
        one = x[i : i + 1]
        truth = one[0].permute(1, 2, 0).numpy()
        draws = [axis.at(axis.own)(one, np.random.RandomState(seed)).image for seed in range(2)]
        latents = [encode(pipeline, y).mean for y in draws]
        for j, t in enumerate(shifts):
            moved = [c + float(t) * step for c in latents]
            found = [restored(pipeline, y, c)[0].permute(1, 2, 0).numpy() for y, c in zip(draws, moved, strict=True)]
            estimated = reading(pipeline, axis, moved[0])
            measured[:, i, j] = (
                np.nan if estimated is None else estimated,
                noise_left(*found),
                detail_kept(truth, np.mean(found, axis=0)),
                psnr(to_8bit(truth), to_8bit(found[0])),
            )
            if i == 0:
                strip.append(to_8bit(found[0]))
    estimate, noise, detail, score = measured
    return Steered(shifts, estimate, noise, detail, score, np.stack(strip))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
