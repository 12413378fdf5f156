"""What the steps in a JPEG file's header are worth: PSNR of the file, of what the network makes of its pixels, and
of that kept to what the file says (``undegrade.inference.jpeg_projection``); and of the last once it is saved as a JPEG
again.

The folder holds pictures without loss. ``--side`` measures their middles only.
``undegrade.inference.jpeg_projection.STEP`` was set on held-out images, none of a benchmark's, made half as large
(``--reduce 2``) so that no earlier saving is left in them. ``--step`` measures other values of it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pictures
import study
from PIL import Image

import undegrade
from undegrade.degrade.jpeg import decode, encode
from undegrade.evaluation.markdown import number
from undegrade.image import read, write
from undegrade.inference import jpeg_projection as module
from undegrade.inference.arrays import centre
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures.add_arguments(parser)
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 40, 80, 90, 95])
    parser.add_argument("--step", type=float, nargs="+", default=[module.STEP])
    parser.add_argument("--side", type=int, help="measure the middles, of this many pixels")
    parser.add_argument("--reduce", type=int, default=1, help="make the pictures so many times smaller first")
    parser.add_argument("--before", type=int, help="quality of an earlier saving, its grid shifted by 3 and 5 pixels")
    parser.add_argument("--weights", type=Path, help="default: those of the package")
    parser.add_argument("--half", action="store_true", help="half precision")


def run(args: argparse.Namespace) -> int:
    files = pictures.picked(args)
    pipeline = undegrade.load("jpeg", weights=args.weights, half=args.half)
    ways = [*(f"step {step:g}" for step in args.step), "saved as a JPEG", "worst change, unsaved"]
    study.print_header(("quality", "chroma", "JPEG", "network", *ways), words=2)
    for quality in args.qualities:
        for subsampling in ("4:2:0", "4:4:4"):
            rows = [row(file, quality, subsampling, pipeline, args) for file in files]
            worst = min(measured[-2] - measured[0] for measured in rows)
            values = [*np.mean(rows, axis=0).tolist(), worst]
            study.print_line([str(quality), subsampling, *(number(value, 2) for value in values)])
    return 0


def row(file: Path, quality: int, subsampling: str, pipeline: Pipeline, args: argparse.Namespace) -> list[float]:
    """PSNR in dB, of colour as a whole, for one picture."""
    x = np.array(Image.fromarray(pictures.rgb(file)).reduce(args.reduce))
    x = x if args.side is None else np.ascontiguousarray(centre(x, args.side))
    given = x
    if args.before is not None:
        given = np.ascontiguousarray(decode(encode(x, args.before, subsampling))[3:, 5:])
        x = x[3:, 5:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(encode(given, quality, subsampling))
        picture = read(path)
        restored = pipeline(picture.pixels).image
        found = [psnr(picture.pixels, x), psnr(restored, x)]
        for step in args.step:
            module.STEP = step
            projected = restored.copy()
            module.project(projected, picture.pixels, picture.coding)
            found.append(psnr(projected, x))
        write(path, picture.with_pixels(projected))
        return [*found, psnr(read(path).pixels, x)]


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
