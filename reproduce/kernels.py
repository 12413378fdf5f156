"""How near the estimated blur kernels are to the true ones.

    python reproduce/kernels.py BENCHMARKS/BSD100 --task sr-x2 --weights runs/sr-x2-fast/sr-x2-fast.safetensors

Images are blurred by isotropic Gaussians of widths 1 to 5 and by g_ani, and decimated directly, as in Tables IV and V.
For each kernel: the mean estimated widths (pixels^2) and their mean errors, the sum of |k - khat| over the 225 weights
(0 to 2), and PSNR, 10 log10(max(k)^2 / mean (k - khat)^2), means over the images. The last two columns are those of a
guess that looks at no image: the kernel of the mean Sigma of the training's Gaussians.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from undegrade.data.benchmark import blur
from undegrade.data.catalogue import BSD100, SUFFIXES, load
from undegrade.degrade import Blur
from undegrade.degrade.blur import G_ANI, Shape, covariance, kernel_of
from undegrade.inference.load import load_pipeline
from undegrade.tasks import TASKS

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
)


def distances(k: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """L1 and PSNR."""
    return float(np.abs(k - other).sum()), float(10 * np.log10(k.max() ** 2 / np.mean((k - other) ** 2)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="clean images")
    parser.add_argument("--task", choices=("sr-x2", "sr-x4"), default="sr-x2")
    parser.add_argument("--variant")
    parser.add_argument("--weights", type=Path, help="default: those of the package")
    parser.add_argument("--images", type=int, help="only so many, evenly spread")
    parser.add_argument("--out", type=Path, help="write the table to this CSV file too")
    args = parser.parse_args()
    pipeline = load_pipeline(args.task, args.variant, weights=args.weights)
    factor = TASKS[args.task].degradation.scale
    files = sorted(p for p in args.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    files = files[:: max(len(files) // (args.images or len(files)), 1)][: args.images]
    shapes = {f"width {w}": Shape(w, w, 0.0) for w in (1, 2, 3, 4, 5)} | {"g_ani": G_ANI}
    drawn = Blur.training(factor).shapes(100_000, torch.Generator().manual_seed(0), torch.zeros(1))
    guess = kernel_of(covariance(*drawn).mean(0).tolist())
    rows: list[list[float | str]] = []
    print("| " + " | ".join(HEADER) + " |")
    print("|:--" + "|--:" * (len(HEADER) - 1) + "|")
    for benchmark in blur("", (BSD100,), factor, shapes):
        shape = shapes[benchmark.case.partition(" ")[2]]
        k = kernel_of(covariance(*(torch.tensor([v], dtype=torch.float64) for v in shape))[0].tolist())
        measured = []
        for file in files:
            x = load(file)
            y, _ = benchmark.degrade(x[: x.shape[0] // factor * factor, : x.shape[1] // factor * factor])
            sigma = pipeline.estimate(y, direct=True).tolist()
            first, second, _ = Shape.of(sigma)
            errors = (abs(first - shape.first), abs(second - shape.second))
            measured.append((first, second, *errors, *distances(k, kernel_of(sigma))))
        numbers = [*np.mean(measured, axis=0).tolist(), *distances(k, guess)]
        rows.append([benchmark.case, *numbers])
        print(f"| {benchmark.case} | " + " | ".join(f"{v:.2f}" for v in numbers) + " |", flush=True)
    if args.out is not None:
        with args.out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
