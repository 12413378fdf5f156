"""Crops of enlarged pictures: the small file, its bicubic enlargement, ours, and the original it was made from.

    python reproduce/enlarged.py BENCHMARKS/Set5/butterfly.png BENCHMARKS/BSD100/8023.png --out docs/enlarged.jpg

Each picture is made small by Pillow, by ``--resizer``, as people's files are. Shown is the part with the most fine
detail; below it stands the PSNR of luma over the whole picture, without as many pixels of border as the factor.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from undegrade.analysis.figures import style
from undegrade.inference.load import load_pipeline

CROP = 96
RESIZERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="clean pictures")
    parser.add_argument("--task", choices=("sr-x2", "sr-x4"), nargs="+", default=["sr-x2", "sr-x4"])
    parser.add_argument("--weights", type=Path, nargs="+", help="one for each task (default: those of the package)")
    parser.add_argument("--resizer", choices=RESIZERS, default="area")
    parser.add_argument("--out", type=Path, required=True, help="PNG, or JPEG for a page")
    args = parser.parse_args()
    pipelines = [
        load_pipeline(t, weights=w) for t, w in zip(args.task, args.weights or [None] * len(args.task), strict=True)
    ]
    rows = [(pipeline, file) for pipeline in pipelines for file in args.files]
    with style.figure(style.WIDTH / 4 * len(rows) + 0.3) as drawn:
        grid = drawn.subplots(len(rows), 4, squeeze=False)
        for row, (pipeline, file) in enumerate(rows):
            places = grid[row]
            s = pipeline.task.degradation.scale
            shown = views(file, s, pipeline, RESIZERS[args.resizer])
            part = busiest(shown["original"], 2 * s)
            for place, (name, picture) in zip(places, shown.items(), strict=True):
                style.picture(place, picture[part], None if row else name.partition("-")[0].replace("sr", "undegrade"))
                if name not in ("original", "small file"):
                    measured = pipeline.task.protocol.measure(shown["original"], picture)["psnr"]
                    place.set_xlabel(f"{measured:.2f} dB", fontsize=8, labelpad=2)
                    print(f"{pipeline.task.name} {file.name} {name}: {measured:.2f} dB")
            places[0].set_ylabel(f"x{s}, {file.stem.partition('_')[0]}", fontsize=8)
        style.save(drawn, args.out)
    return 0


def views(file: Path, s: int, pipeline, resizer: Image.Resampling) -> dict[str, np.ndarray]:
    """All at the size of the original, cropped to a multiple of s."""
    with Image.open(file) as image:
        large = image.convert("RGB")
    large = large.crop((0, 0, large.width // s * s, large.height // s * s))
    small = large.resize((large.width // s, large.height // s), resizer)
    return {
        "small file": np.asarray(small).repeat(s, 0).repeat(s, 1),
        "bicubic": np.asarray(small.resize(large.size, Image.Resampling.BICUBIC)),
        pipeline.task.name: pipeline.restore(np.asarray(small)),
        "original": np.asarray(large),
    }


def busiest(image: np.ndarray, step: int) -> tuple[slice, slice]:
    """The square with the largest mean gradient."""
    size = np.hypot(*np.gradient(image.astype(float).mean(2)))
    total = np.pad(size.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    top = np.arange(0, size.shape[0] - CROP + 1, step)[:, None]
    left = np.arange(0, size.shape[1] - CROP + 1, step)
    sums = total[top + CROP, left + CROP] - total[top, left + CROP] - total[top + CROP, left] + total[top, left]
    i, j = np.unravel_index(sums.argmax(), sums.shape)
    return slice(i * step, i * step + CROP), slice(j * step, j * step + CROP)


if __name__ == "__main__":
    raise SystemExit(main())
