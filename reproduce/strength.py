"""What --strength does, and whether it is better than mixing the picture with its restoration.

    python reproduce/strength.py BENCHMARKS/CBSD68 --images 12 --sigma 30 --out results/strength.csv

For every strength: PSNR, the noise that is left (standard deviation between restorations of the same picture under two
noises, over root 2) and the detail that is lost (error of their mean, noise taken off), all in 8-bit levels, means over
the images. Beside it the mixture of picture and restoration that leaves as much noise, and the detail that this loses.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

import undegrade

STRENGTHS = (0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1, 1.25, 1.5)


def noise_and_loss(a: np.ndarray, b: np.ndarray, clean: np.ndarray) -> tuple[float, float]:
    """Noise left and detail lost, as variances in squared 8-bit levels, of two restorations of one picture."""
    noise = np.mean((a - b) ** 2) / 2
    loss = np.mean(((a + b) / 2 - clean) ** 2) - noise / 2
    return 255**2 * float(noise), 255**2 * max(float(loss), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="clean images")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--sigma", type=float, default=30.0)
    parser.add_argument("--variant", default=None)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    pipeline = undegrade.load("gaussian", args.variant)
    files = sorted(p for p in args.folder.iterdir() if p.is_file())
    files = files[:: max(len(files) // args.images, 1)][: args.images]
    sums = np.zeros((len(STRENGTHS), 3))
    mixed = np.zeros((101, 2))
    for index, file in enumerate(files):
        clean = np.asarray(Image.open(file).convert("RGB"), np.float32) / 255
        rng = np.random.default_rng(index)
        y = [clean + np.float32(args.sigma / 255) * rng.standard_normal(clean.shape, np.float32) for _ in range(2)]
        for row, strength in zip(sums, STRENGTHS, strict=True):
            a, b = (pipeline.restore(one, strength=strength) for one in y)
            mse = np.mean((a.clip(0, 1) - clean) ** 2)
            row += (-10 * np.log10(mse), *noise_and_loss(a, b, clean))
            if strength == 1:
                for share, total in zip(np.linspace(0, 1, 101, dtype=np.float32), mixed, strict=True):
                    total += noise_and_loss(*(n + share * (x - n) for n, x in zip(y, (a, b), strict=True)), clean)
    sums /= len(files)
    mixed /= len(files)
    rows = []
    print("| strength | PSNR | noise left | detail lost | detail lost by a mixture that leaves as much noise |")
    print("|--:|--:|--:|--:|--:|")
    for strength, (psnr, noise, loss) in zip(STRENGTHS, sums, strict=True):
        # A mixture's noise falls with its share up to the restoration itself, which leaves the least.
        left = np.interp(-noise, -mixed[:, 0], mixed[:, 1], right=np.nan)
        rows.append([strength, psnr, noise**0.5, loss**0.5, left**0.5])
        print(f"| {strength:g} | " + " | ".join("-" if np.isnan(v) else f"{v:.2f}" for v in rows[-1][1:]) + " |")
    if args.out is not None:
        with args.out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["strength", "psnr", "noise_left", "detail_lost", "detail_lost_by_mixture"])
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
