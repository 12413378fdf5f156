"""BMP: a header of fixed fields, a palette, rows. Only read; Pillow decodes it, since libvips has no decoder for it."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from undegrade.image.picture import MAX_METADATA, Header, Metadata, Refusal, damaged

HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Sizes of the header after the first 14 bytes; the first has numbers of 16 bits, the last may have a profile."""
_BITS = (1, 4, 8, 16, 24, 32)
_PLAIN, _BITFIELDS, _RLE = 0, 3, (1, 2)
_EMBEDDED = b"DEBM"


def header(file: BinaryIO) -> Header:
    """Read the header of a BMP file; see :class:`Header`.

    Raises:
        Refusal: it is damaged, or of a kind that is not decoded.
    """
    file.seek(14)
    start = file.read(HEADERS[-1])
    size, compression, resolution = int.from_bytes(start[:4], "little"), _PLAIN, None
    if len(start) < min(size, 36) or size not in HEADERS:
        raise damaged("it ends in its header")
    if size == HEADERS[0]:
        w, h, _, bits = struct.unpack("<4H", start[4:12])
    else:
        w, h, _, bits, compression, _, x, y = struct.unpack("<iiHHIIii", start[4:32])
        if x > 0 and y > 0:
            resolution = (x / 1000, y / 1000)
    if w < 1 or h == 0 or abs(h) >= 2**24 or bits not in _BITS:
        raise damaged(f"{w} x {abs(h)} pixels of {bits} bits")
    if compression not in (_PLAIN, _BITFIELDS, *_RLE):
        raise Refusal(f"has a compression (number {compression}) that is not supported", "save it as PNG")
    least = 0 if compression in _RLE else abs(h) * ((w * bits + 31) // 32 * 4)
    return Header(w, abs(h), least, resolution=resolution, metadata=Metadata(icc=_profile(file, start, size)))


def pixels(file: BinaryIO) -> npt.NDArray[Any]:
    """Decode it: uint8, (H, W, 1), (H, W, 3), or (H, W, 4) with alpha.

    Raises:
        Refusal: it is damaged, or of a kind that is not decoded.
    """
    from PIL import BmpImagePlugin

    try:
        # Not Image.open, whose own limit of pixels is for the whole process; the header is already checked.
        image = BmpImagePlugin.BmpImageFile(file)
        stored = np.asarray(image.convert({"1": "L", "P": "RGB"}[image.mode]) if image.mode in ("1", "P") else image)
    except MemoryError:
        raise
    except Exception as error:  # broken files make it raise many kinds
        if str(error).startswith("Unsupported"):
            raise Refusal("is a BMP of a kind that is not decoded here", "convert it to PNG") from error
        raise damaged(str(error).partition("\n")[0] or type(error).__name__) from error
    if stored.ndim == 3 and stored.shape[2] == 4 and not stored[..., 3].any():
        # Programs that write 32 bits without transparency leave the fourth byte 0; other readers ignore it then.
        stored = stored[..., :3]
    return stored if stored.ndim == 3 else stored[..., None]


def _profile(file: BinaryIO, start: bytes, size: int) -> bytes | None:
    """The colour profile that lies in the file."""
    if size != HEADERS[-1] or start[56:60] != _EMBEDDED:
        return None
    at, length = struct.unpack("<II", start[112:120])
    if not 0 < length <= MAX_METADATA:
        return None
    file.seek(14 + at)
    found = file.read(length)
    return found if len(found) == length else None
