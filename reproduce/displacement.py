"""By how much an enlarged file is displaced against its bicubic enlargement, in pixels of the enlarged image.

Each image is made small by Pillow, bicubic and by area (BOX), then enlarged by the model and by Pillow's bicubic. The
displacement (rows, columns) is that of least squares on the slopes of the latter's luma, without 8 pixels of border.
Without --weights the shipped ones of sr-x2 and sr-x4 are measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pictures
import study
from numpy.typing import NDArray
from PIL import Image

import undegrade
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import matlab_luma

BORDER = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser, images=20)
    parser.add_argument("--weights", type=Path, nargs="+", help="default: those of the package")


def run(args: argparse.Namespace) -> int:
    files = pictures.picked(args)
    if args.weights:
        pipelines = [undegrade.load(weights=path) for path in args.weights]
    else:
        pipelines = [undegrade.load(task) for task in ("sr-x2", "sr-x4")]
    study.print_header(("task", "made small by", "rows, mean", "columns, mean", "largest"), words=2)
    for pipeline in pipelines:
        for name, resizer in pictures.RESIZERS.items():
            moved = np.stack([measure(pipeline, pictures.rgb(file), resizer) for file in files])
            rows, columns = moved.mean(axis=0)
            largest = np.abs(moved).max()
            study.print_line([pipeline.task.name, name, f"{rows:+.3f}", f"{columns:+.3f}", f"{largest:.3f}"])
    return 0


def measure(pipeline: Pipeline, clean: NDArray[np.uint8], resizer: Image.Resampling) -> NDArray[np.float64]:
    """(rows, columns) by which one picture, (H, W, 3), is displaced once it was made small and enlarged."""
    s = pipeline.task.degradation.scale
    large = Image.fromarray(clean)
    small = large.resize((large.width // s, large.height // s), resizer)
    plain = small.resize((small.width * s, small.height * s), Image.Resampling.BICUBIC)
    return displacement(pipeline(np.asarray(small)).image, np.asarray(plain))


def displacement(found: NDArray[np.uint8], plain: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(rows, columns) by which the one lies further down and right than the other; both (H, W, 3)."""
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    a, b = matlab_luma(found)[inside], matlab_luma(plain)[inside]
    slopes = np.stack([g.ravel() for g in np.gradient(b)], 1)
    moved: NDArray[np.float64] = -np.linalg.lstsq(slopes, (a - b).ravel(), rcond=None)[0]
    return moved


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
