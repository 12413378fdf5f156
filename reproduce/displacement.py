"""By how much an enlarged file is displaced against its bicubic enlargement, in pixels of the enlarged image.

    python reproduce/displacement.py BENCHMARKS/BSD100 --weights runs/sr-x2-fast/sr-x2-fast.safetensors

Each image is made small by Pillow, bicubic and by area (BOX), then enlarged by the model and by Pillow's bicubic. The
displacement (rows, columns) is that of least squares on the slopes of the latter's luma, without 8 pixels of border.
Without --weights the shipped ones of sr-x2 and sr-x4 are measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from undegrade.data.catalogue import SUFFIXES
from undegrade.inference.load import load_pipeline
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import matlab_luma

RESIZERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}
BORDER = 8


def displacement(found: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """(rows, columns) by which the one lies further down and right than the other; both (H, W, 3), 8-bit."""
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    a, b = matlab_luma(found)[inside], matlab_luma(plain)[inside]
    slopes = np.stack([g.ravel() for g in np.gradient(b)], 1)
    moved: np.ndarray = -np.linalg.lstsq(slopes, (a - b).ravel(), rcond=None)[0]
    return moved


def measure(pipeline: Pipeline, files: list[Path], resizer: Image.Resampling) -> np.ndarray:
    """(images, 2)."""
    s = pipeline.task.degradation.scale
    rows = []
    for file in files:
        large = Image.open(file).convert("RGB")
        small = large.resize((large.width // s, large.height // s), resizer)
        plain = small.resize((small.width * s, small.height * s), Image.Resampling.BICUBIC)
        rows.append(displacement(pipeline.restore(np.asarray(small)), np.asarray(plain)))
    return np.stack(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="clean images")
    parser.add_argument("--weights", type=Path, nargs="+", help="default: those of the package")
    parser.add_argument("--images", type=int, default=20)
    args = parser.parse_args()
    files = sorted(p for p in args.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    files = files[:: max(len(files) // args.images, 1)][: args.images]
    if args.weights:
        pipelines = [load_pipeline(weights=path) for path in args.weights]
    else:
        pipelines = [load_pipeline(task) for task in ("sr-x2", "sr-x4")]
    print("| task | made small by | rows, mean | columns, mean | largest |")
    print("|:--|:--|--:|--:|--:|")
    for pipeline in pipelines:
        for name, resizer in RESIZERS.items():
            moved = measure(pipeline, files, resizer)
            rows, columns = moved.mean(axis=0)
            print(f"| {pipeline.task.name} | {name} | {rows:+.3f} | {columns:+.3f} | {np.abs(moved).max():.3f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
