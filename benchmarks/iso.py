"""Noise level by ISO of the photographs of CC15: python benchmarks/iso.py BENCHMARKS

Root mean square of the difference between one shot and the mean of many, in 8-bit levels. The page's words for a noise
level (``undegrade.files.readings``) take the value at ISO 3200.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from PIL import Image


def main(benchmarks: Path) -> None:
    """Print the noise level of each ISO."""
    squares: dict[int, list[float]] = {}
    for real in sorted((benchmarks / "CC15" / "real").iterdir()):
        mean = benchmarks / "CC15" / "mean" / real.name.replace("_real", "_mean")
        one, many = (np.asarray(Image.open(path).convert("RGB"), np.float64) for path in (real, mean))
        iso = int(re.search(r"iso(\d+)", real.name)[1])
        squares.setdefault(iso, []).append(float(np.square(one - many).mean()))
    for iso, values in sorted(squares.items()):
        print(f"ISO {iso}: {np.mean(values) ** 0.5:.1f} levels ({len(values)} photographs)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks", type=Path, metavar="BENCHMARKS", help="folder with CC15")
    folder = parser.parse_args().benchmarks
    if not (folder / "CC15" / "real").is_dir():
        parser.error(f"there is no CC15/real in {folder}; give the folder of the benchmarks")
    main(folder)
