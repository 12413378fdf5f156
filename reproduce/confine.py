"""What the steps in a JPEG file's header are worth: PSNR of the file, of what the network makes of its pixels, and
of that kept to what the file says (``undegrade.files.jpeg_projection``); and of the last once it is saved as a JPEG
again.

    python reproduce/confine.py FOLDER [--qualities 80 90 95] [--step 10 15 20] [--side 256] [--weights FILE]

FOLDER holds pictures without loss. ``--side`` measures their middles only. ``undegrade.files.jpeg_projection.STEP`` was
set on held-out images, none of a benchmark's, made half as large (``--reduce 2``) so that no earlier saving is left in
them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from undegrade.data.catalogue import SUFFIXES
from undegrade.degrade.jpeg import decode, encode
from undegrade.files import jpeg_projection as module
from undegrade.image import read, write
from undegrade.inference.arrays import centre
from undegrade.inference.load import load_pipeline
from undegrade.metrics import psnr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 40, 80, 90, 95])
    parser.add_argument("--step", type=float, nargs="+", default=[module.STEP])
    parser.add_argument("--side", type=int, help="measure the middles, of this many pixels")
    parser.add_argument("--reduce", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture")
    parser.add_argument("--before", type=int, help="quality of an earlier saving, its grid shifted by 3 and 5 pixels")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--half", action="store_true")
    args = parser.parse_args()
    files = sorted(f for f in args.folder.rglob("*") if f.suffix.lower() in SUFFIXES)[:: args.every]
    pipeline = load_pipeline("jpeg", weights=args.weights, half=args.half)
    ways = [*(f"step {step:g}" for step in args.step), "saved as a JPEG", "worst change, unsaved"]
    print("| quality | chroma | JPEG | network | " + " | ".join(ways) + " |\n|--:|:--|--:|--:|" + "--:|" * len(ways))
    for quality in args.qualities:
        for subsampling in ("4:2:0", "4:4:4"):
            rows = [row(f, quality, subsampling, pipeline, args) for f in files]
            worst = min(measured[-2] - measured[0] for measured in rows)
            values = " | ".join(f"{value:.2f}" for value in [*np.mean(rows, axis=0), worst])
            print(f"| {quality} | {subsampling} | {values} |", flush=True)
    return 0


def row(file: Path, quality: int, subsampling: str, pipeline, args: argparse.Namespace) -> list[float]:
    """PSNR in dB, of colour as a whole, for one picture."""
    from PIL import Image

    with Image.open(file) as image:
        x = np.array(image.convert("RGB").reduce(args.reduce))
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
            confined = restored.copy()
            module.confine(confined, picture.pixels, picture.coding)
            found.append(psnr(confined, x))
        write(path, picture.with_pixels(confined))
        return [*found, psnr(read(path).pixels, x)]


if __name__ == "__main__":
    raise SystemExit(main())
