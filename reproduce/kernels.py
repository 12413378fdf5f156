"""How near the estimated blur kernels are to the true ones.

Images are blurred by isotropic Gaussians of widths 1 to 5 and by g_ani, and decimated directly, as in Tables IV and V.
For each kernel: the mean estimated widths (pixels^2) and their mean errors, the sum of |k - khat| over the 225 weights
(0 to 2), and PSNR, 10 log10(max(k)^2 / mean (k - khat)^2), means over the images. The next two columns are those of a
guess that looks at no image: the kernel of the mean Sigma of the training's Gaussians. The last is the least L1 that an
isotropic Gaussian has: what is below it has seen a direction.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pictures
import study
import torch
from numpy.typing import NDArray

import undegrade
from undegrade.analysis.tables import write_csv
from undegrade.data.benchmark import blur
from undegrade.data.catalogue import BSD100
from undegrade.degrade import Blur
from undegrade.degrade.blur import G_ANI, Shape, covariance, kernel_of
from undegrade.evaluation.markdown import number

HEADER = (
    "kernel",
    "wider",
    "narrower",
    "wider off by",
    "narrower off by",
    "L1",
    "PSNR",
    "L1 of a guess",
    "PSNR of a guess",
    "L1 of the best circle",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--task", choices=("sr-x2", "sr-x4"), help="default: what --weights are for, else sr-x2")
    parser.add_argument("--weights", type=Path, help="default: those of the package")
    parser.add_argument("--out", type=Path, help="write the table to this CSV file too")


def run(args: argparse.Namespace) -> int:
    files = pictures.picked(args)
    pipeline = undegrade.load(args.task or (None if args.weights else "sr-x2"), weights=args.weights)
    factor = pipeline.task.degradation.scale
    shapes = {f"width {w}": Shape(w, w, 0.0) for w in (1, 2, 3, 4, 5)} | {"g_ani": G_ANI}
    drawn = Blur.training(factor).shapes(100_000, torch.Generator().manual_seed(0), torch.zeros(1))
    guess = kernel_of(covariance(*drawn).mean(0).tolist())
    rows: list[list[float | str]] = []
    study.print_header(HEADER)
    for benchmark in blur("", (BSD100,), factor, shapes):
        shape = shapes[benchmark.case.partition(" ")[2]]
        k = kernel_of(covariance(*(torch.tensor([v], dtype=torch.float64) for v in shape))[0].tolist())
        measured = []
        for file in files:
            x = pictures.rgb(file)
            y, _ = benchmark.degrade(x[: x.shape[0] // factor * factor, : x.shape[1] // factor * factor])
            sigma = pipeline.estimate(y, direct=True).tolist()
            first, second, _ = Shape.of(sigma)
            errors = (abs(first - shape.first), abs(second - shape.second))
            measured.append((first, second, *errors, *distances(k, kernel_of(sigma))))
        circle = min(distances(k, kernel_of((width, width, 0)))[0] for width in np.arange(0.5, 10, 0.05))
        numbers = [*np.mean(measured, axis=0).tolist(), *distances(k, guess), circle]
        rows.append([benchmark.case, *numbers])
        study.print_line([benchmark.case, *(number(v, 2) for v in numbers)])
    if args.out is not None:
        print(f"-> {write_csv(args.out, HEADER, rows)}")
    return 0


def distances(k: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """L1 and PSNR (dB) of two kernels."""
    return float(np.abs(k - other).sum()), float(10 * np.log10(k.max() ** 2 / np.mean((k - other) ** 2)))


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
