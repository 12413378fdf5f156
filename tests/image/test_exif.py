"""EXIF: orientation, sizes, thumbnails, and bytes that are no EXIF."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageOps

from tests.image import annotated
from tests.image.checks import below, noise
from undegrade.image import Format, Metadata, read, write
from undegrade.image.exif import clean
from undegrade.image.tiff_tags import Broken, Reader


def test_exif_is_not_invented(tmp_path: Path) -> None:
    for format in Format.written():
        Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format)
        write(tmp_path / "y", read(tmp_path / "x"))
        with Pillow.open(tmp_path / "y") as file:
            assert "exif" not in file.info
            if format is not Format.TIFF:
                assert not file.getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", [Format.PNG, Format.TIFF])
def test_orientation_is_applied_and_reset(tmp_path: Path, format: Format, orientation: int) -> None:
    path = tmp_path / "x"
    Pillow.fromarray(noise((9, 7, 3))).save(path, format, exif=annotated.exif(orientation))
    with Pillow.open(path) as file:
        upright = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read(path).pixels, upright)
    write(tmp_path / "y", read(path))
    with Pillow.open(tmp_path / "y") as file:
        assert file.getexif().get(0x0112, 1) == 1
        np.testing.assert_array_equal(np.asarray(file), upright)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_orientations_that_make_no_sense_change_nothing(tmp_path: Path, orientation: int) -> None:
    for format in (Format.PNG, Format.TIFF):
        Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format, exif=annotated.exif(orientation))
        np.testing.assert_array_equal(read(tmp_path / "x").pixels, noise((9, 7, 3)))


@pytest.mark.parametrize("format", [Format.PNG, Format.JPEG, Format.WEBP])
@pytest.mark.parametrize(
    "exif", [b"garbage", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\x08\0\0\0\0\0"]
)
def test_broken_exif_does_not_make_a_picture_unreadable(tmp_path: Path, format: Format, exif: bytes) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format, exif=b"Exif\0\0" + exif)
    found = read(tmp_path / "x")
    assert found.metadata.exif is None
    if exif != b"garbage" or format is not Format.PNG:  # which libpng leaves out itself
        assert found.notes == ("left out EXIF data that cannot be read",)
    write(tmp_path / "y", found)
    assert read(tmp_path / "y").notes == ()


def test_size_in_exif_follows_the_pixels(tmp_path: Path) -> None:
    Pillow.fromarray(noise((6, 8, 3))).save(tmp_path / "x.png", exif=annotated.exif())
    write(tmp_path / "y.png", read(tmp_path / "x.png").with_pixels(noise((12, 16, 3))))
    with Pillow.open(tmp_path / "y.png") as file:
        assert (below(file)[0xA002], below(file)[0xA003]) == (16, 12)


@given(data=st.binary(max_size=60), order=st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_exif_are_cleaned_or_left_out(data: bytes, order: bytes) -> None:
    once, notes = clean(Metadata(exif=order + data), 9, 9)
    assert bool(notes) is (once.exif is None)
    assert clean(once, 9, 9) == (once, ())
    try:
        reader = Reader(io.BytesIO(order + data))
        reader.directory(reader.first)
    except Broken:
        assert once.exif is None
