"""PNG: chunks after a signature. https://www.w3.org/TR/png-3/"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from undegrade.image import vips
from undegrade.image.limits import check_metadata
from undegrade.image.picture import (
    MAX_METADATA,
    ONE_FRAME,
    Header,
    Metadata,
    Picture,
    Refusal,
    damaged,
    space_of,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp\0"
_SRGB = {b"sRGB": None, b"cICP": b"\x01\x0d\x00\x01", b"gAMA": struct.pack(">I", 45_455)}
"""Values of colour chunks that mean sRGB. None: any value does."""
_SRGB_CHRM = struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_DEFLATE = 1032
"""Highest compression ratio of deflate."""
_MAX_CHUNKS = 1_000_000
_MAX_OTHERS = 10_000
"""Most chunks that are not of pixels. libpng warns of each that is wrong, which takes longer than to read it."""
_TOO_MANY = "it has too many chunks"
_AFTER_HEADER = 8 + 25


def header(file: BinaryIO) -> Header:
    """Read the header of a PNG file; see :class:`Header`.

    Raises:
        Refusal: it is damaged or animated.
    """
    file.seek(8)
    start = file.read(25)
    if start[4:8] != b"IHDR" or len(start) < 25:
        raise damaged("it does not start with a header")
    w, h, bits, kind = struct.unpack(">IIBB", start[8:18])
    if not (w and h and bits in _DEPTHS.get(kind, ())):
        raise damaged(f"{w} x {h} pixels of kind {kind} and {bits} bits")
    colour: list[bytes] = []
    comments: list[bytes] = []
    room, held, others = MAX_METADATA, 0, 0
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        size, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or name == b"IEND":
            break
        if name != b"IDAT":
            held, others = held + size, others + 1
            check_metadata(held)
        if others > _MAX_OTHERS:
            raise damaged(_TOO_MANY)
        if name == b"acTL":
            raise Refusal("is animated", ONE_FRAME)
        if name in _COLOUR + _TEXT and size <= room:
            room -= size
            chunk = head + file.read(size + 4)
            if len(chunk) < size + 12 or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                continue
            if name in _COLOUR:
                colour.append(chunk)
            elif not chunk[8:].startswith(_XMP):
                comments.append(chunk)
        else:
            file.seek(size + 4, 1)
    else:
        raise damaged(_TOO_MANY)
    if _says_srgb(colour):  # as comments: other formats may drop these chunks without loss
        comments, colour = colour + comments, []
    row = -(-w * bits * _CHANNELS[kind] // 8) + 1
    return Header(w, h, h * row // _DEFLATE, metadata=Metadata(colour=tuple(colour), comments=tuple(comments)))


def save(picture: Picture, file: BinaryIO) -> None:
    """Write a PNG file with compression level 6."""
    m = picture.metadata
    # A grey PNG cannot have an RGB profile, as other grey files can.
    image = vips.image_of(picture, colour=not picture.grey or space_of(m.icc) == "RGB")
    vips.attach(image, "icc-profile-data", m.icc)
    own = m.colour + m.comments if m.icc is None else tuple(c for c in m.colour + m.comments if c[4:8] != b"sRGB")
    if m.exif is not None:
        own += (_chunk(b"eXIf", m.exif),)
    if m.xmp is not None:
        own += (_chunk(b"iTXt", _XMP + bytes(4) + m.xmp),)
    spliced = vips.Spliced(file, lambda _: (_AFTER_HEADER, 0), b"".join(own))
    with spliced:
        image.pngsave_target(spliced.target, keep="icc", compression=6)


def text_chunk(keyword: str, text: str) -> bytes:
    """A comment as it is stored, for :attr:`Metadata.comments`.

    Args:
        keyword: one of the registered ones, e.g. ``"Description"``.
        text: of Latin-1 characters.
    """
    return _chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))


def _says_srgb(chunks: list[bytes]) -> bool:
    values = {chunk[4:8]: chunk[8:-4] for chunk in chunks}
    for name in (b"cICP", b"sRGB"):  # cICP has priority over sRGB, and sRGB over gAMA and cHRM
        if name in values:
            return _SRGB[name] in (None, values[name])
    gamma = struct.unpack(">I", values[b"gAMA"])[0] if len(values.get(b"gAMA", b"")) == 4 else 45_455
    return abs(gamma - 45_455) <= 500 and values.get(b"cHRM", _SRGB_CHRM) == _SRGB_CHRM


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
