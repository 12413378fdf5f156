"""Does a larger standard deviation over samples mean a larger error?

    python reproduce/uncertainty.py BENCHMARKS/CBSD68 --sigma 10 30 50 --out results/uncertainty

For every image and noise level: the rank correlation (Spearman's) of standard deviation and absolute error, over pixels
and over blocks of 16 x 16, where the error is a root mean square and chance matters less. Over all images: the error in
each tenth of the pixels by standard deviation, as a table, OUT.csv and, with matplotlib, the plot OUT.png. A standard
deviation that were the whole error would lie on the plot's diagonal.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

import undegrade

PARTS = 10
BLOCK = 16


def ranks(x: np.ndarray) -> np.ndarray:
    """0, 1, ... in the order of the values, flat."""
    order = np.empty(x.size)
    order[np.argsort(x, axis=None)] = np.arange(x.size)
    return order


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, of values that are hardly ever equal."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def blocks(x: np.ndarray) -> np.ndarray:
    """Root mean squares of (H, W) over blocks; what is left at the borders is left out."""
    h, w = (n // BLOCK for n in x.shape)
    tiles = x[: h * BLOCK, : w * BLOCK].reshape(h, BLOCK, w, BLOCK)
    return np.sqrt(np.mean(tiles**2, axis=(1, 3)))


def tenths(deviation: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(10, 2): mean squares of both in each tenth of the pixels by deviation."""
    order = np.argsort(deviation, axis=None)
    return np.array([[np.mean(v.flat[part] ** 2) for v in (deviation, error)] for part in np.array_split(order, PARTS)])


def draw(curves: dict[float, np.ndarray], path: Path) -> None:
    """Error against standard deviation, a line for each noise level."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4.2, 3.4), layout="constrained")
    for (sigma, curve), colour, marker in zip(
        curves.items(), ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), "osD^", strict=False
    ):
        axes.plot(*curve.T, marker=marker, markersize=4, color=colour, label=f"noise level {sigma:g}")
    low, high = axes.get_xlim()[0], max(curve[:, 1].max() for curve in curves.values())
    axes.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle="--", label="error = deviation")
    axes.set(xscale="log", yscale="log", xlabel="standard deviation over samples (8-bit levels)")
    axes.set_ylabel("root mean square error (8-bit levels)")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=160)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="clean images")
    parser.add_argument("--images", type=int, help="take so many, evenly spread (default: all)")
    parser.add_argument("--sigma", type=float, nargs="+", default=[10.0, 30.0, 50.0])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--variant")
    parser.add_argument("--out", type=Path, help="write OUT.csv and OUT.png")
    args = parser.parse_args()
    pipeline = undegrade.load("gaussian", args.variant)
    files = sorted(p for p in args.folder.iterdir() if p.is_file())
    if args.images is not None:
        files = files[:: max(len(files) // args.images, 1)][: args.images]
    print(f"{len(files)} images, {args.samples} samples each\n")
    print("| noise level | rank correlation per pixel | per block | standard deviation | error | their ratio |")
    print("|--:|--:|--:|--:|--:|--:|")
    curves: dict[float, np.ndarray] = {}
    for sigma in args.sigma:
        pixel, block, sums = [], [], np.zeros((PARTS, 2))
        for index, file in enumerate(files):
            clean = np.asarray(Image.open(file).convert("RGB"), np.float32) / 255
            noise = np.random.default_rng(index).standard_normal(clean.shape, np.float32)
            found = pipeline(clean + np.float32(sigma / 255) * noise, samples=args.samples)
            deviation = 255 * found.std
            error = 255 * np.sqrt(np.mean((found.image - clean) ** 2, axis=2))
            pixel.append(rank_correlation(deviation, error))
            block.append(rank_correlation(blocks(deviation), blocks(error)))
            sums += tenths(deviation, error)
        curves[sigma] = np.sqrt(sums / len(files))
        deviation, error = np.sqrt(np.mean(sums / len(files), axis=0))
        print(
            f"| {sigma:g} | {np.mean(pixel):.2f} ({min(pixel):.2f} to {max(pixel):.2f}) "
            f"| {np.mean(block):.2f} ({min(block):.2f} to {max(block):.2f}) "
            f"| {deviation:.2f} | {error:.2f} | {error / deviation:.1f} |",
            flush=True,
        )
    print("\nRoot mean square error in each tenth of the pixels by standard deviation:\n")
    print("| noise level | " + " | ".join(map(str, range(1, PARTS + 1))) + " |\n|--:" + "|--:" * PARTS + "|")
    for sigma, curve in curves.items():
        print(f"| {sigma:g} | " + " | ".join(f"{error:.2f}" for error in curve[:, 1]) + " |")
    if args.out is not None:
        with args.out.with_suffix(".csv").open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["sigma", "tenth", "standard_deviation", "rms_error"])
            writer.writerows([s, n, *map(float, row)] for s, curve in curves.items() for n, row in enumerate(curve, 1))
        draw(curves, args.out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
