"""What ``undegrade restore`` does without a task, and what that does to the picture.

On every image of a folder of clean images: as it is, made half as large, with white noise (8 bits, clipped, as files
are), with the noise of a camera, saved as a JPEG, and with noise that was saved afterwards; and on graphics made by
program. Counts what is left alone and what is restored, and shows the median readings and the PSNR before and after; a
picture that is left alone is what it was. Of a clean picture it shows the lowest PSNR against itself.
"""

from __future__ import annotations

import argparse

import numpy as np
import pictures
import study
import torch
from numpy.typing import NDArray

import undegrade
from undegrade.data.clean import Clean, held_out
from undegrade.degrade import CameraNoise, Chain, Degradation, Measured, Nothing
from undegrade.degrade.saved import Codec, Saved
from undegrade.evaluation.markdown import number
from undegrade.inference.options import RestoreOptions
from undegrade.inference.select_task import found_in, select_task
from undegrade.metrics import psnr, to_8bit
from undegrade.tasks.universal import white_noise

Image = NDArray[np.uint8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--side", type=int, default=512, help="take the top left, at most so high and wide")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these rows, e.g. --cases clean")


def cases() -> dict[str, Degradation]:
    """What happens to the pictures, by name."""
    camera = Measured(CameraNoise(shot=(0.06, 0.06), read=(0.02, 0.02)))
    saved = {q: Saved(Codec.JPEG, (q, q)) for q in (95, 90, 85, 75, 40, 10)}
    return {
        "clean": Nothing(),
        **{f"sigma {s}": white_noise(s) for s in (3, 5, 8, 15, 25, 50)},
        "camera": camera,
        **{f"QF {q}": saving for q, saving in saved.items()},
        "sigma 15, QF 90": Chain(white_noise(15), saved[90]),
        "sigma 5, QF 75": Chain(white_noise(5), saved[75]),
    }


def run(args: argparse.Namespace) -> int:
    files = [pictures.rgb(file) for file in pictures.picked(args)]
    kinds = {
        "photographs": [file[: args.side, : args.side] for file in files],
        "small photographs": held_out(Clean.SMALL, files, min(args.side, 192)),
        "graphics": held_out(Clean.GRAPHICS, files, min(args.side, 256)),
    }
    universal = undegrade.load()
    header = ("images", "case", "number", "left alone", "noise level", "grain", "JPEG quality", "PSNR before", "after")
    study.print_header(header)
    for kind, images in kinds.items():
        for name, degradation in cases().items():
            if args.cases is not None and name not in args.cases:
                continue
            before, after, readings, left = [], [], [], 0
            for seed, clean in enumerate(images):
                x = torch.from_numpy(clean.astype(np.float32) / 255).permute(2, 0, 1)[None]
                degraded = degradation(x, torch.Generator().manual_seed(seed)).image[0]
                y: Image = to_8bit(degraded.permute(1, 2, 0).numpy())
                choice = select_task(y, universal, RestoreOptions())
                assert choice.look is not None
                readings.append(found_in(universal, choice.look))
                left += choice.pipeline is None
                before.append(psnr(clean, y))
                restored = y if choice.pipeline is None else universal.run(y, RestoreOptions(), look=choice.look).image
                after.append(psnr(clean, restored))
            found = [number(float(np.mean(before)), 2), number(float(np.mean(after)), 2)]
            if name == "clean":
                found = ["the same", "the same" if left == len(images) else f"{min(after):.2f} at the lowest"]
            medians = np.median(np.array(readings), axis=0)
            told = [number(float(value), digits) for value, digits in zip(medians, (1, 2, 0), strict=True)]
            study.print_line([kind, name, str(len(images)), str(left), *told, *found])
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
