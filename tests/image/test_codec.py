"""Reading and writing: every bit comes back, the content decides the format, a failed write leaves what was there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.image import annotated, makers
from tests.image.checks import DPI, ICC, LOSSLESS, noise, sentence
from tests.image.page import together
from undegrade.errors import UndegradeError
from undegrade.image import Format, Metadata, Picture, read, write
from undegrade.image.exif import clean


@pytest.mark.parametrize(("format", "dtype"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_lossless_formats_give_back_every_bit(
    tmp_path: Path, format: Format, dtype: type, channels: int, alpha: bool
) -> None:
    if not format.holds_grey and channels == 1:
        pytest.skip(f"{format} has no grey")
    shape = (13, 17, 3) if channels == 3 else (13, 17)
    given = Picture(noise(shape, dtype), noise((13, 17), dtype, 1) if alpha else None, format)
    path = tmp_path / "picture.any"
    write(path, given)
    found = read(path)
    assert found.format is format
    assert found.pixels.dtype == dtype
    np.testing.assert_array_equal(found.pixels, given.pixels)
    assert (found.alpha is None) is (given.alpha is None)
    if alpha:
        np.testing.assert_array_equal(found.alpha, given.alpha)


PICTURES = st.builds(
    lambda how, h, w, grey, alpha, seed, dpi: Picture(
        noise((h, w) if grey and how[0].holds_grey else (h, w, 3), how[1], seed),
        noise((h, w), how[1], seed + 1) if alpha else None,
        how[0],
        resolution=(dpi / 25.4, dpi / 25.4),
    ),
    st.sampled_from(LOSSLESS[:-1]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 2),
    st.integers(10, 2400),
)
EXIF = [clean(Metadata(exif=annotated.exif(thumbnail=t)[6:]), 9, 9)[0].exif for t in (True, False)]
METADATA = st.builds(
    lambda exif, xmp, icc: Metadata(ICC if icc else None, exif, xmp),
    st.sampled_from(
        [None, *(clean(Metadata(exif=annotated.exif(thumbnail=t)[6:]), 9, 9)[0].exif for t in (True, False))]
    ),
    st.one_of(st.none(), st.text("abc <>&ä/", min_size=1, max_size=200).map(str.encode)),
    st.booleans(),
)


@given(picture=PICTURES, metadata=METADATA)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_what_is_read(scratch: Path, picture: Picture, metadata: Metadata) -> None:
    path = scratch / "picture"
    if picture.grey:
        metadata = Metadata(None, metadata.exif, metadata.xmp)
    picture = Picture(picture.pixels, picture.alpha, picture.format, metadata, picture.resolution)
    write(path, picture)
    found = read(path)
    np.testing.assert_array_equal(together(found), together(picture))
    assert found.format is picture.format
    assert found.metadata.icc == metadata.icc
    # A JPEG's or TIFF's own tags may follow; see the tests of each.
    if picture.format is not Format.TIFF:
        assert (found.metadata.exif is None) is (metadata.exif is None)
    assert found.metadata.xmp == metadata.xmp
    if metadata.exif is None:  # otherwise that says it
        wanted = DPI if picture.format is Format.WEBP else picture.resolution
        np.testing.assert_allclose(found.resolution, wanted, 0.03)


@pytest.mark.parametrize("format", [Format.PNG, Format.TIFF, Format.WEBP, Format.AVIF])
@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_transparency(tmp_path: Path, format: Format, value: int) -> None:
    alpha = np.full(makers.RGB.shape[:2], value, np.uint8)
    write(tmp_path / "a", Picture(makers.RGB, alpha, format, lossless=True))
    found = read(tmp_path / "a").alpha
    if format is Format.WEBP and value == 255:
        assert found is None  # its encoder leaves out transparency that is nowhere
    else:
        np.testing.assert_array_equal(found, alpha)


def test_grey_becomes_three_equal_channels_where_there_is_no_grey(tmp_path: Path) -> None:
    for format in (Format.WEBP, Format.AVIF):
        write(tmp_path / "x", Picture(noise((9, 7)), noise((9, 7), seed=1), format))
        found = read(tmp_path / "x")
        np.testing.assert_array_equal(found.pixels, np.dstack([noise((9, 7))] * 3))
        np.testing.assert_array_equal(found.alpha, noise((9, 7), seed=1))


def test_names_with_brackets_and_accents(tmp_path: Path) -> None:
    path = tmp_path / "é [page=1].png"
    write(path, Picture(noise((3, 4))))
    np.testing.assert_array_equal(read(path).pixels, noise((3, 4)))


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x.png", "jpeg")
    assert read(tmp_path / "x.png").format is Format.JPEG


@pytest.mark.parametrize("format", Format.written())
def test_a_failing_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("undegrade.atomic.os.fsync", full)
    with pytest.raises(UndegradeError) as error:
        write(path, Picture(noise((9, 7)), format=format))
    assert "No space left" in sentence(error, "x.png")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("format", Format.written())
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    import contextlib

    monkeypatch.setattr("undegrade.image.codec.replacing", lambda path: contextlib.closing(open("/dev/full", "r+b", 0)))  # noqa: PTH123, SIM115
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "x", Picture(noise((90, 70, 3)), format=format))
    assert "cannot be written" in sentence(error, "x")


def test_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "none" / "x.png", Picture(noise((9, 7))))
    sentence(error, "x.png")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError) as error:
        read(tmp_path / "none.png")
    assert "no such file" in sentence(error, "none.png")
    with pytest.raises(UndegradeError) as error:
        read(tmp_path)
    assert "folder" in sentence(error, tmp_path.name)
    with pytest.raises(UndegradeError) as error:
        read(tmp_path / "zero\0byte.png")
    sentence(error, "zero")


def test_web_addresses_are_no_files() -> None:
    for address in ("https://example.org/a.png", Path("http://example.org/a.png")):
        with pytest.raises(UndegradeError) as error:
            read(address)
        assert "web address; download the picture" in sentence(error, "example.org/a.png")


@pytest.mark.parametrize("format", sorted(set(Format) - set(Format.written())))
def test_formats_that_are_only_read_are_not_written(tmp_path: Path, format: Format) -> None:
    assert format.of_result is Format.PNG
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "x", Picture(noise((9, 7))), format)
    assert "write PNG, JPEG, WebP, TIFF or AVIF." in sentence(error, "x")
    assert not (tmp_path / "x").exists()
    Pillow.fromarray(noise((9, 7))).save(tmp_path / "x", format)
    write(tmp_path / "y", read(tmp_path / "x"))
    assert read(tmp_path / "y").format is Format.PNG


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("format", [Format.TIFF, Format.PNG, Format.JPEG])
def test_reading_and_writing_hold_the_pixels_once(tmp_path: Path, format: Format) -> None:
    write(tmp_path / "x", Picture(noise((6000, 5000, 3)), format=format))
    code = (
        "import sys, pathlib, undegrade.image as i, pyvips\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before, (source, target) = peak(), map(pathlib.Path, sys.argv[1:])\n"
        "p = i.read(source); i.write(target, p); print((peak() - before) * 1024 / p.pixels.nbytes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x", tmp_path / "y"], capture_output=True, text=True, check=True
    )
    # And buffers; libvips maps a JPEG file as a whole.
    mapped = (tmp_path / "x").stat().st_size if format is Format.JPEG else 0
    assert float(done.stdout) < 1.5 + mapped / (6000 * 5000 * 3)


def test_a_format_may_be_a_text_and_what_is_none_is_one_sentence(tmp_path: Path) -> None:
    picture = Picture(noise((9, 7, 3)))
    write(tmp_path / "x", picture, "tiff")  # type: ignore[arg-type]
    assert read(tmp_path / "x").format is Format.TIFF
    for format in ("heic", 5, []):
        with pytest.raises(UndegradeError, match="is no format of pictures; write PNG"):
            write(tmp_path / "y", picture, format)  # type: ignore[arg-type]
    with pytest.raises(UndegradeError, match="ndarray is no Picture"):
        write(tmp_path / "y", picture.pixels)  # type: ignore[arg-type]
    assert not (tmp_path / "y").exists()
