"""JPEG: the quality in its tables, how it is written, what its segments hold."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.image import makers
from tests.image.checks import ICC, noise, read_bytes, refusal, sentence
from tests.image.makers import pillow
from undegrade.errors import UndegradeError
from undegrade.image import Format, Metadata, Picture, read, write


@pytest.mark.parametrize("quality", [1, 10, 50, 85, 95, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpegs_quality_is_read_off_its_tables(tmp_path: Path, quality: int, mode: str) -> None:
    Pillow.new(mode, (16, 16)).save(tmp_path / "a.jpg", quality=quality)
    assert read(tmp_path / "a.jpg").quality == quality


@pytest.mark.parametrize(("quality", "written"), [(50, 95), (84, 95), (85, 98), (100, 98)])
def test_a_jpeg_that_came_fine_is_written_finer(tmp_path: Path, quality: int, written: int) -> None:
    picture = read_bytes(tmp_path, makers.pillow(makers.RGB, "jpeg", quality=quality))
    write(tmp_path / "out", picture)
    assert read(tmp_path / "out").quality == written


def test_tables_that_are_not_there_tell_no_quality(tmp_path: Path) -> None:
    data = makers.pillow(makers.RGB, "jpeg", quality=50)
    at = data.index(b"\xff\xdb")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    refusal(tmp_path / "none.jpg", data[:at] + data[at + 2 + length :])  # libjpeg needs them
    refusal(tmp_path / "short.jpg", data[:at] + b"\xff\xdb\x00\x0a" + bytes(8) + data[at + 2 + length :])
    assert read_bytes(tmp_path, makers.pillow(makers.RGB, "png")).quality is None


def test_a_grey_jpeg_with_a_colour_profile_stays_what_it_is(tmp_path: Path) -> None:
    Pillow.fromarray(noise((9, 7))).save(tmp_path / "x", "jpeg", icc_profile=ICC)
    given = read(tmp_path / "x")
    write(tmp_path / "y", given)
    found = read(tmp_path / "y")
    assert found.grey
    assert found.metadata.icc == ICC
    write(tmp_path / "z", given, Format.PNG)  # which allows that for colour alone
    found = read(tmp_path / "z")
    assert found.metadata.icc == ICC
    np.testing.assert_array_equal(found.pixels, np.dstack([given.pixels] * 3))


def test_large_metadata_goes_into_a_jpeg_in_pieces_or_is_refused(tmp_path: Path) -> None:
    icc = struct.pack(">I", 200_000) + ICC[4:] + bytes(200_000 - len(ICC))
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", 150_000) + bytes(150_000)
    picture = Picture(noise((9, 7, 3)), format=Format.JPEG, metadata=Metadata(icc, photoshop=block))
    write(tmp_path / "x", picture)
    assert read(tmp_path / "x").metadata == picture.metadata
    picture = Picture(noise((9, 7, 3)), metadata=Metadata(xmp=b"<x/>" + b" " * 70_000))
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "x", picture, Format.JPEG)
    assert "--strip-metadata" in sentence(error, "x")
    write(tmp_path / "x", picture, Format.JPEG, strip_metadata=True)


def test_gain_maps_are_left_out_with_a_note(tmp_path: Path) -> None:
    data = pillow(makers.RGB, "jpeg", xmp=b'<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>')
    (tmp_path / "x").write_bytes(data)
    assert "gain map" in read(tmp_path / "x").notes[0]


@pytest.mark.parametrize("shape", [(24, 31), (24, 31, 3)])
def test_jpeg_is_written_at_quality_95_with_full_colour(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write(tmp_path / "x.jpg", Picture(noise(shape), format=Format.JPEG))
    with Pillow.open(tmp_path / "x.jpg") as file:
        assert file.mode == ("L" if len(shape) == 2 else "RGB")
        if file.mode == "RGB":
            assert {layer[1:3] for layer in file.layer} == {(1, 1)}
        expected = io.BytesIO()
        Pillow.fromarray(noise(shape)).save(expected, "jpeg", quality=95)
        assert file.quantization == Pillow.open(expected).quantization
    assert read(tmp_path / "x.jpg").pixels.shape == shape


def corrupt(seed: int = 0) -> bytes:
    """A JPEG whose decoder goes on, with a warning."""
    data = bytearray(makers.pillow(noise((100, 120, 3), seed=seed), "jpeg"))
    data[len(data) // 2 : len(data) // 2 + 4] = b"\xff\x33\xff\x44"
    return bytes(data)


def test_what_the_decoder_warned_of_is_a_note(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, corrupt())
    assert any("Corrupt JPEG data" in note for note in found.notes)
    assert read_bytes(tmp_path, makers.pillow(noise((100, 120, 3)), "jpeg")).notes == ()


def test_a_scan_that_is_missing_is_a_note(tmp_path: Path) -> None:
    """libjpeg says "Inconsistent progression sequence", and shows what it has."""
    data = makers.pillow(makers.RGB, "jpeg", progressive=True)
    scans = [i for i in range(len(data)) if data[i : i + 2] == b"\xff\xda"]
    notes = [read_bytes(tmp_path, data[: scans[k]] + data[scans[k + 1] :]).notes for k in (4, 5)]
    assert all(any("the file is damaged" in note for note in found) for found in notes)
