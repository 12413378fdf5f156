"""AVIF: boxes, as in MP4. ISO/IEC 14496-12, 23008-12 and AOM's AV1 Image File Format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from undegrade.image import exif, vips
from undegrade.image.limits import check_metadata
from undegrade.image.picture import (
    MAX_METADATA,
    ONE_FRAME,
    Header,
    Metadata,
    Picture,
    Refusal,
    damaged,
)

SAVED_QUALITY = 93
"""About the same distance from the original as a JPEG of quality 95."""
EFFORT = 3
"""A fifth of the time of the default 4, for the same quality at the same size."""
BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"miaf", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"jpeg")
_PASSED_ON = (b"av01", b"grid", b"iden", b"iovl")
_METADATA = (b"Exif", b"mime", b"uri ")
_IDENTITY = 0
_SRGB_PRIMARIES, _P3_PRIMARIES = (1, 2, 5, 6), 12
_SRGB_CURVES = (1, 2, 6, 13, 14, 15)
"""Transfer curves that are displayed as sRGB: that of BT.709 and similar ones."""
_CURVES = {8: "linear", 16: "PQ", 18: "HLG"}
_MAX_BOXES = 10_000
_TOO_LONG = "its table of contents is too long"


def header(file: BinaryIO) -> Header:
    """Read the header of an AVIF file; see :class:`Header`.

    Raises:
        Refusal: it is damaged, animated, HEIC or HDR.
    """
    meta = None
    size = file.seek(0, 2)
    for kind, start, end in _top(file, size):
        if kind == b"moov":
            raise Refusal("is animated", ONE_FRAME)
        if kind == b"meta" and meta is None:
            if end - start > MAX_METADATA:
                raise damaged(_TOO_LONG)
            file.seek(start)
            meta = file.read(end - start)
    if meta is None:
        raise damaged("it has no table of contents")
    try:
        return _header(meta, size)
    except (struct.error, IndexError) as error:
        raise damaged("its table of contents cannot be read") from error


def save(picture: Picture, file: BinaryIO) -> None:
    """Write an AVIF file with the picture's bit depth and full colour resolution.

    It is lossless if the source was, else of quality 93. The encoder has one quality for all channels; pictures with
    varying alpha are therefore stored without loss.
    """
    image = vips.image_of(picture, colour=True)
    bits = picture.depth or 8
    if picture.pixels.dtype == np.uint16:
        top = 2**bits - 1
        image = (image * (top / 65535)).rint().cast("ushort") << 16 - bits
        image = image.copy(interpretation="rgb16")
    alpha = picture.alpha
    exact = picture.lossless or (alpha is not None and alpha.min() != alpha.max())
    m = picture.metadata
    vips.attach(image, "icc-profile-data", m.icc)
    vips.attach(image, "xmp-data", m.xmp)
    vips.attach(image, "exif-data", None if m.exif is None else exif.PREFIX + m.exif)
    keep = "icc|xmp" if m.exif is None else "icc|xmp|exif"
    how = {"lossless": True} if exact else {"Q": SAVED_QUALITY, "subsample_mode": "off"}
    target = vips.load().Target.new_to_descriptor(file.fileno())
    image.heifsave_target(target, keep=keep, compression="av1", bitdepth=bits, effort=EFFORT, **how)


def _header(meta: bytes, size: int) -> Header:
    boxes = {kind: (start, end) for kind, start, end in _boxes(meta, 4, len(meta))}
    if not {b"pitm", b"iinf", b"iprp"} <= boxes.keys():
        raise damaged("its table of contents misses the picture")
    start, _ = boxes[b"pitm"]
    primary = _number(meta, start + 4, 4 if meta[start] else 2)
    kinds = dict(_items(meta, *boxes[b"iinf"]))
    kind = kinds.get(primary, b"")
    if b"iloc" in boxes:
        lengths = _lengths(meta, *boxes[b"iloc"], size)
        check_metadata(sum(length for item, length in lengths if kinds.get(item) in _METADATA))
    own, every = _properties(meta, *boxes[b"iprp"], primary)
    if any(name == b"hvcC" for name, _ in every) or kind == b"hvc1":
        raise Refusal("is HEIC, which is not decoded here", "convert it to JPEG, AVIF or 16-bit PNG")
    if kind not in _PASSED_ON or not any(name == b"av1C" for name, _ in every):
        raise Refusal(f"is coded as {kind.decode('latin-1')!r}, which is not decoded here", "convert it to PNG or AVIF")
    if b"iref" in boxes and any(
        name == b"prem" for name, _, _ in _boxes(meta, boxes[b"iref"][0] + 4, boxes[b"iref"][1])
    ):
        raise Refusal("has its colours multiplied by its transparency", "convert it to PNG")
    sizes = [data for name, data in own if name == b"ispe" and len(data) >= 12]
    if not sizes:
        raise damaged("it does not say its size")
    w, h = struct.unpack(">II", sizes[0][4:12])
    if not (w and h):
        raise damaged(f"{w} x {h} pixels")
    # The properties of a grid do not state how its parts are coded.
    coded = [d[2] for name, d in own if name == b"av1C"] or [d[2] for name, d in every if name == b"av1C"]
    notes = ("left out a gain map: the picture is the one for ordinary screens",) if b"tmap" in kinds.values() else ()
    lossless, profile = _colours([d for name, d in own if name == b"colr"])
    return Header(
        w,
        h,
        grey=all(c & 0x10 for c in coded),
        depth=None if not coded[0] & 0x40 else 12 if coded[0] & 0x20 else 10,
        lossless=lossless,
        turned=any(name in (b"irot", b"imir") for name, _ in own),
        metadata=Metadata(icc=profile),
        notes=notes,
    )


def _colours(boxes: list[bytes]) -> tuple[bool, bytes | None]:
    """Whether the pixels are stored as RGB (only in lossless files), and a profile equal to the nclx numbers."""
    numbers = next((d for d in boxes if d[:4] == b"nclx"), b"")
    if len(numbers) < 11:
        return False, None
    primaries, curve, matrix = struct.unpack(">HHH", numbers[4:10])
    lossless = matrix == _IDENTITY
    if any(d[:4] in (b"prof", b"rICC") for d in boxes):  # a profile overrides the numbers
        return lossless, None
    if curve in _SRGB_CURVES and primaries in _SRGB_PRIMARIES:
        return lossless, None
    if curve in _SRGB_CURVES and primaries == _P3_PRIMARIES:
        return lossless, bytes(vips.load().Image.profile_load("p3"))
    if curve in _CURVES:
        raise Refusal(f"is HDR, with a {_CURVES[curve]} curve, which cannot be written back", "save it as SDR")
    raise Refusal(
        f"has colours (primaries {primaries}, curve {curve}) that cannot be written back", "convert it to sRGB"
    )


def _items(meta: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(number, kind) of the items in the file: pictures and parts of pictures."""
    for name, at, _ in _boxes(meta, start + (8 if meta[start] else 6), end):
        if name == b"infe" and meta[at] in (2, 3):
            wide = 4 if meta[at] == 3 else 2
            yield _number(meta, at + 4, wide), meta[at + 4 + wide + 2 : at + 4 + wide + 6]


def _lengths(meta: bytes, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """(number, bytes) of the parts of the items. Parts can overlap: their sum knows no bound.

    Args:
        meta: the table of contents, with the list of places between ``start`` and ``end``.
        start, end: see ``meta``.
        size: of the file, which a part without a length takes.
    """
    version, wide, at = meta[start], meta[start + 4], start + 6
    places, lengths = wide >> 4, wide & 15
    base, index = meta[start + 5] >> 4, meta[start + 5] & 15 if version else 0
    number = 4 if version == 2 else 2
    count, at = _number(meta, at, number), at + number
    parts = 0
    for _ in range(count):
        item, at = _number(meta, at, number), at + number + (4 if version else 2) + base
        parts_of_item, at = _number(meta, at, 2), at + 2
        parts += 1 + parts_of_item
        if parts > _MAX_BOXES:
            raise damaged(_TOO_LONG)
        for _ in range(parts_of_item):
            at += index + places
            yield item, _number(meta, at, lengths) or size
            at += lengths
    if at > end:
        raise IndexError(at)


Property = tuple[bytes, bytes]
"""Its name and its bytes."""


def _properties(meta: bytes, start: int, end: int, primary: int) -> tuple[list[Property], list[Property]]:
    """The properties of one item, and all that there are."""
    boxes = list(_boxes(meta, start, end))
    if sum(kind == b"ipco" for kind, _, _ in boxes) > 1:
        raise damaged(_TOO_LONG)
    known = [
        (name, meta[at:stop])
        for kind, low, high in boxes
        if kind == b"ipco"
        for name, at, stop in _boxes(meta, low, high)
    ]
    own: list[Property] = []
    items = 0
    for kind, at, _ in boxes:
        if kind != b"ipma":
            continue
        wide, long = (4 if meta[at] else 2), meta[at + 3] & 1
        count, at = _number(meta, at + 4, 4), at + 8
        for _ in range(min(count, _MAX_BOXES)):
            item, n, at = _number(meta, at, wide), meta[at + wide], at + wide + 1
            items += 1
            if items > _MAX_BOXES or len(own) > _MAX_BOXES:
                raise damaged(_TOO_LONG)
            for i in range(n if item == primary else 0):
                index = _number(meta, at + 2 * i, 2) & 0x7FFF if long else meta[at + i] & 0x7F
                if 0 < index <= len(known):
                    own.append(known[index - 1])
            at += 2 * n if long else n
    return own, known


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the boxes between two offsets."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        length, kind, start = _number(data, at, 4), data[at + 4 : at + 8], at + 8
        if length == 1:
            length, start = _number(data, at + 8, 8), at + 16
        stop = end if length == 0 else at + length
        if not start <= stop <= end:
            return
        yield kind, start, stop
        at = stop


def _top(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the boxes at the top level of the file."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, start = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), at + 16
        stop = size if length == 0 else at + length
        if stop < start:
            return
        yield head[4:8], start, min(stop, size)
        at = stop


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big")
