"""BMP: its resolution and colour profile, and headers that cannot be."""

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.image.checks import ICC, read_bytes, refusal
from tests.image.makers import RGB, bmp_with_alpha, pillow


def test_the_resolution_is_kept(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, pillow(RGB, "bmp", dpi=(300, 150)))
    np.testing.assert_allclose(np.array(found.resolution) * 25.4, (300, 150), atol=0.02)
    none = bytearray(pillow(RGB, "bmp"))
    none[38:46] = bytes(8)
    assert read_bytes(tmp_path, bytes(none)).resolution == (72 / 25.4, 72 / 25.4)


@pytest.mark.parametrize("length", [len(ICC), len(ICC) + 1, 2**25])
def test_the_profile_that_lies_in_the_file_is_kept(tmp_path: Path, length: int) -> None:
    h, w = RGB.shape[:2]
    rows = RGB[::-1, :, ::-1].tobytes()
    start = 14 + 124
    header = struct.pack("<IiiHHIIiiII", 124, w, h, 1, 24, 0, len(rows), 0, 0, 0, 0) + bytes(16) + b"DEBM"
    header += bytes(52) + struct.pack("<II", 124 + len(rows), length) + bytes(4)
    data = struct.pack("<2sIHHI", b"BM", start + len(rows) + len(ICC), 0, 0, start) + header + rows + ICC
    found = read_bytes(tmp_path, data)
    np.testing.assert_array_equal(found.pixels, RGB)
    assert found.metadata.icc == (ICC if length == len(ICC) else None)


def test_alpha_that_is_0_everywhere_is_no_alpha(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    found = read_bytes(tmp_path, bmp_with_alpha(rgba))
    np.testing.assert_array_equal(found.pixels, RGB)
    assert found.alpha is None
    rgba[3, 4, 3] = 1
    np.testing.assert_array_equal(read_bytes(tmp_path, bmp_with_alpha(rgba)).alpha, rgba[..., 3])


@pytest.mark.parametrize(
    ("at", "number", "what"),
    [
        (18, "<i", 0), (18, "<i", -24), (22, "<i", 0), (22, "<i", -(2**31)), (28, "<H", 5), (22, "<i", 2**20),
    ],
)  # fmt: skip
def test_headers_that_cannot_be(tmp_path: Path, at: int, number: str, what: int) -> None:
    data = bytearray(bmp_with_alpha(RGB[..., [0, 1, 2, 0]]))
    struct.pack_into(number, data, at, what)
    assert "damaged or cut short" in refusal(tmp_path / "x", bytes(data))


def test_masks_that_are_not_decoded(tmp_path: Path) -> None:
    data = bytearray(bmp_with_alpha(RGB[..., [0, 1, 2, 0]]))
    struct.pack_into("<I", data, 54, 0x3FF)
    assert "is a BMP of a kind that is not decoded here; convert it to PNG." in refusal(tmp_path / "x", bytes(data))
