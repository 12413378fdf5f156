"""What ``undegrade restore`` does without a task, and what that does to the picture.

On every image of a folder of clean images: as it is, with white noise (8 bits, clipped, as files are), with the noise
of a camera (as `real` is validated on, and as it is trained on), and saved as a JPEG of known quality. Counts what the
rule selects, and shows the PSNR of the damaged and of the resulting picture; one that is left alone is what it was. Of
a clean picture it shows the lowest PSNR against itself.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import pictures
import study
import torch
from numpy.typing import NDArray

import undegrade
from undegrade.degrade import Degradation
from undegrade.degrade.jpeg import decode, encode
from undegrade.evaluation.markdown import number
from undegrade.inference.select_task import select_task
from undegrade.metrics import psnr, to_8bit
from undegrade.tasks import TASKS

Image = NDArray[np.uint8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--side", type=int, default=512, help="take the top left, at most so high and wide")
    parser.add_argument("--sigma", type=float, nargs="*", default=[3, 5, 8, 15])
    parser.add_argument("--quality", type=int, nargs="*", default=[95, 85, 75, 40])
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these rows, e.g. --cases clean")


def photographed(clean: Image, noise: Degradation, seed: int) -> Image:
    """The noise of a camera, seeded, stored with 8 bits."""
    x = torch.from_numpy(clean.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return to_8bit(noise(x, torch.Generator().manual_seed(seed)).image[0].permute(1, 2, 0).numpy())


def run(args: argparse.Namespace) -> int:
    files = pictures.picked(args)
    real = TASKS["real"]
    cases: list[tuple[str, float | Degradation | None, int | None]] = [("clean", None, None)]
    cases += [(f"sigma {s:g}", s, None) for s in args.sigma]
    cases += [(f"camera, {label}", noise, None) for label, noise in real.validation.items()]
    cases += [("camera, as in training", real.degradation, None)]
    cases += [(f"QF {q}", None, q) for q in args.quality]
    print(f"{len(files)} images\n")
    study.print_header(("case", "left alone", "gaussian", "real", "jpeg", "PSNR before", "after"))
    for name, noise, quality in cases:
        if args.cases is not None and name not in args.cases:
            continue
        counts: Counter[str] = Counter()
        before, after = [], []
        for seed, file in enumerate(files):
            clean = pictures.rgb(file)[: args.side, : args.side]
            y = clean
            if isinstance(noise, Degradation):
                y = photographed(clean, noise, seed)
            elif noise is not None:
                y = to_8bit(pictures.with_noise(clean, noise, np.random.default_rng(0)))
            if quality is not None:
                y = decode(encode(clean, quality))
            pipeline = select_task(y, undegrade.load, quality=quality).pipeline
            counts["left" if pipeline is None else pipeline.task.name] += 1
            before.append(psnr(clean, y))
            after.append(before[-1] if pipeline is None else psnr(clean, pipeline(y).image))
        found = [number(float(np.mean(before)), 2), number(float(np.mean(after)), 2)]
        if name == "clean":
            found = ["the same", "the same" if counts["left"] == len(files) else f"{min(after):.2f} at the lowest"]
        study.print_line([name, *(str(counts[task]) for task in ("left", "gaussian", "real", "jpeg")), *found])
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
