"""Corrects the metadata that describe the old pixels: orientation, size, thumbnails. All other metadata stay."""

from __future__ import annotations

import io
import re
import struct
from fractions import Fraction

from undegrade.image import tiff_tags
from undegrade.image.picture import MAX_METADATA, Metadata
from undegrade.image.tiff_tags import Broken, Budget, Directory, Entry, Reader, Tag

PREFIX = b"Exif\0\0"
_WIDTH, _HEIGHT = 0xA002, 0xA003
_THUMBNAILS = (1033, 1036)
_MAX_BLOCKS = 10_000
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8](?=\s*[\"'<])")


def bare(exif: bytes | None) -> bytes | None:
    """EXIF without the prefix that JPEG puts before it."""
    while exif is not None and exif.startswith(PREFIX):
        exif = exif[len(PREFIX) :]
    return exif


def orientation(exif: bytes | None) -> int | None:
    """The orientation, 1 to 8; None if it is missing or invalid."""
    try:
        reader = Reader(io.BytesIO(exif or b""))
        entries, _, _ = reader.directory(reader.first)
        found = reader.number(entries.get(tiff_tags.ORIENTATION), 0)
    except Broken:
        return None
    return found if 1 <= found <= 8 else None


def resolution(exif: bytes | None) -> tuple[float, float] | None:
    """Pixels per millimetre along x and y; None if EXIF has no resolution."""
    try:
        reader = Reader(io.BytesIO(exif or b""))
        entries, _, _ = reader.directory(reader.first)
        x, y = (_rational(reader.tag(entries[t])) for t in (tiff_tags.X_RESOLUTION, tiff_tags.Y_RESOLUTION))
        millimetres = 10 if reader.number(entries.get(tiff_tags.RESOLUTION_UNIT), 2) == 3 else 25.4
    except (Broken, KeyError, ValueError, ZeroDivisionError):
        return None
    return (float(x) / millimetres, float(y) / millimetres) if x > 0 and y > 0 else None


def clean(metadata: Metadata, width: int, height: int, stated: bool = True) -> tuple[Metadata, tuple[str, ...]]:
    """Metadata for upright pixels of this size, and notes on broken parts that were left out.

    XMP then says orientation 1, if that was ``stated`` outside of it. An orientation that only XMP has turns nothing
    here, as in other programs, and stays.
    """
    notes = []
    exif, xmp, photoshop = metadata.exif, metadata.xmp, metadata.photoshop
    if exif is not None and (exif := _clean_exif(exif, width, height)) is None:
        notes.append("left out EXIF data that cannot be read")
    if xmp is not None:
        if len(xmp) > MAX_METADATA:
            xmp = None
        elif stated:
            xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    if photoshop is not None:
        photoshop = _clean_photoshop(photoshop) or None
    return Metadata(metadata.icc, exif, xmp, photoshop, metadata.colour, metadata.comments, metadata.opaque), tuple(
        notes
    )


def resized(exif: bytes, width: int, height: int) -> bytes:
    """EXIF for pixels of another size."""
    return _clean_exif(exif, width, height) or exif


def tree(exif: bytes) -> Directory:
    """The tags of EXIF, for writing them to a TIFF file."""
    try:
        reader = Reader(io.BytesIO(exif))
        return reader.tree(reader.directory(reader.first)[0], MAX_METADATA, Budget(MAX_METADATA))
    except Broken:
        return {}


def from_tree(directory: Directory) -> bytes | None:
    """EXIF from the tags of a TIFF file; None if there are none."""
    return struct.pack("<2sHI", b"II", 42, 8) + tiff_tags.lay_out(directory, 8) if directory else None


def _clean_exif(exif: bytes, width: int, height: int) -> bytes | None:
    """Change EXIF at fixed offsets: unknown parts such as maker notes keep theirs. None if it cannot be read."""
    if len(exif) > MAX_METADATA:
        return None
    patched = bytearray(exif)
    try:
        reader = Reader(io.BytesIO(exif))
        if reader.big:
            return None
        entries, thumbnail, link = reader.directory(reader.first)
        _put(patched, reader, entries.get(tiff_tags.ORIENTATION), 1)
        end = max([link + 4, *(e.at + e.size for e in entries.values())])
        for tag in (tiff_tags.EXIF, tiff_tags.GPS):
            if tag in entries:
                end = max(end, _clean_below(patched, reader, entries[tag], width, height))
    except Broken:
        return None
    if thumbnail:
        patched[link : link + 4] = bytes(4)
        if thumbnail >= end:  # the thumbnail is the last part, as in nearly all files
            del patched[thumbnail:]
    return bytes(patched)


def _clean_below(patched: bytearray, reader: Reader, pointer: Entry, width: int, height: int) -> int:
    """Correct a subdirectory; returns the offset where it and its own subdirectories end."""
    try:
        entries, _, link = reader.directory(reader.number(pointer))
        _put(patched, reader, entries.get(_WIDTH), width)
        _put(patched, reader, entries.get(_HEIGHT), height)
        end = max([link + 4, *(e.at + e.size for e in entries.values())])
        if tiff_tags.INTEROPERABILITY in entries:
            below, _, link = reader.directory(reader.number(entries[tiff_tags.INTEROPERABILITY]))
            end = max([end, link + 4, *(e.at + e.size for e in below.values())])
    except Broken:  # leave it unchanged
        return len(patched)
    return end


def _put(patched: bytearray, reader: Reader, entry: Entry | None, value: int) -> None:
    """Overwrite an integer at its offset, if it exists and the new value fits."""
    kind = {tiff_tags.SHORT: "H", tiff_tags.LONG: "I"}.get(entry.type) if entry is not None else None
    if entry is not None and kind is not None and entry.count == 1 and value < 256 ** struct.calcsize(kind):
        struct.pack_into(reader.order + kind, patched, entry.at, value)


def _rational(tag: Tag) -> Fraction:
    if tag.type != 5 or tag.count < 1:
        raise ValueError("no rational")
    return Fraction(*struct.unpack("<II", tag.data[:8]))


def _clean_photoshop(blocks: bytes) -> bytes:
    """Image resource blocks without thumbnails, up to the first block that cannot be read."""
    kept, at, blocks_left = bytearray(), 0, _MAX_BLOCKS
    while (
        blocks_left and blocks[at : at + 4] in (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR") and at + 12 <= len(blocks)
    ):
        blocks_left -= 1
        number = int.from_bytes(blocks[at + 4 : at + 6], "big")
        name = blocks[at + 6] + 1
        data = at + 6 + name + name % 2 + 4
        end = data + int.from_bytes(blocks[data - 4 : data], "big")
        if end > len(blocks):
            break
        if number not in _THUMBNAILS:
            kept += blocks[at:end] + bytes((end - data) % 2)
        at = end + (end - data) % 2
    return bytes(kept)
