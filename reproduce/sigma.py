"""How far the estimated noise level is off, beside scikit-image's.

On every image with white noise of each level as in Table I (seed 0 before each image, neither clipped nor rounded),
in 8-bit levels: the mean over the images of |estimate - truth|, the mean of estimate - truth, which tells too high from
too low, and the largest |estimate - truth|. scikit-image's `estimate_sigma` is Donoho's median of the finest wavelet
coefficients, mean over the channels; pip install 'undegrade[reproduce]' brings it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pictures
import study
from numpy.typing import NDArray

import undegrade
from undegrade.analysis.tables import write_csv
from undegrade.data.benchmark import gaussian
from undegrade.data.catalogue import images
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.tasks import TASKS

LEVELS = (5, 10, 30, 50, 70)
DATASETS = {b.dataset.name: b.dataset for b in TASKS["gaussian"].benchmarks}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder of the benchmark sets")
    parser.add_argument("--dataset", choices=DATASETS, default="CBSD68")
    parser.add_argument("--weights", type=Path, help="of gaussian (default: those of the package)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--out", type=Path, help="CSV file for the estimates of every image")


def by_wavelets() -> Callable[[NDArray[np.float32]], float]:
    """scikit-image's estimate, in 8-bit levels."""
    try:
        import pywt  # noqa: F401
        from skimage.restoration import estimate_sigma
    except ImportError as error:
        raise UndegradeError("this needs scikit-image and PyWavelets: pip install 'undegrade[reproduce]'.") from error
    return lambda y: 255 * float(estimate_sigma(y, average_sigmas=True, channel_axis=2))


def run(args: argparse.Namespace) -> int:
    pipeline = undegrade.load("gaussian", weights=args.weights)
    methods = {"ours": lambda y: float(pipeline.estimate(y)[0]), "scikit-image": by_wavelets()}
    dataset = DATASETS[args.dataset]
    files = images(dataset, args.data)[: args.limit]
    rows = []
    for level, cell in zip(LEVELS, gaussian("", (dataset,), LEVELS), strict=True):
        for file in files:
            y, _ = cell.degrade(pictures.rgb(file))
            rows += [[file.stem, level, name, estimate(y)] for name, estimate in methods.items()]
    lines = []
    for level in LEVELS:
        line = [f"{level:g}"]
        for name in methods:
            off = np.array([found - truth for _, truth, method, found in rows if (truth, method) == (level, name)])
            line += [number(np.abs(off).mean(), 2), number(off.mean(), 2, signed=True), number(np.abs(off).max(), 2)]
        lines.append(line)
    header = ["sigma", *(f"{name}{what}" for name in methods for what in (": off by", ", bias", ", worst"))]
    print(f"{dataset.name}, {len(files)} images, {pipeline.card.name}\n\n{table(header, lines, words=0)}")
    if args.out is not None:
        print(f"-> {write_csv(args.out, ('image', 'sigma', 'method', 'estimate'), rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
