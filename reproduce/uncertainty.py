"""Does a larger standard deviation over samples mean a larger error?

For every image and noise level: the rank correlation (Spearman's) of standard deviation and absolute error, over pixels
and over blocks of 16 x 16, where the error is a root mean square and chance matters less. Over all images: the error in
each tenth of the pixels by standard deviation, as a table, OUT.csv and the plot OUT.png. A standard deviation that were
the whole error would lie on the plot's diagonal.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pictures
import study
from numpy.typing import NDArray

import undegrade
from undegrade.analysis.figures import style
from undegrade.analysis.measures import monotonicity
from undegrade.analysis.tables import write_csv
from undegrade.evaluation.markdown import number

PARTS = 10
BLOCK = 16

Plane = NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--sigma", type=float, nargs="+", default=[10.0, 30.0, 50.0], help="at most six levels")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--weights", type=Path, help="of gaussian (default: those of the package)")
    parser.add_argument("--out", type=Path, help="write OUT.csv and OUT.png")


def run(args: argparse.Namespace) -> int:
    pipeline = undegrade.load("gaussian", weights=args.weights)
    files = pictures.picked(args)
    print(f"{len(files)} images, {args.samples} samples each\n")
    study.print_header(
        ("noise level", "rank correlation per pixel", "per block", "standard deviation", "error", "their ratio"),
        words=0,
    )
    curves: dict[float, Plane] = {}
    for sigma in args.sigma:
        pixel, block, sums = [], [], np.zeros((PARTS, 2))
        for index, file in enumerate(files):
            x = pictures.rgb(file)
            found = pipeline(pictures.with_noise(x, sigma, np.random.default_rng(index)), samples=args.samples)
            deviation = 255 * found.std
            error = 255 * np.sqrt(np.mean((found.image - x.astype(np.float32) / 255) ** 2, axis=2))
            pixel.append(monotonicity(deviation.ravel(), error.ravel()))
            block.append(monotonicity(blocks(deviation).ravel(), blocks(error).ravel()))
            sums += tenths(deviation, error)
        curves[sigma] = np.sqrt(sums / len(files))
        deviation, error = np.sqrt(np.mean(sums / len(files), axis=0))
        ranks = (f"{np.mean(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in (pixel, block))
        study.print_line([f"{sigma:g}", *ranks, number(deviation, 2), number(error, 2), number(error / deviation, 1)])
    print("\nRoot mean square error in each tenth of the pixels by standard deviation:\n")
    study.print_header(("noise level", *map(str, range(1, PARTS + 1))), words=0)
    for sigma, curve in curves.items():
        study.print_line([f"{sigma:g}", *(number(error, 2) for error in curve[:, 1].tolist())])
    if args.out is not None:
        rows = [[s, n, *row] for s, curve in curves.items() for n, row in enumerate(curve.tolist(), 1)]
        header = ("sigma", "tenth", "standard_deviation", "rms_error")
        print(f"-> {write_csv(args.out.with_suffix('.csv'), header, rows)}")
        print(f"-> {draw(curves, args.out.with_suffix('.png'))}")
    return 0


def blocks(x: Plane) -> Plane:
    """Root mean squares of (H, W) over blocks; what is left at the borders is left out."""
    h, w = (n // BLOCK for n in x.shape)
    tiles = x[: h * BLOCK, : w * BLOCK].reshape(h, BLOCK, w, BLOCK)
    found: Plane = np.sqrt(np.mean(tiles**2, axis=(1, 3)))
    return found


def tenths(deviation: Plane, error: Plane) -> Plane:
    """(10, 2): mean squares of both in each tenth of the pixels by deviation."""
    order = np.argsort(deviation, axis=None)
    return np.array([[np.mean(v.flat[part] ** 2) for v in (deviation, error)] for part in np.array_split(order, PARTS)])


def draw(curves: Mapping[float, Plane], path: Path) -> Path:
    """Error against standard deviation, a line for each noise level."""
    with style.figure(3.4) as drawn:
        drawn.set_size_inches(4.2, 3.4)
        axes = drawn.subplots()
        for (sigma, curve), colour, marker in zip(curves.items(), style.COLOURS, "osD^vP", strict=False):
            axes.plot(*curve.T, marker=marker, color=colour, label=f"noise level {sigma:g}")
        low, high = axes.get_xlim()[0], max(curve[:, 1].max() for curve in curves.values())
        axes.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle="--", label="error = deviation")
        axes.set(xscale="log", yscale="log", xlabel="standard deviation over samples (8-bit levels)")
        axes.set_ylabel("root mean square error (8-bit levels)")
        axes.legend()
        return style.save(drawn, path)


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
