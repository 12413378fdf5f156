"""How far the estimated noise level is off, beside scikit-image's.

    python reproduce/sigma.py BENCHMARKS [--dataset CBSD68] [--variant fast | --weights FILE] [--out sigma.csv]

On every image with white noise of each level as in Table I (seed 0 before each image, neither clipped nor rounded),
in 8-bit levels: the mean over the images of |estimate - truth|, the mean of estimate - truth, which tells too high from
too low, and the largest |estimate - truth|. scikit-image's `estimate_sigma` is Donoho's median of the finest wavelet
coefficients, mean over the channels; pip install 'undegrade[reproduce]' brings it. Hardware: one CPU core, five
minutes. Expected of gaussian-fast on CBSD68: off by 0.82, 0.59, 0.32, 0.29 and 0.36 levels; scikit-image by 1.89, 1.45,
0.54, 0.38 and 0.52.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from undegrade.analysis.samples import read
from undegrade.analysis.tables import write_csv
from undegrade.data.benchmark import gaussian
from undegrade.data.catalogue import images
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.inference.load import load_pipeline
from undegrade.tasks import TASKS

LEVELS = (5, 10, 30, 50, 70)
DATASETS = {b.dataset.name: b.dataset for b in TASKS["gaussian"].benchmarks}


def by_wavelets() -> Callable[[np.ndarray], float]:
    """scikit-image's estimate, in 8-bit levels."""
    try:
        import pywt  # noqa: F401
        from skimage.restoration import estimate_sigma
    except ImportError as error:
        raise UndegradeError("this needs scikit-image and PyWavelets: pip install 'undegrade[reproduce]'.") from error
    return lambda y: 255 * float(estimate_sigma(y, average_sigmas=True, channel_axis=2))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the benchmark datasets")
    parser.add_argument("--dataset", choices=DATASETS, default="CBSD68")
    parser.add_argument("--variant")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument("--out", type=Path, help="CSV file for the estimates of every image")
    args = parser.parse_args()
    pipeline = load_pipeline("gaussian", args.variant, args.weights)
    methods = {
        "ours": lambda y: float(pipeline.estimate(y)[0]),
        "scikit-image": by_wavelets(),
    }
    dataset = DATASETS[args.dataset]
    files = images(dataset, args.data)[: args.limit]
    rows = []
    for level, cell in zip(LEVELS, gaussian("", (dataset,), LEVELS), strict=True):
        for file in files:
            y, _ = cell.degrade(read(file, 3))
            rows += [[file.stem, level, name, estimate(y)] for name, estimate in methods.items()]
    if args.out is not None:
        write_csv(args.out, ("image", "sigma", "method", "estimate"), rows)
    lines = []
    for level in LEVELS:
        line = [f"{level:g}"]
        for name in methods:
            off = np.array([found - truth for _, truth, method, found in rows if (truth, method) == (level, name)])
            line += [number(np.abs(off).mean(), 2), number(off.mean(), 2, signed=True), number(np.abs(off).max(), 2)]
        lines.append(line)
    header = ["sigma", *(f"{name}{what}" for name in methods for what in (": off by", ", bias", ", worst"))]
    print(f"{dataset.name}, {len(files)} images, {pipeline.card.name}\n\n{table(header, lines, words=0)}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"sigma.py: {error}")
