"""JPEG: segments before the first scan. ITU-T T.81, JFIF, EXIF, and Adobe's segments."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

from undegrade.degrade.jpeg import nearest_quality
from undegrade.image import exif, vips
from undegrade.image.limits import check_metadata
from undegrade.image.picture import MAX_METADATA, Coding, Header, Metadata, Picture, Refusal, damaged

SAVED_QUALITY = 95
SAVED_QUALITY_HIGH = 98
"""If the source was a JPEG of :data:`HIGH_QUALITY` or better: saving must not cost more than the restoration gained."""
HIGH_QUALITY = 85
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_ICC = b"ICC_PROFILE\0"
_GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1")
_SOI, _SOS, _EOI, _APP0, _APP1, _APP2 = 0xD8, 0xDA, 0xD9, 0xE0, 0xE1, 0xE2
_APP13, _APP14, _COM, _DQT = 0xED, 0xEE, 0xFE, 0xDB
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_DECODED, _HUFFMAN = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}, {0xC0, 0xC1, 0xC2}
_BLOCKS = 4 * 8 * 64
"""Most pixels per byte: one bit for each block of 64 pixels, with the coarsest allowed sampling of chroma."""
_MAX_SEGMENTS = 10_000
_SEGMENT = 65_533
_FILL = 1 << 16


def header(file: BinaryIO) -> Header:
    """Read the header of a JPEG file; see :class:`Header`.

    Raises:
        Refusal: it is damaged, or of a kind that is not decoded.
    """
    frame: tuple[int, bytes] | None = None
    comments: list[bytes] = []
    photoshop = bytearray()
    gain_map = False
    stored: dict[int, bytes] = {}
    rgb = False
    room, held = MAX_METADATA, 0
    file.seek(2)
    for _ in range(_MAX_SEGMENTS):
        marker, data = _segment(file)
        held += len(data)
        check_metadata(held)
        if marker in _FRAMES:
            frame = marker, data
        elif marker == _DQT:
            stored |= _tables(data)
        elif marker == _APP14 and data.startswith(b"Adobe"):
            rgb = data[11:12] == b"\0"  # Adobe's flag for RGB instead of YCbCr; also used for CMYK
        elif marker == _APP13 and data.startswith(_PHOTOSHOP) and len(data) <= room:
            room -= len(data)
            photoshop += data[len(_PHOTOSHOP) :]
        elif (marker == _COM or (marker == _APP1 and data.startswith(_MORE_XMP))) and len(data) <= room:
            room -= len(data)
            comments.append(_pack(marker, data))
        gain_map = gain_map or (marker in (_APP1, _APP2) and any(name in data for name in _GAIN_MAPS))
        if marker in (_SOS, _EOI):
            break
    tables = {number: _in_rows(table) for number, table in stored.items()}
    if frame is None or len(frame[1]) < 6:
        raise damaged("it does not say its size")
    kind, (bits, h, w) = frame[0], struct.unpack(">BHH", frame[1][:5])
    if kind not in _DECODED:
        raise Refusal("is a lossless or hierarchical JPEG, which is not decoded here", "convert it to PNG or TIFF")
    if bits != 8:
        raise Refusal(
            f"has {bits} bits per channel, which is not decoded here from a JPEG", "convert it to PNG or TIFF"
        )
    if not (w and h):
        raise damaged(f"{w} x {h} pixels")
    return Header(
        w,
        h,
        w * h // _BLOCKS if kind in _HUFFMAN else 0,
        metadata=Metadata(photoshop=bytes(photoshop) or None, comments=tuple(comments)),
        quality=nearest_quality(np.array(tables[0])) if 0 in tables else None,
        coding=None if rgb else _coding(frame[1], tables),
        notes=("left out a gain map: the picture is the one for ordinary screens",) if gain_map else (),
    )


def save(picture: Picture, file: BinaryIO) -> None:
    """Write a JPEG file of quality 95, or 98 (see :data:`SAVED_QUALITY_HIGH`), with full colour resolution."""
    fine = picture.quality is not None and picture.quality >= HIGH_QUALITY
    spliced = vips.Spliced(file, _after_start, _segments(picture))
    image = vips.image_of(picture, colour=not picture.grey)
    with spliced:
        # Optimised Huffman tables would save 5 % of the file, but need all coefficients in memory: 0.6 GB at 48 MP.
        image.jpegsave_target(
            spliced.target, keep="none", Q=SAVED_QUALITY_HIGH if fine else SAVED_QUALITY, subsample_mode="off"
        )


def _segment(file: BinaryIO) -> tuple[int, bytes]:
    """The next marker and its data."""
    if file.read(1) != b"\xff":
        raise damaged("no marker where one should be")
    while (byte := file.read(1)) == b"\xff":  # any number of fill bytes may come before a marker
        more = file.read(_FILL)
        filled = len(more) - len(more.lstrip(b"\xff"))
        file.seek(filled - len(more), 1)
    marker = byte[0] if byte else _EOI
    if marker == _EOI or marker == 0x01 or 0xD0 <= marker <= 0xD7:
        return marker, b""
    length = int.from_bytes(file.read(2), "big")
    data = file.read(max(length - 2, 0))
    if length < 2 or len(data) < length - 2:
        raise damaged("it ends before its pixels")
    return marker, data


def _tables(data: bytes) -> dict[int, bytes]:
    """The quantisation tables of a segment by number, as stored."""
    found, at = {}, 0
    while at + 64 < len(data):
        size = 128 if data[at] >> 4 else 64
        if at + size < len(data):
            found[data[at] & 15] = data[at + 1 : at + 1 + size]
        at += 1 + size
    return found


def _in_rows(table: bytes) -> tuple[int, ...]:
    """A quantisation table in row order (in the file: zigzag order)."""
    steps = np.empty(64, int)
    steps[_ZIGZAG] = np.frombuffer(table, np.uint8 if len(table) == 64 else ">u2")
    return tuple(steps.tolist())


def _zigzag() -> list[int]:
    """The zigzag order of T.81, figure 5: along the diagonals, in alternating direction."""
    return sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))


_ZIGZAG = _zigzag()


def _coding(frame: bytes, tables: dict[int, tuple[int, ...]]) -> Coding | None:
    """The coding from the frame header and the tables; None unless it has 1 or 3 channels and a usual sampling."""
    channels = [frame[i : i + 3] for i in range(6, len(frame) - 2, 3)]
    if len(channels) != frame[5] or len(channels) not in (1, 3) or [c[0] for c in channels] == list(b"RGB"):
        return None
    steps = [tables.get(c[2]) for c in channels]
    if len(channels) == 1:
        return Coding((steps[0],)) if steps[0] is not None and min(steps[0]) > 0 else None
    luma, *chroma = ((c[1] & 15, c[1] >> 4) for c in channels)
    whole = 0 not in luma and all(0 not in c and not luma[0] % c[0] and not luma[1] % c[1] for c in chroma)
    if not whole or chroma[0] != chroma[1] or any(s is None or min(s) < 1 for s in steps):
        return None
    return Coding(tuple(s for s in steps if s is not None), (luma[0] // chroma[0][0], luma[1] // chroma[0][1]))


def _pack(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _segments(picture: Picture) -> bytes:
    """The segments between the start marker and the tables."""
    m = picture.metadata
    x, y = (min(max(round(25.4 * r), 1), 65_535) for r in picture.resolution)
    found = [_pack(_APP0, struct.pack(">5sHBHHBB", b"JFIF\0", 0x0102, 1, x, y, 0, 0))]
    if m.exif is not None:
        found.append(_pack(_APP1, exif.PREFIX + m.exif))
    if m.xmp is not None:
        found.append(_pack(_APP1, _XMP + m.xmp))
    if m.icc is not None:
        step = _SEGMENT - len(_ICC) - 2
        parts = [m.icc[i : i + step] for i in range(0, len(m.icc), step)]
        if len(parts) < 256:
            found += [_pack(_APP2, _ICC + bytes((i, len(parts))) + part) for i, part in enumerate(parts, 1)]
    if m.photoshop is not None:
        step = _SEGMENT - len(_PHOTOSHOP)
        parts = [m.photoshop[i : i + step] for i in range(0, len(m.photoshop), step)]
        found += [_pack(_APP13, _PHOTOSHOP + part) for part in parts]
    return b"".join([*found, *m.comments])


def _after_start(data: bytes) -> tuple[int, int]:
    """Insert after SOI; replace a JFIF segment there."""
    return 2, 2 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 0
