"""Pictures for the page: what a browser cannot show itself, thumbnails, and planes of numbers as grey pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade import image
from undegrade.image import Format, Picture
from undegrade.inference.arrays import from_float, to_float
from undegrade.inference.ranges import Range, find_range

SHOWN = (Format.PNG, Format.JPEG, Format.WEBP, Format.AVIF)
"""The formats that browsers show."""
THUMBNAIL = 192
"""Longest side of a thumbnail, in pixels."""
OVERLAY = 1024
"""Longest side of a plane of numbers, in pixels."""


def needs_view(format: Format, black_and_white: Range) -> bool:
    """Whether a browser needs another file to show the picture."""
    return format not in SHOWN or not black_and_white.is_full


def range_of(picture: Picture) -> Range:
    """The values of a picture that are shown as black and white."""
    return find_range(picture.visible)


def write_view(path: Path, picture: Picture, black_and_white: Range) -> None:
    """An 8-bit PNG of a picture, with its colour profile and transparency.

    Raises:
        UndegradeError: the file cannot be written.
    """
    alpha = picture.alpha
    shown = Picture(
        _bytes(picture.pixels, black_and_white),
        None if alpha is None else from_float(to_float(alpha), np.dtype(np.uint8)),
        metadata=picture.metadata.stripped(),
    )
    image.write(path, shown, Format.PNG)


def write_thumbnail(path: Path, picture: Picture, black_and_white: Range) -> None:
    """A small PNG of a picture; of a large one, a few pixels of each block are averaged."""
    step = max(max(picture.pixels.shape[:2]) // (4 * THUMBNAIL), 1)
    some = picture.pixels[::step, ::step]
    floats = to_float(some) if black_and_white.is_full else black_and_white.scaled(some)
    small = reduced(floats, -(-max(some.shape[:2]) // THUMBNAIL))
    image.write(path, Picture(from_float(small, np.dtype(np.uint8)), metadata=picture.metadata.stripped()), Format.PNG)


def write_plane(path: Path, plane: npt.NDArray[np.float32], low: float, high: float) -> None:
    """A plane of numbers as 8-bit grey: ``low`` is black and ``high`` is white."""
    smaller = reduced(plane, -(-max(plane.shape) // OVERLAY))
    grey = from_float((smaller - np.float32(low)) / np.float32(max(high - low, 1e-6)), np.dtype(np.uint8))
    image.write(path, Picture(grey), Format.PNG)


def reduced(x: npt.NDArray[np.float32], times: int) -> npt.NDArray[np.float32]:
    """The means of blocks of (H, W, ...); what is left over at the right and at the bottom counts to no block."""
    if times <= 1:
        return x
    rows, columns = (max(n // times, 1) for n in x.shape[:2])
    tall, wide = min(times, x.shape[0]), min(times, x.shape[1])
    blocks = x[: rows * tall, : columns * wide].reshape(rows, tall, columns, wide, *x.shape[2:])
    means: npt.NDArray[np.float32] = blocks.mean((1, 3), dtype=np.float32)
    return means


def _bytes(pixels: npt.NDArray[Any], black_and_white: Range) -> npt.NDArray[np.uint8]:
    made = np.empty(pixels.shape, np.uint8)
    for row in range(0, len(pixels), 512):
        strip = pixels[row : row + 512]
        floats = to_float(strip) if black_and_white.is_full else black_and_white.scaled(strip)
        made[row : row + 512] = from_float(floats, made.dtype)
    return made
