"""PPM, PGM and PBM as other programs write them: comments, any white, texts."""

from pathlib import Path

import numpy as np
import pytest

from tests.image.checks import noise, read_bytes, refusal


@pytest.mark.parametrize("white", [1, 9, 254, 255, 256, 1023, 65534, 65535])
def test_white_is_the_largest_number(tmp_path: Path, white: int) -> None:
    numbers = np.arange(24).reshape(4, 6) * white // 23
    text = b"P2\n6 4 # comment\n%d\n" % white + b"\n".join(b" ".join(b"%d" % v for v in row) for row in numbers)
    raw = b"P5 6 4 %d\n" % white + numbers.astype(np.uint8 if white < 256 else ">u2").tobytes()
    top = 255 if white < 256 else 65535
    for data in (text, raw):
        found = read_bytes(tmp_path, data).pixels
        assert found.dtype == (np.uint8 if top == 255 else np.uint16)
        np.testing.assert_array_equal(found, np.rint(numbers * (top / white)))


def test_numbers_above_white_are_white(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, b"P2 3 1 9 8 9 10").pixels.tolist() == [[227, 255, 255]]
    assert read_bytes(tmp_path, b"P5 3 1 9 \x08\x09\xff").pixels.tolist() == [[227, 255, 255]]


def test_one_is_black_and_rows_fill_bytes(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, b"P4 3 2\n\xa0\x20").pixels.tolist() == [[0, 255, 0], [255, 255, 0]]
    assert read_bytes(tmp_path, b"P1 3 2\n1 01\n# x\n0 0 1").pixels.tolist() == [[0, 255, 0], [255, 255, 0]]


def test_a_space_in_the_pixels_is_a_pixel(tmp_path: Path) -> None:
    pixels = noise((5, 7, 3))
    pixels[0, 0] = b"\n# "[0], b"\n# "[1], b"\n# "[2]
    np.testing.assert_array_equal(read_bytes(tmp_path, b"P6\n7 5\n255\n" + pixels.tobytes()).pixels, pixels)


@pytest.mark.parametrize(
    "data",
    [b"P5\n", b"P5 0 3 255\n", b"P5 1 1 65536\n\0\0", b"P5 1 1 0\n\0", b"P2 1 1 -3\n1", b"P2 2 1 255\n1 x",
     b"P2 2 1 255\n1    ", b"P1 2 2\n1 0 1    ", b"P6 7 5 255\n\0"],
)  # fmt: skip
def test_what_is_damaged(tmp_path: Path, data: bytes) -> None:
    assert "damaged or cut short" in refusal(tmp_path / "x", data)
