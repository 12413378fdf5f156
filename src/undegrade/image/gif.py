"""GIF: blocks after a signature. https://www.w3.org/Graphics/GIF/spec-gif89a.txt Only its first frame is read."""

from __future__ import annotations

import struct
from typing import BinaryIO

from undegrade.image.picture import Header, damaged

SIGNATURES = (b"GIF87a", b"GIF89a")
_IMAGE, _EXTENSION = b"\x2c", b"\x21"
_HAS_TABLE = 0x80
_MAX_BLOCKS = 1_000_000
"""Most blocks in a file that are looked at."""


def header(file: BinaryIO) -> Header:
    """Read the header of a GIF file; see :class:`Header`.

    There is no lower bound on the file size: a code stands for any number of pixels that were there before.

    Raises:
        Refusal: it is damaged.
    """
    file.seek(6)
    start = file.read(7)
    if len(start) < 7:
        raise damaged("it ends in its header")
    w, h, flags = struct.unpack("<HHB", start[:5])
    if not (w and h):
        raise damaged(f"{w} x {h} pixels")
    _skip_table(file, flags)
    frames, blocks_left = 0, _MAX_BLOCKS
    while blocks_left and frames < 2 and (block := file.read(1)) in (_IMAGE, _EXTENSION):
        blocks_left -= 1
        if block == _IMAGE:
            frames += 1
            place = file.read(9)
            _skip_table(file, place[8] if len(place) == 9 else 0)
        file.seek(1, 1)  # a label, or the size of the codes
        while blocks_left and (size := file.read(1)) not in (b"", b"\0"):
            blocks_left -= 1
            file.seek(size[0], 1)
    if not frames:
        raise damaged("it has no pixels")
    notes = ("the first frame of an animation",) if frames > 1 else ()
    return Header(w, h, adds_alpha=True, notes=notes)


def _skip_table(file: BinaryIO, flags: int) -> None:
    if flags & _HAS_TABLE:
        file.seek(3 << (flags & 7) + 1, 1)
