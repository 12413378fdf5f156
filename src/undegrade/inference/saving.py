"""Writes a restored image to a file, with what the given one said about itself."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.image import Format, Metadata, Picture, copy, exif, read, write
from undegrade.image.picture import SIDEWAYS, WRITTEN_SUFFIXES, space_of, upright
from undegrade.inference.arrays import Layout, from_float, to_float
from undegrade.inference.pil import is_pil, said_by


def save(image: Any, given: Any, path: str | os.PathLike[str], strip_metadata: bool = False) -> None:
    """Write an image; see :meth:`Restoration.save`.

    Args:
        image: an array, a tensor or an image of Pillow.
        given: what it was made from, for its metadata; a :class:`Picture`, an image of Pillow, or anything else.
        path: of the file.
        strip_metadata: see :func:`undegrade.image.write`.

    Raises:
        UndegradeError: see :meth:`Restoration.save`.
    """
    if not isinstance(path, str | os.PathLike):
        raise UndegradeError(f"{path!r:.60} is not the name of a file; give a text or a Path.")
    path = Path(path)
    format = Format.of_name(path)
    if format is None or not format.is_written:
        raise UndegradeError(f"{path}: this name is of no format that is written; end it in {WRITTEN_SUFFIXES}.")
    if not strip_metadata and (same := _file_with(image, given, format)) is not None:
        copy(same, path)
        return
    layout = Layout.of(image)
    images = layout.images(image)
    if len(layout.shape) == 4:
        raise UndegradeError(f"{path}: this is a batch of {len(images)} images; restore and save them one at a time.")
    pixels, alpha = _integers(images[0], format), layout.alpha
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    alpha = None if alpha is None else _integers(np.asarray(alpha).reshape(pixels.shape[:2]), format)
    write(path, _described(pixels, alpha, given), format, strip_metadata=strip_metadata)


def _file_with(image: Any, given: Any, format: Format) -> Path | None:
    """The file that an image was read from, if it still holds this very image in this format.

    To encode it once more would cost quality and time, and lose what only the file has.
    """
    if not isinstance(given, Picture) or given.file is None or given.format is not format:
        return None
    if not isinstance(image, np.ndarray) or not _is_equal(image, given.array):
        return None
    try:
        now = read(given.file, given.pixels.shape[0] * given.pixels.shape[1])
    except UndegradeError:  # it is gone, or another picture
        return None
    return given.file if now.metadata == given.metadata and _is_equal(image, now.array) else None


def _is_equal(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> bool:
    return x.dtype == y.dtype and np.array_equal(x, y)


def _integers(x: npt.NDArray[Any], format: Format) -> npt.NDArray[Any]:
    """Floats as the largest integers of a format."""
    if not np.issubdtype(x.dtype, np.floating):
        return x
    return from_float(to_float(x), np.dtype(np.uint16 if format.max_bits == 16 else np.uint8))


def _described(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None, given: Any) -> Picture:
    """Pixels with the metadata of what was given."""
    if isinstance(given, Picture):
        return dataclasses.replace(given, pixels=pixels, alpha=alpha)
    if not is_pil(given):
        return Picture(pixels, alpha)
    said = said_by(given)
    pixels = upright(pixels, said.orientation)
    alpha = None if alpha is None else upright(alpha, said.orientation)
    spaces = ("GRAY", "RGB") if pixels.ndim == 2 else ("RGB",)
    metadata: Metadata = said.metadata
    if space_of(metadata.icc) not in spaces:
        metadata = dataclasses.replace(metadata, icc=None)
    metadata, _ = exif.clean(metadata, pixels.shape[1], pixels.shape[0], exif.orientation(metadata.exif) is not None)
    resolution = said.resolution[::-1] if said.orientation in SIDEWAYS else said.resolution
    return Picture(pixels, alpha, metadata=metadata, resolution=resolution)
