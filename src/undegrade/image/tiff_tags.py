"""Reads and writes directories of tags in TIFF files and in EXIF, which has the structure of a small TIFF."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_BELOW = (EXIF, GPS, INTEROPERABILITY)
"""The tags whose value is a directory."""

SHORT, LONG, LONG8 = 3, 4, 16
_ITEM = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one item of a type."""
_WORD = {5: 4, 10: 4}
"""Bytes per word for byte swapping, if different from the item: a rational is a pair of words."""
_NUMBER = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_CLASSIC = range(1, 14)
"""The types of EXIF and classic TIFF. Decoders fail at unknown types."""
_MAX_ENTRIES = 4096
_MAX_LIST = 2**26
"""Bytes of the longest list of numbers: more than any picture has strips."""
_RECORD = 32
"""Bytes that a tag takes beside its value, at most."""


class Budget:
    """How many bytes of values may still be copied. Values of a file can overlap: their sum knows no bound.

    Attributes:
        room: bytes that are left.
        refused: how many values did not fit.
    """

    def __init__(self, room: int) -> None:
        self.room, self.refused = room, 0

    def take(self, size: int) -> bool:
        """Whether so many bytes fit; then they are taken."""
        size += _RECORD
        if size > self.room:
            self.refused += 1
            return False
        self.room -= size
        return True


class Broken(Exception):
    """There is no directory, or it points outside the file."""


@dataclass(frozen=True)
class Entry:
    """One tag in the file; ``at`` is the offset of its value."""

    type: int
    count: int
    at: int

    @property
    def size(self) -> int:
        return _ITEM.get(self.type, 1) * self.count


@dataclass(frozen=True)
class Tag:
    """The value of one tag; ``data`` is little-endian."""

    type: int
    count: int
    data: bytes


Directory = dict[int, "Tag | Directory"]


class Reader:
    """The directories of a TIFF file, classic or big, of either byte order.

    Raises:
        Broken: not a TIFF file. The methods raise it too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0, 2)
        self.size = file.tell()
        head = self._bytes(0, 8)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self.order:
            raise Broken("no byte order")
        magic, low, high = struct.unpack(self.order + "HHH", head[2:])
        if magic not in (42, 43) or (magic == 43 and (low, high) != (8, 0)):
            raise Broken("no TIFF")
        self.big = magic == 43
        self.first = self._offset(8) if self.big else struct.unpack(self.order + "I", head[4:])[0]

    def directory(self, at: int) -> tuple[dict[int, Entry], int, int]:
        """The entries of a directory, the offset of the next one (0: none), and the offset of that offset."""
        kind, record = ("Q", 20) if self.big else ("H", 12)
        start = at + struct.calcsize("=" + kind)
        (n,) = struct.unpack(self.order + kind, self._bytes(at, start - at))
        if at == 0 or n > _MAX_ENTRIES:
            raise Broken(f"a directory of {n} tags at {at}")
        table = self._bytes(start, n * record)
        entries = {}
        for i in range(n):
            tag, type, count = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), table, i * record)
            inline = 8 if self.big else 4
            entry = Entry(type, count, start + (i + 1) * record - inline)
            if entry.size > inline:
                entry = Entry(type, count, self._offset(entry.at))
            entries[tag] = entry
        link = start + n * record
        return entries, self._offset(link), link

    def tag(self, entry: Entry) -> Tag:
        """The value of an entry, ready for writing."""
        data = self._bytes(entry.at, entry.size)
        width = _WORD.get(entry.type) or _ITEM.get(entry.type, 1)
        if width > 1 and self.order == ">":
            data = np.frombuffer(data, f">u{width}").astype(f"<u{width}").tobytes()
        return Tag(entry.type, entry.count, data)

    def numbers(self, entry: Entry | None, default: int = 0, most: int = 64) -> list[int]:
        """The first ``most`` integers of an entry; ``[default]`` if the entry is missing or has none."""
        if entry is None or entry.type not in _NUMBER or entry.count == 0:
            return [default]
        kind = _NUMBER[entry.type]
        items = min(entry.count, most)
        found = np.frombuffer(self._bytes(entry.at, items * _ITEM[entry.type]), self.order + kind)
        return [int(number) for number in found]

    def largest(self, entry: Entry) -> int:
        """The largest integer of an entry, which may have millions."""
        if entry.type not in _NUMBER or entry.count == 0:
            return 0
        if entry.size > _MAX_LIST:
            raise Broken(f"a list of {entry.count} numbers")
        return int(np.frombuffer(self._bytes(entry.at, entry.size), self.order + _NUMBER[entry.type]).max())

    def number(self, entry: Entry | None, default: int = 0) -> int:
        return self.numbers(entry, default, 1)[0]

    def subfile(self, at: int) -> tuple[dict[int, int], int]:
        """The first number of tags 254 and 255 of a directory, where it has them, and the offset of the next one.

        Much faster than :meth:`directory`: a file can have a thousand directories of thousands of tags.
        """
        kind, record, inline = ("Q", 20, 8) if self.big else ("H", 12, 4)
        start = at + struct.calcsize("=" + kind)
        (n,) = struct.unpack(self.order + kind, self._bytes(at, start - at))
        if at == 0 or n > _MAX_ENTRIES:
            raise Broken(f"a directory of {n} tags at {at}")
        table = np.frombuffer(self._bytes(start, n * record), np.uint8).reshape(n, record)
        tags = np.ascontiguousarray(table[:, :2]).view(self.order + "u2")[:, 0] if n else np.empty(0, np.uint16)
        found = {}
        for tag in (254, 255):
            for i in np.nonzero(tags == tag)[0][-1:]:
                type, count = struct.unpack(self.order + ("HQ" if self.big else "HI"), table[i, 2:-inline].tobytes())
                entry = Entry(type, count, start + (int(i) + 1) * record - inline)
                found[tag] = self.number(Entry(type, count, self._offset(entry.at)) if entry.size > inline else entry)
        return found, self._offset(start + n * record)

    def tree(self, entries: Mapping[int, Entry], most: int, budget: Budget) -> Directory:
        """Directories with their subdirectories; broken values and values above ``most`` bytes are left out.

        What the budget has no room for is left out too.
        """
        found: Directory = {}
        for tag, entry in entries.items():
            try:
                if tag in _BELOW and entry.type in _NUMBER:
                    below = self.directory(self.number(entry))[0]
                    below = {t: e for t, e in below.items() if t not in (_BELOW if tag != EXIF else (EXIF, GPS))}
                    found[tag] = self.tree(below, most, budget)
                elif entry.type not in _CLASSIC:
                    continue
                elif entry.size > most:
                    budget.refused += 1
                elif budget.take(entry.size):
                    found[tag] = self.tag(entry)
            except Broken:
                continue
        return found

    def excerpt(self, entries: Mapping[int, Entry]) -> bytes:
        """A directory of these entries as bytes. Their values keep their offsets; there is no next directory."""
        kind, inline, offset = ("HHQ", 8, "Q") if self.big else ("HHI", 4, "I")
        records = bytearray(struct.pack(self.order + ("Q" if self.big else "H"), len(entries)))
        for tag, entry in sorted(entries.items()):
            place = struct.pack(self.order + offset, entry.at)
            data = self._bytes(entry.at, entry.size) if entry.size <= inline else place
            records += struct.pack(self.order + kind, tag, entry.type, entry.count) + data.ljust(inline, b"\0")
        return bytes(records) + bytes(inline)

    def _offset(self, at: int) -> int:
        kind = "Q" if self.big else "I"
        (value,) = struct.unpack(self.order + kind, self._bytes(at, struct.calcsize("=" + kind)))
        return int(value)

    def _bytes(self, at: int, size: int) -> bytes:
        if at + size > self.size:
            raise Broken(f"{size} bytes at {at} of {self.size}")
        self._file.seek(at)
        return self._file.read(size)


def lay_out(directory: Directory, at: int, *, big: bool = False) -> bytes:
    """A directory as bytes for offset ``at`` in a little-endian file, followed by its values and subdirectories."""
    kind, inline, offset = ("HHQ", 8, "<Q") if big else ("HHI", 4, "<I")
    count = struct.pack("<Q" if big else "<H", len(directory))
    after = at + len(count) + len(directory) * (struct.calcsize("<" + kind) + inline) + inline
    records, values = bytearray(), bytearray()
    for number in sorted(directory):
        tag = directory[number]
        values += bytes((after + len(values)) % 2)
        place = after + len(values)
        if isinstance(tag, dict):
            values += lay_out(tag, place, big=big)
            tag = Tag(LONG, 1, struct.pack("<I", place)) if not big else Tag(LONG8, 1, struct.pack("<Q", place))
        data = tag.data
        if len(data) > inline:
            values += data
            data = struct.pack(offset, place)
        records += struct.pack("<" + kind, number, tag.type, tag.count) + data.ljust(inline, b"\0")
    return count + bytes(records) + bytes(inline) + bytes(values)
