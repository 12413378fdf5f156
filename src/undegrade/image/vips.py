"""libvips: import at first use, suppress its warnings, and read and write open files with changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.image.picture import Picture, Pixels


def load() -> ModuleType:
    """The module pyvips. ``import undegrade`` and training do not need it."""
    # Without a logging handler its warnings would go to standard error. Real problems are raised as errors.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise UndegradeError(
            f"picture files need libvips, which cannot be loaded ({error}); run: pip install 'pyvips[binary]'."
        ) from error
    module: ModuleType = pyvips
    return module


def image_of(picture: Picture, *, colour: bool) -> Any:
    """A libvips image with the pixels, alpha and resolution of a picture; grey as three channels if ``colour``."""
    vips = load()

    def plane(array: Pixels) -> Any:
        h, w = array.shape[:2]
        kind = "uchar" if array.dtype == np.uint8 else "ushort"
        return vips.Image.new_from_memory(np.ascontiguousarray(array), w, h, array.size // (h * w), kind)

    image = plane(picture.pixels)
    if picture.grey and colour:
        image = image.bandjoin([image, image])
    if picture.alpha is not None:
        image = image.bandjoin(plane(picture.alpha))
    wide = picture.pixels.dtype == np.uint16
    kind = ("rgb16" if wide else "srgb") if colour or not picture.grey else ("grey16" if wide else "b-w")
    x, y = picture.resolution
    return image.copy(interpretation=kind, xres=x, yres=y)


def attach(image: Any, name: str, block: bytes | None) -> None:
    """Add metadata to an image under libvips' field name."""
    if block is not None:
        image.set_type(load().GValue.blob_type, name, block)


class Patched:
    """A file as a libvips source, with some bytes replaced or added after its end.

    Args:
        file: the file to read.
        patches: offset -> bytes.
    """

    def __init__(self, file: BinaryIO, patches: Mapping[int, bytes]) -> None:
        self._file, self._patches = file, patches
        self._at, self._end = 0, max([file.seek(0, 2), *(place + len(patch) for place, patch in patches.items())])
        self.source = load().SourceCustom()
        self.source.on_read(self._read)
        self.source.on_seek(self._seek)

    def _read(self, size: int) -> bytes | None:
        try:
            self._file.seek(self._at)
            data = self._file.read(size)
        except OSError:  # exceptions cannot pass through C code
            return None
        start, stop = self._at, min(self._at + size, self._end)
        for place, patch in self._patches.items():
            low, high = max(place, start), min(place + len(patch), stop)
            if low < high:
                data = data.ljust(high - start, b"\0")
                data = data[: low - start] + patch[low - place : high - place] + data[high - start :]
        self._at += len(data)
        return data

    def _seek(self, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at


class Spliced:
    """A libvips target that inserts a block near the start of the written file.

    Args:
        file: the file to write.
        skip: called with the first bytes; returns how many of them precede the block, and how many it replaces.
        block: the bytes to insert.
    """

    def __init__(self, file: BinaryIO, skip: Callable[[bytes], tuple[int, int]], block: bytes) -> None:
        self._file, self._skip, self._block = file, skip, block
        self._started = False
        self._error: OSError | None = None
        self.target = load().TargetCustom()
        self.target.on_write(self._write)

    def __enter__(self) -> Spliced:
        return self

    def __exit__(self, *_: object) -> None:
        if self._error is not None:  # libvips itself reports only that writing failed
            raise self._error

    def _write(self, data: bytes) -> int:
        try:
            if self._started:
                self._file.write(data)
            else:
                after, dropped = self._skip(bytes(data))
                self._file.write(bytes(data[:after]) + self._block + bytes(data[after + dropped :]))
                self._started = True
        except OSError as error:  # exceptions cannot pass through C code
            self._error = error
            return -1
        return len(data)
