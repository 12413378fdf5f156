"""TIFF: tags, pages, extra channels, large strips."""

import io
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.image import makers
from tests.image.checks import KINDS, noise, read_bytes, refusal, sentence
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.image import Format, read, write


def test_exif_of_the_other_byte_order_goes_into_a_tiff(tmp_path: Path) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(
        ">HHHIHHHHIIIII", 2, 0x010E, 3, 1, 0x1234, 0, 0x013E, 5, 1, 38, 0, 3127, 10_000
    )
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", "png", exif=exif)
    write(tmp_path / "y", read(tmp_path / "x"), Format.TIFF)
    with Pillow.open(tmp_path / "y") as file:
        assert file.tag_v2[0x010E] == 0x1234
        assert float(file.tag_v2[0x013E][0]) == 0.3127


def test_a_channel_that_is_no_alpha_stays_that(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(KINDS["TIFF RGB with a channel that is no alpha"].make())
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        assert file.tag_v2[338] == (0,)
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "z", read(tmp_path / "x"), Format.PNG)
    assert "would take for transparency" in sentence(error, "z")


def test_pages_that_go_in_a_circle(tmp_path: Path) -> None:
    data = bytearray(makers.plain_tiff(makers.GREY, 8, t254=0))
    data[-4:] = data[4:8]
    assert "circle" in refusal(tmp_path / "x", bytes(data))


@pytest.mark.parametrize("type", [0, 14, 16, 17, 99, 65535])
def test_tags_of_no_known_type_disturb_nobody(tmp_path: Path, type: int) -> None:
    """libtiff gives up at them; found by fuzzing."""
    data = makers.plain_tiff(makers.GREY, 8, t28003=1).replace(
        struct.pack("<HH", 28003, 4), struct.pack("<HH", 28003, type)
    )
    (tmp_path / "x").write_bytes(data)
    found = read(tmp_path / "x")
    np.testing.assert_array_equal(found.pixels, makers.GREY)
    write(tmp_path / "y", found)
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, makers.GREY)
    with Pillow.open(tmp_path / "y") as file:
        assert 28003 not in file.tag_v2


@pytest.mark.slow
def test_a_photo_in_one_strip(tmp_path: Path) -> None:
    """libtiff's limit of 50 MB is for the whole strip."""
    photo = noise((4000, 4500, 3))
    (tmp_path / "x").write_bytes(makers.tiff(photo, compression="zlib", rowsperstrip=4000))
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, photo)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha", "unspecified"])
def test_two_planes_are_refused(
    tmp_path: Path, dtype: type, compression: str | None, photometric: str, extra: str
) -> None:
    """libvips takes the planes for interleaved rows, without a word."""
    planes = noise((2, 20, 30), dtype)
    data = makers.tiff(
        planes, photometric=photometric, planarconfig="separate", extrasamples=[extra], compression=compression
    )
    assert "separate planes" in refusal(tmp_path / "x", data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_are_divided_by_alpha_and_rounded(tmp_path: Path, dtype: type) -> None:
    """They were cut off: up to one level too dark."""
    top = np.iinfo(dtype).max
    alpha = noise((40, 50, 1), dtype, 1)
    colours = (noise((40, 50, 3), dtype).astype(np.uint64) * alpha // top).astype(dtype)
    (tmp_path / "x").write_bytes(makers.tiff(np.dstack([colours, alpha]), extrasamples=["assocalpha"]))
    found = read(tmp_path / "x")
    exact = np.where(alpha > 0, colours * float(top) / np.maximum(alpha, 1), 0)
    assert np.abs(found.pixels - exact).max() <= 0.5
    np.testing.assert_array_equal(found.alpha, alpha[..., 0])


@pytest.mark.parametrize("compression", ["group3", "jpeg"])
def test_what_a_decoder_of_tiff_filled_in_is_a_note(tmp_path: Path, compression: str) -> None:
    """Faxes go on at bad code words, with a warning only, and so do JPEGs within a TIFF."""
    image = Pillow.fromarray(make_photo(60, 80, 1)).convert("RGB" if compression == "jpeg" else "1")
    data = makers.saved(image, "tiff", compression=compression)
    (tmp_path / "x").write_bytes(data)
    assert read(tmp_path / "x").notes == ()
    notes = []
    for at in range(len(data) // 3, 2 * len(data) // 3, 7):
        (tmp_path / "x").write_bytes(data[:at] + bytes(8) + data[at + 8 :])
        with suppress(UndegradeError):
            notes += read(tmp_path / "x").notes
    assert notes
    assert all(note.startswith("the file is damaged: ") for note in notes)


@pytest.mark.parametrize(("turn", "stated"), [(1, True), (0, False), (9, False)])
def test_an_orientation_that_is_none_states_nothing(tmp_path: Path, turn: int, stated: bool) -> None:
    """XMP's own was then reset, although nothing was turned."""
    xmp = b'<a tiff:Orientation="6"/>'
    file = io.BytesIO()
    Pillow.fromarray(makers.RGB).save(file, "tiff", tiffinfo={274: turn, 700: xmp})
    found = read_bytes(tmp_path, file.getvalue())
    assert found.pixels.shape == makers.RGB.shape
    assert (b'"1"' in found.metadata.xmp) is stated
