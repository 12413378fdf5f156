"""Peak memory and time of ``undegrade restore`` on large pictures: python benchmarks/memory.py [--megapixels 48 200]
[...]

The limit of the memory is 200 MB and twice the picture's own bytes; 1 is returned where it is exceeded.

Options that are not its own go to ``undegrade restore``. ``--io`` measures what is not the network: the picture is
read, copied in place of being restored, and written. Without shipped weights a randomly initialised fast model takes
their place; memory and time are the same. Linux and macOS.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BASE, TIMES = 200e6, 2
"""The limit: so many bytes, and so many times those of the picture's pixels."""
ROWS = 500
COPY = """
import sys
from pathlib import Path
import numpy as np
from undegrade.image import read, write
picture = read(Path(sys.argv[1]))
copy = np.empty(picture.pixels.shape, picture.pixels.dtype)
for row in range(0, len(copy), 512):
    copy[row : row + 512] = picture.pixels[row : row + 512]
write(Path(sys.argv[2]), picture.with_pixels(copy))
"""


def photo(megapixels: float) -> np.ndarray:
    """Smooth shapes and noise, as compressible as a noisy photo. 4:3, (H, W, 3), uint8."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    x = np.arange(width)
    rng = np.random.default_rng(0)
    made = np.empty((height, width, 3), np.uint8)
    for row in range(0, height, ROWS):
        y = np.arange(row, min(row + ROWS, height))[:, None]
        ramp = (np.sin(x / 173) * np.cos(y / 211) * 80 + 128).astype(np.float32)[..., None]
        noise = rng.standard_normal((*ramp.shape[:2], 3), np.float32)
        made[row : row + ROWS] = np.clip(ramp + 20 * noise, 0, 255)
    return made


def prepare(source: Path, megapixels: float, format: str) -> None:
    """The picture, and random weights beside it if none are shipped."""
    from undegrade.image import Format, Picture, write
    from undegrade.model.architecture import Architecture
    from undegrade.model.vdir import VDIR
    from undegrade.weights.card import Card, save_weights, shipped_cards

    write(source, Picture(photo(megapixels), format=Format(format)))
    if not shipped_cards():
        card = Card("gaussian", "fast", {}, {}, "none: random", 0, 0, "", "", {}, {})
        save_weights(VDIR(Architecture(restorer="fast")), source.parent, "random", card)


def measure(command: list[str]) -> tuple[int, float, float]:
    """Run a command: its exit code, seconds, and peak resident gigabytes."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.perf_counter() - started, usage.ru_maxrss / 1e6  # kilobytes on Linux


def main() -> int:
    """Measure, print, and return 1 if the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=[48.0], metavar="M", help="of each picture (default: 48)"
    )
    parser.add_argument("--format", default="tiff", help="of the picture (default: tiff)")
    parser.add_argument("--io", action="store_true", help="leave out the network")
    args, others = parser.parse_known_args()
    failed = False
    if not args.io:
        print(f"options: {' '.join(others) or 'none'}", flush=True)
    for megapixels in args.megapixels:
        with tempfile.TemporaryDirectory() as name:
            source, folder = Path(name) / "photo", Path(name) / "out"
            # Elsewhere: at first a process has, by the system's count, the memory of the one that started it.
            other = multiprocessing.get_context("spawn").Process(target=prepare, args=(source, megapixels, args.format))
            other.start()
            other.join()
            if args.io:
                command = [sys.executable, "-c", COPY, str(source), str(folder)]
            else:
                weights = [f"--weights={found}" for found in Path(name).glob("*.safetensors")]
                command = [
                    sys.executable,
                    "-m",
                    "undegrade",
                    "restore",
                    str(source),
                    "-o",
                    str(folder),
                    *weights,
                    *others,
                ]
            code, seconds, peak = measure(command)
        what = f"{megapixels:g} megapixels as {args.format}{', files alone' if args.io else ''}"
        limit = (BASE + TIMES * 3e6 * megapixels) / 1e9
        took = f"{seconds:.1f} s ({seconds / megapixels:.2f} s per megapixel)"
        print(f"{what}: {took}, peak resident memory {peak:.2f} GB (limit {limit:.2f})", flush=True)
        failed = failed or bool(code) or peak > limit
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
