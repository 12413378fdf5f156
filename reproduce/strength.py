"""What --strength does, and whether it is better than mixing the picture with its restoration.

For every strength: PSNR, the noise that is left (standard deviation between restorations of the same picture under two
noises, over root 2) and the detail that is lost (error of their mean, noise taken off), all in 8-bit levels, means over
the images. Beside it the mixture of picture and restoration that leaves as much noise, and the detail that this loses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pictures
import study
from numpy.typing import NDArray

import undegrade
from undegrade.analysis.tables import write_csv
from undegrade.evaluation.markdown import number

STRENGTHS = (0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1, 1.25, 1.5)
SHARES = np.linspace(0, 1, 101, dtype=np.float32)
"""Of the restoration in a mixture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser, images=12)
    parser.add_argument("--sigma", type=float, default=30.0)
    parser.add_argument("--weights", type=Path, help="of gaussian (default: those of the package)")
    parser.add_argument("--out", type=Path, help="write the table to this CSV file too")


def run(args: argparse.Namespace) -> int:
    pipeline = undegrade.load("gaussian", weights=args.weights)
    files = pictures.picked(args)
    sums = np.zeros((len(STRENGTHS), 3))
    mixed = np.zeros((len(SHARES), 2))
    for index, file in enumerate(files):
        x = pictures.rgb(file)
        clean = x.astype(np.float32) / 255
        rng = np.random.default_rng(index)
        y = [pictures.with_noise(x, args.sigma, rng) for _ in range(2)]
        for row, strength in zip(sums, STRENGTHS, strict=True):
            a, b = (pipeline(one, strength=strength).image for one in y)
            mse = np.mean((a.clip(0, 1) - clean) ** 2)
            row += (-10 * np.log10(mse), *noise_and_loss(a, b, clean))
            if strength == 1:
                for share, total in zip(SHARES, mixed, strict=True):
                    total += noise_and_loss(*(n + share * (r - n) for n, r in zip(y, (a, b), strict=True)), clean)
    sums /= len(files)
    mixed /= len(files)
    rows: list[list[float | None]] = []
    study.print_header(
        ("strength", "PSNR", "noise left", "detail lost", "detail lost by a mixture that leaves as much noise"), words=0
    )
    for strength, (psnr, noise, loss) in zip(STRENGTHS, sums.tolist(), strict=True):
        # A mixture's noise falls with its share up to the restoration itself, which leaves the least.
        left = float(np.interp(-noise, -mixed[:, 0], mixed[:, 1], right=np.nan))
        rows.append([strength, psnr, noise**0.5, loss**0.5, None if np.isnan(left) else left**0.5])
        study.print_line([f"{strength:g}", *(number(value, 2) for value in rows[-1][1:])])
    if args.out is not None:
        header = ("strength", "psnr", "noise_left", "detail_lost", "detail_lost_by_mixture")
        print(f"-> {write_csv(args.out, header, rows)}")
    return 0


def noise_and_loss(a: NDArray[np.float32], b: NDArray[np.float32], clean: NDArray[np.float32]) -> tuple[float, float]:
    """Noise left and detail lost, as variances in squared 8-bit levels, of two restorations of one picture."""
    noise = np.mean((a - b) ** 2) / 2
    loss = np.mean(((a + b) / 2 - clean) ** 2) - noise / 2
    return 255**2 * float(noise), 255**2 * max(float(loss), 0.0)


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
