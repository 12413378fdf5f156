"""Files handed to libvips piece by piece: with bytes replaced on reading, and a block put in on writing."""

import contextlib
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image import makers
from undegrade.image import read, write
from undegrade.image.vips import Patched, Spliced, attach, load

PATCHES = st.dictionaries(st.integers(0, 40), st.binary(min_size=1, max_size=5), max_size=3)
BEHIND = st.binary(min_size=1, max_size=9)
"""What TIFF puts behind the end of a file: a directory of ours."""


@given(
    data=st.binary(min_size=45, max_size=60),
    patches=PATCHES,
    behind=BEHIND,
    steps=st.lists(st.integers(1, 17), min_size=1, max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_any_reads_give_the_file_with_its_patches(
    data: bytes, patches: dict[int, bytes], behind: bytes, steps: list[int]
) -> None:
    patches = patches | {len(data): behind}
    whole = bytearray(data + behind)
    for place, patch in patches.items():
        whole[place : place + len(patch)] = patch
    patched = Patched(io.BytesIO(data), patches)
    found = b"".join(patched._read(size) or b"" for size in steps)
    assert found == bytes(whole[: sum(steps)])
    assert patched._seek(0, 2) == len(whole)
    middle = len(whole) // 2
    assert patched._seek(middle, 0) == middle
    assert (patched._read(5) or b"") == bytes(whole[middle : middle + 5])


def test_a_file_that_cannot_be_read_is_an_error_of_libvips_not_a_crash() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    assert Patched(Failing(b"abc"), {})._read(3) is None


@pytest.mark.parametrize(("after", "dropped"), [(2, 0), (2, 3), (0, 4)])
def test_a_block_goes_after_the_first_bytes_of_what_is_written(tmp_path: Path, after: int, dropped: int) -> None:
    image = load().Image.new_from_memory(np.arange(12, dtype=np.uint8), 4, 3, 1, "uchar")
    plain = image.write_to_buffer(".png")
    with (tmp_path / "a").open("wb") as file, Spliced(file, lambda start: (after, dropped), b"BLOCK") as spliced:
        image.write_to_target(spliced.target, ".png")
    assert (tmp_path / "a").read_bytes() == plain[:after] + b"BLOCK" + plain[after + dropped :]


def test_a_full_disk_comes_out_as_what_it_was() -> None:
    class Full(io.BytesIO):
        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            raise OSError(28, "No space left on device")

    image = load().Image.new_from_memory(np.arange(12, dtype=np.uint8), 4, 3, 1, "uchar")
    spliced = Spliced(Full(), lambda start: (0, 0), b"")
    with pytest.raises(OSError, match="No space left"), spliced, contextlib.suppress(load().Error):
        image.write_to_target(spliced.target, ".png")


def test_metadata_by_its_name() -> None:
    image = load().Image.black(2, 2)
    attach(image, "exif-data", None)
    assert "exif-data" not in image.get_fields()
    copy = image.copy()
    attach(copy, "exif-data", b"Exif")
    assert bytes(copy.get("exif-data")) == b"Exif"


def test_a_long_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each file left handlers of messages, all of which got each later message."""
    (tmp_path / "x").write_bytes(makers.pillow(makers.RGB, "png"))
    read(tmp_path / "x")
    before = list(logging.getLogger("pyvips").handlers)
    for _ in range(3):
        write(tmp_path / "y.png", read(tmp_path / "x"))
    assert logging.getLogger("pyvips").handlers == before
