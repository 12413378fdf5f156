"""Universal beside gaussian, under noise as the tables have it and under noise as files have it.

PSNR in dB, means over the centres of the pictures. "Unclipped": neither clipped to [0, 1] nor rounded, as in Table I
and the training of gaussian. "In 8 bits": both, as a file has it and as universal mostly learned it.
"""

from __future__ import annotations

import argparse

import numpy as np
import pictures
import study

import undegrade
from undegrade.data.clean import centre
from undegrade.evaluation.markdown import number
from undegrade.metrics import PEAK, psnr, to_8bit

LEVELS = (10, 30, 50)
TASKS = ("gaussian", "universal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--side", type=int, default=192, metavar="N", help="of the centres (default: 192)")


def run(args: argparse.Namespace) -> int:
    pipelines = [undegrade.load(task) for task in TASKS]
    files = pictures.picked(args)
    study.print_header(("sigma", "noise", *(p.card.name for p in pipelines), "difference"), words=2)
    for level in LEVELS:
        found = np.array([psnrs(pipelines, pictures.rgb(f), level, args.side, i) for i, f in enumerate(files)])
        for form, means in zip(("unclipped", "in 8 bits"), found.mean(0), strict=True):
            values = (*(number(value, 2) for value in means), number(means[1] - means[0], 2, signed=True))
            study.print_line((f"{level:g}", form, *values))
    return 0


def psnrs(
    pipelines: list[undegrade.Pipeline], picture: np.ndarray, level: float, side: int, seed: int
) -> list[list[float]]:
    """Of the centre of one picture: unclipped and in 8 bits, by each pipeline."""
    x = centre(picture, side)
    y = pictures.with_noise(x, level, np.random.default_rng(seed))
    saved = to_8bit(y).astype(np.float32) / np.float32(PEAK)
    return [[psnr(x, PEAK * p(noisy).image.clip(0, 1)) for p in pipelines] for noisy in (y, saved)]


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
