"""WebP: chunks in a RIFF container. https://developers.google.com/speed/webp/docs/riff_container"""

from __future__ import annotations

import struct
from typing import BinaryIO

from undegrade.image import vips
from undegrade.image.limits import check_metadata
from undegrade.image.picture import ONE_FRAME, Header, Picture, Refusal, damaged

SAVED_QUALITY = 95
_ANIMATED, _HAS_XMP, _HAS_EXIF, _HAS_ALPHA, _HAS_ICC = 0x02, 0x04, 0x08, 0x10, 0x20
_MAX_CHUNKS = 10_000


def header(file: BinaryIO) -> Header:
    """Read the header of a WebP file; see :class:`Header`.

    There is no lower bound on the file size: lossless files store millions of equal pixels in a few bytes.

    Raises:
        Refusal: it is damaged or animated.
    """
    file.seek(12)
    size: tuple[int, int] | None = None
    lossless, held = False, 0
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        start = file.read(min(length, 10))
        if name in (b"ANIM", b"ANMF") or (name == b"VP8X" and start[:1] and start[0] & _ANIMATED):
            raise Refusal("is animated", ONE_FRAME)
        if name in (b"VP8 ", b"VP8L"):
            size, lossless = size or _size(start), name == b"VP8L"
        elif name != b"ALPH":
            held += length
            check_metadata(held)
        file.seek(length - len(start) + length % 2, 1)
    if size is None:
        raise damaged("it has no pixels")
    return Header(*size, lossless=lossless)


def save(picture: Picture, file: BinaryIO) -> None:
    """Write a WebP file, lossless if the source was, else of quality 95."""
    image = vips.image_of(picture, colour=True)
    # exact: keep the colours of fully transparent pixels
    how = {"lossless": True, "exact": True} if picture.lossless else {"Q": SAVED_QUALITY, "smart_subsample": True}
    m = picture.metadata
    file.write(_with_metadata(image.webpsave_buffer(keep="none", **how), picture, m.icc, m.exif, m.xmp))


def _size(start: bytes) -> tuple[int, int]:
    if len(start) >= 10 and start[3:6] == b"\x9d\x01\x2a":
        w, h = struct.unpack("<HH", start[6:10])
        w, h = w & 0x3FFF, h & 0x3FFF
    elif len(start) >= 5 and start[0] == 0x2F:
        bits = int.from_bytes(start[1:5], "little")
        w, h = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise damaged("it has no pixels")
    if not (w and h):
        raise damaged(f"{w} x {h} pixels")
    return w, h


def _with_metadata(data: bytes, picture: Picture, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> bytes:
    """The encoder's output with metadata added; chunks in the order that the format requires."""
    if icc is None and exif is None and xmp is None:
        return data
    pixels, at = b"", 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] in (b"ALPH", b"VP8 ", b"VP8L"):
            pixels += data[at : at + 8 + length + length % 2]
        at += 8 + length + length % 2
    flags = sum(
        flag
        for flag, there in (
            (_HAS_ICC, icc is not None),
            (_HAS_ALPHA, picture.alpha is not None),
            (_HAS_EXIF, exif is not None),
            (_HAS_XMP, xmp is not None),
        )
        if there
    )
    h, w = picture.pixels.shape[:2]
    canvas = struct.pack("<I", flags) + (w - 1).to_bytes(3, "little") + (h - 1).to_bytes(3, "little")
    body = (
        b"WEBP" + _chunk(b"VP8X", canvas) + _chunk(b"ICCP", icc) + pixels + _chunk(b"EXIF", exif) + _chunk(b"XMP ", xmp)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunk(name: bytes, data: bytes | None) -> bytes:
    return b"" if data is None else name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
