"""Peak memory and time of ``vdir restore`` on a 48-megapixel photo: python benchmarks/memory.py [restore options]

Without shipped weights a randomly initialised fast model takes their place; memory and time are the same.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 8000, 6000
LIMIT = 2.0
"""Gigabytes."""


def photo() -> np.ndarray:
    """Smooth shapes and noise, as compressible as a noisy photo. (HEIGHT, WIDTH, 3), uint8."""
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    ramp = (np.sin(x / 173) * np.cos(y / 211) * 80 + 128).astype(np.float32)
    rng = np.random.default_rng(0)
    rows = [
        np.clip(ramp[i : i + 500, :, None] + rng.normal(0, 20, (500, WIDTH, 3)), 0, 255).astype(np.uint8)
        for i in range(0, HEIGHT, 500)
    ]
    return np.concatenate(rows)


def stand_in(folder: Path) -> list[str]:
    """The options that name random weights, if none are shipped."""
    from vdir import hub
    from vdir.model import VDIR, Architecture, Kind

    if hub.shipped():
        return []
    card = hub.Card("gaussian", "fast", {}, {}, "none: random", 0, 0, "", "", {}, {})
    return ["--weights", str(hub.save(VDIR(Architecture(kind=Kind.FAST)), folder, "random", card))]


def main() -> int:
    """Measure, print, and return 1 if the limit is exceeded."""
    from vdir.image import Format, Picture, write

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "photo.jpg", Picture(photo(), format=Format.JPEG))
        command = [sys.executable, "-m", "vdir", "restore", str(folder / "photo.jpg"), "-o", str(folder / "out")]
        started = time.perf_counter()
        code = subprocess.run([*command, *stand_in(folder), *sys.argv[1:]], check=False).returncode
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # kilobytes on Linux
    print(f"{WIDTH * HEIGHT / 1e6:.0f} megapixels: {seconds:.0f} s, peak resident memory {peak:.2f} GB (limit {LIMIT})")
    return code or int(peak > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
