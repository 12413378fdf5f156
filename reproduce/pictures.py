"""Which pictures of a folder a study looks at."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undegrade.analysis.samples import read
from undegrade.data.catalogue import SUFFIXES
from undegrade.errors import UndegradeError

RESIZERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}
"""Pillow's resizers that make files small as people's are."""


def add_arguments(parser: argparse.ArgumentParser, images: int | None = None) -> None:
    """The folder, and how many of its pictures: ``images`` if nobody says otherwise, None for all."""
    parser.add_argument("folder", type=Path, help="clean pictures, searched below")
    default = "all" if images is None else str(images)
    parser.add_argument(
        "--images", type=int, default=images, metavar="N", help=f"only N, evenly spread (default: {default})"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th (default: 1)")


def picked(args: argparse.Namespace) -> list[Path]:
    """The pictures that these arguments ask for, in the order of their names.

    Raises:
        UndegradeError: there are none, or the arguments make no sense.
    """
    if args.every < 1 or (args.images is not None and args.images < 1):
        raise UndegradeError("--images and --every must be at least 1.")
    files = sorted(p for p in args.folder.rglob("*") if p.suffix.lower() in SUFFIXES)[:: args.every]
    if not files:
        raise UndegradeError(f"no pictures are in {args.folder}; give a folder that holds some.")
    if args.images is None:
        return files
    return files[:: max(len(files) // args.images, 1)][: args.images]


def rgb(file: Path) -> NDArray[np.uint8]:
    """(H, W, 3), 8 bits.

    Raises:
        UndegradeError: it cannot be decoded.
    """
    return read(file, 3)


def with_noise(clean: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise of this level added, in [0, 1] but not clipped."""
    noise = rng.standard_normal(clean.shape, np.float32)
    noisy: NDArray[np.float32] = clean.astype(np.float32) / 255 + np.float32(sigma / 255) * noise
    return noisy
