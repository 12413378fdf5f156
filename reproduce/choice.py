"""How often ``vdir restore`` without a task restores: python reproduce/choice.py FOLDER [--sigma 0 5]

On the top left 256 x 256 of every image in a folder of clean images, with white noise added; at sigma 0 none should be
restored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import vdir
from vdir.choose import choose


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--sigma", type=float, nargs="+", default=[0, 3, 5, 8, 12])
    args = parser.parse_args()
    files = sorted(p for p in args.folder.iterdir() if p.is_file())[:: args.every]
    for sigma in args.sigma:
        restored = 0
        for file in files:
            clean = np.asarray(Image.open(file).convert("RGB"), np.float32)[:256, :256] / 255
            noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
            restored += choose(clean + np.float32(sigma / 255) * noise, vdir.load).pipeline is not None
        print(f"sigma {sigma:g}: {restored} of {len(files)} restored")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
