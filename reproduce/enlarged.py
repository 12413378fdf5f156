"""Crops of enlarged pictures: the small file, its bicubic enlargement, ours, and the original it was made from.

Each picture is made small by Pillow, by ``--resizer``. Shown is the part with the most fine
detail; below it stands the PSNR of luma over the whole picture, without as many pixels of border as the factor.
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
from undegrade.analysis.figures import style
from undegrade.data.catalogue import SUFFIXES
from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline

CROP = 96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", help="clean pictures; the ending can be left out")
    parser.add_argument("--weights", type=Path, nargs="+", help="default: those of the package for sr-x2 and sr-x4")
    parser.add_argument("--resizer", choices=pictures.RESIZERS, default="area")
    parser.add_argument("--out", type=Path, required=True, help="PNG, or JPEG for a page")


def run(args: argparse.Namespace) -> int:
    files = [found(file) for file in args.files]
    if args.weights:
        pipelines = [undegrade.load(weights=path) for path in args.weights]
    else:
        pipelines = [undegrade.load(task) for task in ("sr-x2", "sr-x4")]
    rows = [(pipeline, file) for pipeline in pipelines for file in files]
    with style.figure(style.WIDTH / 4 * len(rows) + 0.3) as drawn:
        grid = drawn.subplots(len(rows), 4, squeeze=False)
        for row, (pipeline, file) in enumerate(rows):
            places = grid[row]
            s = pipeline.task.degradation.scale
            shown = views(file, s, pipeline, pictures.RESIZERS[args.resizer])
            part = busiest(shown["original"], 2 * s)
            for place, (name, picture) in zip(places, shown.items(), strict=True):
                style.picture(place, picture[part], None if row else name)
                if name not in ("original", "small file"):
                    measured = pipeline.task.protocol.measure(shown["original"], picture)["psnr"]
                    place.set_xlabel(f"{measured:.2f} dB", fontsize=8, labelpad=2)
                    print(f"{pipeline.task.name} {file.name} {name}: {measured:.2f} dB")
            places[0].set_ylabel(f"x{s}, {file.stem.partition('_')[0]}", fontsize=8)
        print(f"-> {style.save(drawn, args.out)}")
    return 0


def found(file: Path) -> Path:
    """The file itself, or the picture of this name with any ending.

    Raises:
        UndegradeError: there is none.
    """
    if file.is_file():
        return file
    named = sorted(p for p in file.parent.glob(f"{file.name}.*") if p.suffix.lower() in SUFFIXES)
    if not named:
        raise UndegradeError(f"there is no picture {file}; give another one.")
    return named[0]


def views(file: Path, s: int, pipeline: Pipeline, resizer: Image.Resampling) -> dict[str, NDArray[np.uint8]]:
    """All at the size of the original, cropped to a multiple of s."""
    large = Image.fromarray(pictures.rgb(file))
    large = large.crop((0, 0, large.width // s * s, large.height // s * s))
    small = large.resize((large.width // s, large.height // s), resizer)
    return {
        "small file": np.asarray(small).repeat(s, 0).repeat(s, 1),
        "bicubic": np.asarray(small.resize(large.size, Image.Resampling.BICUBIC)),
        "undegrade": pipeline(np.asarray(small)).image,
        "original": np.asarray(large),
    }


def busiest(image: NDArray[np.uint8], step: int) -> tuple[slice, slice]:
    """The square with the largest mean gradient."""
    size = np.hypot(*np.gradient(image.astype(float).mean(2)))
    total = np.pad(size.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    top = np.arange(0, size.shape[0] - CROP + 1, step)[:, None]
    left = np.arange(0, size.shape[1] - CROP + 1, step)
    sums = total[top + CROP, left + CROP] - total[top, left + CROP] - total[top + CROP, left] + total[top, left]
    i, j = np.unravel_index(sums.argmax(), sums.shape)
    return slice(i * step, i * step + CROP), slice(j * step, j * step + CROP)


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
