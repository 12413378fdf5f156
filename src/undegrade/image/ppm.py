"""PPM, PGM and PBM: a few words, then numbers. https://netpbm.sourceforge.net/doc/ppm.html Only read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from undegrade.image.picture import Header, damaged

SIGNATURE = re.compile(rb"P[1-6][\s#]")
_LONGEST = 1 << 16
"""Most bytes of the words at the start, with their comments."""
_BLOCK = 1 << 20
_WIDEST = 64
"""Most bytes of a text for each of its numbers, with the spaces and comments between them."""
_DIGITS = b"0123456789"
_WORD = rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})"


class _Start(NamedTuple):
    """What the words say: the kind, 1 to 6; width and height; the number that is white; and where the numbers begin."""

    kind: int
    width: int
    height: int
    white: int
    at: int

    @property
    def channels(self) -> int:
        return 3 if self.kind in (3, 6) else 1

    @property
    def is_text(self) -> bool:
        return self.kind <= 3

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a file that is not text."""
        if self.kind == 4:
            return -(-self.width // 8)
        return self.width * self.channels * (1 if self.white < 256 else 2)


def header(file: BinaryIO) -> Header:
    """Read the first words of a file; see :class:`Header`.

    Raises:
        Refusal: it is damaged.
    """
    start = _start(file)
    numbers = start.width * start.height * start.channels
    # Between two numbers of a text there is a space; the zeros and ones of a PBM may follow each other.
    least = start.height * start.row_bytes if not start.is_text else numbers if start.kind == 1 else 2 * numbers - 1
    return Header(start.width, start.height, start.at + least)


def pixels(file: BinaryIO) -> npt.NDArray[Any]:
    """Decode it, with its white as the largest number: uint8 or uint16, (H, W, 1) or (H, W, 3).

    Raises:
        Refusal: it is damaged.
    """
    start = _start(file)
    file.seek(start.at)
    shape = (start.height, start.width, start.channels)
    if start.kind in (1, 4):
        return np.where(_bits(file, start), 0, 255).astype(np.uint8).reshape(shape)
    found = _numbers(file, start).reshape(shape)
    top = 255 if start.white < 256 else 65535
    kind = np.uint8 if top == 255 else np.uint16
    if start.white == top:
        return found.astype(kind)
    table: npt.NDArray[Any] = np.rint(np.arange(start.white + 1) * (top / start.white)).astype(kind)
    scaled: npt.NDArray[Any] = table[found.clip(0, start.white)]
    return scaled


def _start(file: BinaryIO) -> _Start:
    file.seek(0)
    words = file.read(_LONGEST)
    kind = words[1] - ord("0")
    found = re.match(rb"P\d" + _WORD * (2 if kind in (1, 4) else 3), words)
    if found is None:
        raise damaged("it does not say its size")
    w, h, *white = (int(word) for word in found.groups())
    if not (w and h and 0 < (white or [1])[0] < 65536):
        raise damaged(f"{w} x {h} pixels of 0 to {(white or [1])[0]}")
    return _Start(kind, w, h, (white or [1])[0], found.end() + 1)


def _numbers(file: BinaryIO, start: _Start) -> npt.NDArray[Any]:
    count = start.width * start.height * start.channels
    if not start.is_text:
        data = file.read(start.height * start.row_bytes)
        return _whole(np.frombuffer(data, np.uint8 if start.white < 256 else ">u2"), count)

    def numbers(text: bytes) -> npt.NDArray[np.uint16]:
        found: npt.NDArray[np.int64] = np.fromstring(text, np.int64, sep=" ") if text.strip() else np.empty(0, np.int64)
        return found.clip(0, 65535).astype(np.uint16)

    return _whole(_collected(map(numbers, _texts(file, count)), count), count)


def _bits(file: BinaryIO, start: _Start) -> npt.NDArray[np.bool_]:
    """The ones, which are black."""
    count = start.width * start.height
    if start.is_text:
        digits = (np.frombuffer(re.sub(rb"\s", b"", text), np.uint8) for text in _texts(file, count))
        ones: npt.NDArray[np.bool_] = _whole(_collected(digits, count), count) == ord("1")
        return ones
    rows = np.frombuffer(file.read(start.height * start.row_bytes), np.uint8)
    if rows.size < start.height * start.row_bytes:
        raise damaged("it ends before its last pixel")
    return np.unpackbits(rows.reshape(start.height, -1), axis=1)[:, : start.width].astype(bool)


def _texts(file: BinaryIO, count: int) -> Iterator[bytes]:
    """The text of so many numbers without comments, in blocks that end between two numbers.

    Raises:
        Refusal: it holds more than numbers.
    """
    rest, is_comment = b"", False
    for _ in range((_LONGEST + _WIDEST * count) // _BLOCK + 2):  # comments and spaces may have no end
        if not (block := file.read(_BLOCK)):
            yield rest
            return
        block = b"#" + block if is_comment else rest + block
        line = block[max(block.rfind(b"\n"), block.rfind(b"\r")) + 1 :]
        is_comment = b"#" in line
        text = re.sub(rb"#[^\r\n]*", b" ", block)
        if re.search(rb"[^0-9\s]", text):
            raise damaged("it holds more than numbers")
        whole = text.rstrip(_DIGITS)
        rest = text[len(whole) :]
        yield whole
        if len(rest) > _LONGEST:  # the zeros and ones of a PBM, or no number at all
            yield rest
            rest = b""


def _collected(parts: Iterator[npt.NDArray[Any]], count: int) -> npt.NDArray[Any]:
    """The first numbers of several arrays, and no further array than they need."""
    kept: list[npt.NDArray[Any]] = []
    missing = count
    for part in parts:
        kept.append(part[:missing])
        missing -= len(kept[-1])
        if not missing:
            break
    return np.concatenate(kept) if kept else np.empty(0, np.uint8)


def _whole(numbers: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    if numbers.size < count:
        raise damaged("it ends before its last pixel")
    return numbers
