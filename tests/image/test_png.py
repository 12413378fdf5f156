"""PNG chunks without end."""

import struct
import zlib
from pathlib import Path

import numpy as np

from tests.image import makers
from tests.image.checks import ICC
from tests.image.makers import chunk
from undegrade.image import read, write


def test_endless_chunks_are_no_endless_wait(tmp_path: Path) -> None:
    data = makers.png(makers.RGB, 8, 2, chunk(b"tEXt", b"a\0b") * 3000)
    (tmp_path / "x").write_bytes(data)
    assert len(read(tmp_path / "x").metadata.comments) == 3000


def test_compressed_metadata_that_grows_without_end_is_left_out(tmp_path: Path) -> None:
    profile = b"name\0\0" + zlib.compress(struct.pack(">I", 10**8) + ICC[4:] + bytes(10**8))
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(10**7))
    (tmp_path / "x").write_bytes(makers.png(makers.RGB, 8, 2, chunk(b"iCCP", profile), chunk(b"zTXt", b"a\0\0" + text)))
    found = read(tmp_path / "x")
    assert found.metadata.icc is None
    write(tmp_path / "y", found)
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, makers.RGB)
