"""Directories of TIFF tags are read as they are laid out."""

import io
import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from undegrade.image.tiff_tags import EXIF, GPS, Budget, Reader, Tag, lay_out

DIRECTORIES = st.dictionaries(
    st.integers(1, 65535).filter(lambda tag: tag not in (EXIF, GPS, 0xA005)),
    st.one_of(
        st.binary(min_size=1, max_size=20).map(lambda data: Tag(7, len(data), data)),
        st.lists(st.integers(0, 65535), min_size=1, max_size=9).map(
            lambda numbers: Tag(3, len(numbers), np.array(numbers, "<u2").tobytes())
        ),
        st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2).map(
            lambda pair: Tag(5, 1, np.array(pair, "<u4").tobytes())
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(first=DIRECTORIES, below=DIRECTORIES, place=DIRECTORIES, big=st.booleans())
@settings(max_examples=100, deadline=None)
def test_directories_are_read_as_they_are_laid_out(first: dict, below: dict, place: dict, big: bool) -> None:
    tree = first | {EXIF: below, GPS: place}
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    reader = Reader(io.BytesIO(head + lay_out(tree, len(head), big=big)))
    assert reader.tree(reader.directory(reader.first)[0], 1000, Budget(2**30)) == tree
