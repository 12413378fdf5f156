"""What a file says beside its pixels is kept, stripped on request, and cleaned of what no longer fits."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.image import annotated, makers
from tests.image.checks import ICC, below, noise
from tests.image.makers import chunk
from undegrade.image import Format, Metadata, Picture, read, write


@pytest.mark.parametrize("format", Format.written())
@pytest.mark.parametrize("dpi", [1e-30, 2.0**24 * 25.4, 4e9])
def test_a_resolution_beyond_reason_is_none(tmp_path: Path, format: Format, dpi: float) -> None:
    (tmp_path / "in").write_bytes(makers.pillow(makers.RGB, str(format), exif=annotated.exif(dpi=dpi)))
    picture = read(tmp_path / "in")
    for written in Format.written():
        write(tmp_path / "out", picture, written)  # which says nothing on the terminal: see quiet
        assert all(0 < r < 1e5 for r in read(tmp_path / "out").resolution)


@pytest.mark.parametrize("format", Format.written())
def test_all_that_a_file_says_is_kept(tmp_path: Path, format: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(annotated.talkative(format))
    picture = read(path)
    write(out, picture)
    with Pillow.open(path) as given, Pillow.open(out) as found:
        assert found.format == format.upper()
        assert found.info["icc_profile"] == given.info["icc_profile"]
        tags = found.getexif()
        assert (tags[0x010F], tags[0x8298].strip(), tags[0x0112]) == ("Maker", "copyright", 1)
        assert tags[0x011A] == pytest.approx(300, abs=0.01)
        assert tags.get_ifd(0x8825)[1] == "N"
        assert below(found)[0x829A] == below(given)[0x829A]
        assert below(found)[0x927C] == annotated.MAKERS_NOTE
        assert below(found)[0xA002] == picture.pixels.shape[1]
        if format is not Format.AVIF:
            assert below(found)[0xFDE8] == annotated.PRIVATE
        stated = b"6" if format is Format.AVIF else b"1"  # Pillow's AVIF has no orientation outside of XMP
        assert b'tiff:Orientation="' + stated + b'" dc:title="t"' in (found.info.get("xmp") or tags[700])
        match format:
            case Format.PNG:
                assert found.text["Title"] == "a title"
                assert found.text["Author"] == "José"
                assert found.info["gamma"] == 1.0
            case Format.JPEG:
                assert found.info["comment"] == b"a comment"
                assert found.info["photoshop"] == {0x0404: annotated.IPTC[12:-1]}
            case Format.TIFF:
                assert found.tag_v2[270] == "a description"
                assert found.tag_v2[34377] == annotated.IPTC
        if "dpi" in given.info:
            assert found.info["dpi"][0] == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("format", Format.written())
def test_thumbnails_of_the_old_picture_go(tmp_path: Path, format: Format) -> None:
    path = tmp_path / "x"
    path.write_bytes(annotated.talkative(format))
    assert b"JFIF" in annotated.exif(thumbnail=True)
    write(path, read(path))
    assert b"JFIF" not in path.read_bytes()[30:]
    assert annotated.PREVIEW not in path.read_bytes()


@pytest.mark.parametrize("format", Format.written())
def test_metadata_is_stripped_but_for_what_the_pixels_mean(tmp_path: Path, format: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(annotated.talkative(format, orientation=6))
    picture = read(path)
    write(out, picture, strip_metadata=True)
    data = out.read_bytes()
    for word in (b"Maker", b"Nobody", b"copyright", b"xmpmeta", b"8BIM", b"title", b"a comment", b"description"):
        assert word not in data, word
    found = read(out)
    assert found.metadata == Metadata(icc=picture.metadata.icc, colour=picture.metadata.colour)
    assert found.pixels.shape == picture.pixels.shape == (24, 16, 3)
    if format not in (Format.WEBP, Format.AVIF):
        np.testing.assert_allclose(found.resolution, picture.resolution, 0.01)


@pytest.mark.parametrize("source", Format.written())
@pytest.mark.parametrize("target", Format.written())
def test_profile_exif_and_xmp_go_from_format_to_format(tmp_path: Path, source: Format, target: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(annotated.talkative(source).replace(*SRGB_GAMMA))
    picture = read(path)
    write(out, picture, target)
    with Pillow.open(out) as found:
        assert found.info["icc_profile"] == picture.metadata.icc
        assert found.getexif()[0x010F] == "Maker"
        assert below(found)[0x927C] == annotated.MAKERS_NOTE
        assert b"xmpmeta" in (found.info.get("xmp") or found.getexif()[700])
    if {source, target} == {Format.JPEG, Format.TIFF}:
        assert read(out).metadata.photoshop == picture.metadata.photoshop


SRGB_GAMMA = (chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"gAMA", struct.pack(">I", 45_455)))


@pytest.mark.parametrize("format", Format.written())
@pytest.mark.parametrize(
    "icc",
    [b"x", b"not a profile " * 20, ICC[:100], ICC[:16] + b"CMYK" + ICC[20:]],
    ids=["one byte", "text", "cut short", "of CMYK"],  # the profile holds the time it was made, which no name should
)
def test_a_broken_profile_is_left_out(tmp_path: Path, format: Format, icc: bytes) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format, icc_profile=icc)
    found = read(tmp_path / "x")
    assert found.metadata.icc is None
    write(tmp_path / "y", found)
    assert read(tmp_path / "y").metadata.icc is None


@pytest.mark.parametrize("format", Format.written())
def test_an_orientation_that_only_xmp_has_turns_nothing_and_stays(tmp_path: Path, format: Format) -> None:
    """It was reset to 1, although the pixels were not turned."""
    write(tmp_path / "x", Picture(makers.RGB, metadata=Metadata(xmp=annotated.XMP)))
    picture = read(tmp_path / "x")
    assert picture.pixels.shape == makers.RGB.shape
    write(tmp_path / "y", picture, format)
    assert annotated.XMP in (tmp_path / "y").read_bytes()
