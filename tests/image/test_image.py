"""Files keep what they are: depth, channels, alpha, metadata. Bad ones get one sentence, not a traceback."""

import io
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from tests.image import kinds
from tests.image.kinds import Kind, chunk, pillow, together
from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.image import Format, Metadata, Picture, check_fits, read, write
from undegrade.image.exif import clean
from undegrade.image.tiff_tags import EXIF, GPS, Broken, Reader, Tag, lay_out

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = {f"{kind.format} {kind.name}": kind for kind in kinds.kinds()}
LOSSLESS = [(f, d) for f in (Format.PNG, Format.TIFF) for d in (np.uint8, np.uint16)]
LOSSLESS += [(Format.WEBP, np.uint8), (Format.AVIF, np.uint8)]


def noise(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def sentence(error: pytest.ExceptionInfo[UndegradeError], name: str) -> str:
    text = str(error.value)
    assert name in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


def refusal(path: Path, data: bytes, **options: int) -> str:
    path.write_bytes(data)
    with pytest.raises(UndegradeError) as error:
        read(path, **options)
    return sentence(error, path.name)


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing that a file makes a decoder say reaches the terminal."""
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("dpi", [1e-30, 2.0**24 * 25.4, 4e9])
def test_a_resolution_beyond_reason_is_none(tmp_path: Path, format: Format, dpi: float) -> None:
    (tmp_path / "in").write_bytes(kinds.pillow(kinds.RGB, str(format), exif=kinds.exif(dpi=dpi)))
    picture = read(tmp_path / "in")
    for written in Format:
        write(tmp_path / "out", picture, written)  # which says nothing on the terminal: see quiet
        assert all(0 < r < 1e5 for r in read(tmp_path / "out").resolution)


@pytest.mark.parametrize("quality", [1, 10, 50, 85, 95, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpegs_quality_is_read_off_its_tables(tmp_path: Path, quality: int, mode: str) -> None:
    Pillow.new(mode, (16, 16)).save(tmp_path / "a.jpg", quality=quality)
    assert read(tmp_path / "a.jpg").quality == quality


@pytest.mark.parametrize(("quality", "written"), [(50, 95), (84, 95), (85, 98), (100, 98)])
def test_a_jpeg_that_came_fine_is_written_finer(tmp_path: Path, quality: int, written: int) -> None:
    picture = read_bytes(tmp_path, kinds.pillow(kinds.RGB, "jpeg", quality=quality))
    write(tmp_path / "out", picture)
    assert read(tmp_path / "out").quality == written


def test_tables_that_are_not_there_tell_no_quality(tmp_path: Path) -> None:
    data = kinds.pillow(kinds.RGB, "jpeg", quality=50)
    at = data.index(b"\xff\xdb")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    refusal(tmp_path / "none.jpg", data[:at] + data[at + 2 + length :])  # libjpeg needs them
    refusal(tmp_path / "short.jpg", data[:at] + b"\xff\xdb\x00\x0a" + bytes(8) + data[at + 2 + length :])
    assert read_bytes(tmp_path, kinds.pillow(kinds.RGB, "png")).quality is None


def read_bytes(folder: Path, data: bytes) -> Picture:
    (folder / "file").write_bytes(data)
    return read(folder / "file")


# What comes of each kind of file


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_read_as_it_should_be_or_refused(name: str, tmp_path: Path) -> None:
    kind: Kind = KINDS[name]
    seen, back = kinds.outcome(kind, tmp_path)
    assert f"| {kind.format} | {kind.name} | {seen} | {back} |\n" in kinds.PAGE.read_text(encoding="utf-8")
    if kind.pixels is None:
        assert back == f"refused: it {kind.refused}"
        return
    found = together(read(tmp_path / "kind"))
    assert found.dtype == kind.pixels.dtype
    assert found.shape == kind.pixels.shape
    assert np.abs(found.astype(int) - kind.pixels).max() <= kind.off_by


def test_the_page_of_kinds_is_up_to_date() -> None:
    text = kinds.PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", text.partition("<!-- kinds -->")[2].partition("<!-- end -->")[0], re.M)
    assert [" ".join(row) for row in rows[1:]] == list(KINDS)
    assert f"<!-- said -->\n{kinds.said()}<!-- end -->" in text


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


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder for many small files, in memory where the system has that."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


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
METADATA = st.builds(
    lambda exif, xmp, icc: Metadata(ICC if icc else None, exif, xmp),
    st.sampled_from([None, *(clean(Metadata(exif=kinds.exif(thumbnail=t)[6:]), 9, 9)[0].exif for t in (True, False))]),
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
    alpha = np.full(kinds.RGB.shape[:2], value, np.uint8)
    write(tmp_path / "a", Picture(kinds.RGB, alpha, format, lossless=True))
    found = read(tmp_path / "a").alpha
    if format is Format.WEBP and value == 255:
        assert found is None  # its encoder leaves out transparency that is nowhere
    else:
        np.testing.assert_array_equal(found, alpha)


def test_a_picture_that_would_grow_too_large_for_its_format(tmp_path: Path) -> None:
    picture = Picture(np.zeros((1, 16_383, 3), np.uint8), format=Format.WEBP)
    check_fits(tmp_path / "x.webp", picture, Format.WEBP)
    check_fits(tmp_path / "x.png", picture, Format.PNG, scale=4)
    with pytest.raises(UndegradeError, match="would be larger than webp can hold") as error:
        check_fits(tmp_path / "x.webp", picture, Format.WEBP, scale=2)
    sentence(error, "x.webp")


DPI = (72 / 25.4, 72 / 25.4)
BROKEN = {
    format: [kind.make() for kind in KINDS.values() if kind.format.lower() == format and len(kind.make()) < 20_000]
    + [kinds.talkative(format)]
    for format in Format
}


@given(
    format=st.sampled_from(list(Format)),
    which=st.integers(0, 99),
    seed=st.integers(0, 2**32 - 1),
    how=st.sampled_from(["flip", "cut", "splice", "repeat", "number"]),
)
@settings(max_examples=600, deadline=None)
def test_broken_files_are_an_error_or_a_picture(scratch: Path, format: Format, which: int, seed: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    files = BROKEN[format]
    data = np.frombuffer(files[which % len(files)], np.uint8).copy()
    a, b = sorted(rng.integers(0, min(len(data), int(rng.choice([64, 600, 10**6]))), 2))
    match how:
        case "flip":
            data[rng.integers(0, b + 1, 1 + seed % 4)] ^= np.uint8(1 << seed % 8)
        case "cut":
            data = np.concatenate([data[:a], data[b:]])
        case "splice":
            other = np.frombuffer(files[seed % len(files)], np.uint8)
            data = np.concatenate([data[:a], other[b:]])
        case "repeat":
            data = np.concatenate([data[:b], data[a:]])
        case "number":
            value = int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0xFFFF]))
            data[a : a + 4] = np.frombuffer(struct.pack(rng.choice(["<I", ">I"]), value), np.uint8)[: len(data) - a]
    path = scratch / "broken"
    path.write_bytes(data.tobytes())
    try:
        found = read(path, max_pixels=10**6)
    except UndegradeError as error:
        text = str(error)
        assert text.startswith(str(path))
        assert text.endswith(".")
        assert "\n" not in text
    else:
        write(scratch / "again", found)
        assert read(scratch / "again").pixels.shape[:2] == found.pixels.shape[:2]


# What files say beside their pixels


def below(file: Pillow.Image) -> dict[int, object]:
    return file.getexif().get_ifd(0x8769)


@pytest.mark.parametrize("format", Format)
def test_all_that_a_file_says_is_kept(tmp_path: Path, format: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(kinds.talkative(format))
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
        assert below(found)[0x927C] == kinds.MAKERS_NOTE
        assert below(found)[0xA002] == picture.pixels.shape[1]
        if format is not Format.AVIF:
            assert below(found)[0xFDE8] == kinds.PRIVATE
        assert b'tiff:Orientation="1" dc:title="t"' in (found.info.get("xmp") or tags[700])
        match format:
            case Format.PNG:
                assert found.text["Title"] == "a title"
                assert found.text["Author"] == "José"
                assert found.info["gamma"] == 1.0
            case Format.JPEG:
                assert found.info["comment"] == b"a comment"
                assert found.info["photoshop"] == {0x0404: kinds.IPTC[12:-1]}
            case Format.TIFF:
                assert found.tag_v2[270] == "a description"
                assert found.tag_v2[34377] == kinds.IPTC
        if "dpi" in given.info:
            assert found.info["dpi"][0] == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("format", Format)
def test_thumbnails_of_the_old_picture_go(tmp_path: Path, format: Format) -> None:
    path = tmp_path / "x"
    path.write_bytes(kinds.talkative(format))
    assert b"JFIF" in kinds.exif(thumbnail=True)
    write(path, read(path))
    assert b"JFIF" not in path.read_bytes()[30:]
    assert kinds.PREVIEW not in path.read_bytes()


@pytest.mark.parametrize("format", Format)
def test_metadata_is_stripped_but_for_what_the_pixels_mean(tmp_path: Path, format: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(kinds.talkative(format, orientation=6))
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


@pytest.mark.parametrize("source", Format)
@pytest.mark.parametrize("target", Format)
def test_profile_exif_and_xmp_go_from_format_to_format(tmp_path: Path, source: Format, target: Format) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(kinds.talkative(source).replace(*SRGB_GAMMA))
    picture = read(path)
    write(out, picture, target)
    with Pillow.open(out) as found:
        assert found.info["icc_profile"] == picture.metadata.icc
        assert found.getexif()[0x010F] == "Maker"
        assert below(found)[0x927C] == kinds.MAKERS_NOTE
        assert b"xmpmeta" in (found.info.get("xmp") or found.getexif()[700])
    if {source, target} == {Format.JPEG, Format.TIFF}:
        assert read(out).metadata.photoshop == picture.metadata.photoshop


SRGB_GAMMA = (chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"gAMA", struct.pack(">I", 45_455)))


def test_exif_is_not_invented(tmp_path: Path) -> None:
    for format in Format:
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
    Pillow.fromarray(noise((9, 7, 3))).save(path, format, exif=kinds.exif(orientation))
    with Pillow.open(path) as file:
        upright = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read(path).pixels, upright)
    write(tmp_path / "y", read(path))
    with Pillow.open(tmp_path / "y") as file:
        assert file.getexif().get(0x0112, 1) == 1
        np.testing.assert_array_equal(np.asarray(file), upright)


def test_an_avif_is_turned_once(tmp_path: Path) -> None:
    """Its own way to turn a picture, and EXIF's, say the same thing twice."""
    (tmp_path / "x").write_bytes(kinds.talkative(Format.AVIF, orientation=6))
    assert read(tmp_path / "x").pixels.shape == (24, 16, 3)
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        assert file.getexif()[0x0112] == 1
        assert file.size == (16, 24)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_orientations_that_make_no_sense_change_nothing(tmp_path: Path, orientation: int) -> None:
    for format in (Format.PNG, Format.TIFF):
        Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format, exif=kinds.exif(orientation))
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


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("icc", [b"x", b"not a profile " * 20, ICC[:100], ICC[:16] + b"CMYK" + ICC[20:]])
def test_a_broken_profile_is_left_out(tmp_path: Path, format: Format, icc: bytes) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", format, icc_profile=icc)
    found = read(tmp_path / "x")
    assert found.metadata.icc is None
    write(tmp_path / "y", found)
    assert read(tmp_path / "y").metadata.icc is None


def test_exif_of_the_other_byte_order_goes_into_a_tiff(tmp_path: Path) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(
        ">HHHIHHHHIIIII", 2, 0x010E, 3, 1, 0x1234, 0, 0x013E, 5, 1, 38, 0, 3127, 10_000
    )
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x", "png", exif=exif)
    write(tmp_path / "y", read(tmp_path / "x"), Format.TIFF)
    with Pillow.open(tmp_path / "y") as file:
        assert file.tag_v2[0x010E] == 0x1234
        assert float(file.tag_v2[0x013E][0]) == 0.3127


def test_size_in_exif_follows_the_pixels(tmp_path: Path) -> None:
    Pillow.fromarray(noise((6, 8, 3))).save(tmp_path / "x.png", exif=kinds.exif())
    write(tmp_path / "y.png", read(tmp_path / "x.png").with_pixels(noise((12, 16, 3))))
    with Pillow.open(tmp_path / "y.png") as file:
        assert (below(file)[0xA002], below(file)[0xA003]) == (16, 12)


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


def test_a_channel_that_is_no_alpha_stays_that(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(KINDS["TIFF RGB with a channel that is no alpha"].make())
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        assert file.tag_v2[338] == (0,)
    with pytest.raises(UndegradeError) as error:
        write(tmp_path / "z", read(tmp_path / "x"), Format.PNG)
    assert "would take for transparency" in sentence(error, "z")


def test_display_p3_by_number_becomes_a_profile(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(KINDS["AVIF Display P3 by number"].make())
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        profile = ImageCms.getOpenProfile(io.BytesIO(file.info["icc_profile"]))
    assert profile.profile.red_primary[1][:2] == pytest.approx((0.68, 0.32), abs=0.01)


def test_gain_maps_are_left_out_with_a_note(tmp_path: Path) -> None:
    data = pillow(kinds.RGB, "jpeg", xmp=b'<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>')
    (tmp_path / "x").write_bytes(data)
    assert "gain map" in read(tmp_path / "x").notes[0]


# How they are written


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


@pytest.mark.parametrize("format", [Format.WEBP, Format.AVIF])
def test_webp_and_avif_stay_lossy_or_lossless(tmp_path: Path, format: Format) -> None:
    for lossless in (True, False):
        data = (
            kinds.avif(lossless=lossless)
            if format is Format.AVIF
            else pillow(kinds.RGB, "webp", lossless=lossless, exif=kinds.exif())
        )
        (tmp_path / "x").write_bytes(data)
        assert read(tmp_path / "x").lossless is lossless
        write(tmp_path / "y", read(tmp_path / "x"))
        assert read(tmp_path / "y").lossless is lossless


def test_alpha_is_exact_even_in_a_lossy_file(tmp_path: Path) -> None:
    for format in (Format.WEBP, Format.AVIF):
        for alpha in (noise((20, 30)), np.full((20, 30), 77, np.uint8)):
            given = Picture(noise((20, 30, 3)), alpha, format, lossless=False)
            write(tmp_path / "x", given)
            np.testing.assert_array_equal(read(tmp_path / "x").alpha, alpha)


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_keeps_its_depth_and_its_white(tmp_path: Path, bits: int) -> None:
    values = np.linspace(0, 65535, 2**bits).round().astype(np.uint16)[:, None, None].repeat(3, 2)
    (tmp_path / "x").write_bytes(kinds.avif(values, bits))
    found = read(tmp_path / "x")
    assert found.bits == bits
    assert found.pixels.max() == 65535
    assert np.abs(found.pixels.astype(int) - values).max() <= 1
    shifted = np.clip(found.pixels.astype(int) + np.arange(-3, 3).repeat(2**bits)[: 2**bits, None, None], 0, 65535)
    write(tmp_path / "y", found.with_pixels(shifted.astype(np.uint16)))  # rounds to the nearest, does not cut
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, found.pixels)
    write(tmp_path / "z.png", found, Format.PNG)
    np.testing.assert_array_equal(read(tmp_path / "z.png").pixels, found.pixels)


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


def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    grey_profile = ICC[:16] + b"GRAY" + ICC[20:]
    for picture, format in (
        (Picture(noise((3, 4), np.uint16)), Format.JPEG),
        (Picture(noise((3, 4, 3), np.uint16)), Format.WEBP),
        (Picture(noise((3, 4, 3), np.uint16)), Format.AVIF),
        (Picture(noise((3, 4, 3), np.uint16), depth=10), Format.WEBP),
        (Picture(noise((3, 4)), noise((3, 4))), Format.JPEG),
        (Picture(np.zeros((1, 17_000, 3), np.uint8)), Format.WEBP),
        (Picture(np.zeros((1, 17_000, 3), np.uint8)), Format.AVIF),
        (Picture(np.zeros((1, 66_000, 3), np.uint8)), Format.JPEG),
        (Picture(noise((3, 4)), metadata=Metadata(icc=grey_profile)), Format.WEBP),
        (Picture(noise((3, 4, 3)), metadata=Metadata(colour=(b"gAMA",))), Format.TIFF),
    ):
        with pytest.raises(UndegradeError) as error:
            write(tmp_path / "x", picture, format)
        sentence(error, "x")
        with pytest.raises(UndegradeError):
            check_fits(tmp_path / "x", picture, format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", Format)
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
@pytest.mark.parametrize("format", Format)
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


def test_replacing_gives_ordinary_rights(tmp_path: Path) -> None:
    with replacing(tmp_path / "new") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 4])
def test_alpha_grows_with_the_pixels(kind: type[np.generic], scale: int) -> None:
    peak = np.iinfo(kind).max
    pixels = np.zeros((12, 16, 3), kind)
    ramp = np.broadcast_to(np.arange(16) * (peak // 16), (12, 16)).astype(kind)
    larger = Picture(pixels, ramp).with_pixels(np.zeros((12 * scale, 16 * scale, 3), kind))
    assert larger.alpha is not None
    assert larger.alpha.dtype == kind
    assert larger.alpha.shape == (12 * scale, 16 * scale)
    # Small pixel i is the middle of its block: (i + 0.5) scale - 0.5.
    expected = ((np.arange(16 * scale) + 0.5) / scale - 0.5) * (peak // 16)
    inside = slice(2 * scale, -2 * scale)
    np.testing.assert_allclose(larger.alpha[5, inside], expected[inside], atol=1)
    for constant in (0, peak, peak // 3):
        flat = Picture(pixels, np.full((12, 16), constant, kind)).with_pixels(larger.pixels).alpha
        assert flat is not None
        assert (flat == constant).all()


# Files that are broken or lie


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.95])
def test_cut_short(tmp_path: Path, format: Format, kept: float) -> None:
    data = pillow(noise((100, 120, 3)), str(format))
    text = refusal(tmp_path / "x", data[: int(len(data) * kept)])
    assert "damaged or cut short" in text


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


HUGE = {
    "png": kinds.png(kinds.RGB, 8, 2, size=(8000, 6000)),
    "jpeg": pillow(kinds.RGB, "jpeg").replace(struct.pack(">HH", 16, 24), struct.pack(">HH", 6000, 8000)),
    "tiff": kinds.plain_tiff(kinds.GREY, 8, t256=60_000),
    "lzw": kinds.plain_tiff(kinds.GREY, 8, t256=60_000, t257=1000, t259=5),
}


@pytest.mark.parametrize("name", HUGE)
def test_claims_that_a_file_is_too_small_for_are_refused_by_the_header(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undegrade.image.codec._decode", None)  # is not called
    for limit in (500_000_000, 10**9):
        text = refusal(tmp_path / "x", HUGE[name], max_pixels=limit)
        assert "damaged or cut short" in text
        assert "bytes cannot hold" in text


def test_claims_that_no_photo_makes_are_refused_until_a_limit_is_given(tmp_path: Path) -> None:
    for data in (kinds.big_webp(), kinds.avif().replace(struct.pack(">II", 24, 16), struct.pack(">II", 16000, 12000))):
        assert "with --max-pixels 192." in refusal(tmp_path / "x", data)
        assert "damaged" in refusal(tmp_path / "x", data, max_pixels=192 * 10**6)  # and then decoded, in vain


def test_one_colour_all_over_is_believed(tmp_path: Path) -> None:
    for format in Format:
        write(tmp_path / "x", Picture(np.full((300, 400, 3), 200, np.uint8), format=format))
        assert read(tmp_path / "x").pixels.shape == (300, 400, 3)


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write(path, Picture(noise((1000, 1200))))
    assert "over the limit of 1 million; if that is right, allow it with --max-pixels 2." in refusal(
        path, path.read_bytes(), max_pixels=10**6
    )
    assert read(path, 2 * 10**6).pixels.shape == (1000, 1200)


@pytest.mark.parametrize(
    "data",
    [
        kinds.png(kinds.RGB, 8, 2, size=(0, 6)),
        kinds.png(kinds.RGB, 3, 2, size=(6, 6)),
        kinds.png(kinds.RGB, 8, 2)[:30],
        kinds.png(kinds.GREY, 8, 3),  # a palette picture without palette
        pillow(kinds.RGB, "jpeg").replace(struct.pack(">HH", 16, 24), bytes(4)),
        pillow(kinds.RGB, "jpeg")[:100],
        pillow(kinds.RGB, "webp").replace(struct.pack("<HH", 24, 16), bytes(4)),
        kinds.plain_tiff(kinds.GREY, 8, t256=0),
        kinds.plain_tiff(kinds.GREY, 8, t262=99),
        kinds.plain_tiff(kinds.GREY, 8, t322=2**31, t323=2**31),
        kinds.plain_tiff(kinds.GREY, 8, t273=2**31),
        b"II*\0" + bytes(4),
        b"II*\0\xff\xff\xff\xff",
        b"MM\0+\0\x08\0\0" + b"\xff" * 8,
        kinds.avif().replace(struct.pack(">II", 24, 16), bytes(8)),
        kinds.avif().replace(b"ispe", b"none"),
        kinds.avif().replace(b"pitm", b"none"),
        kinds.avif().replace(b"meta", b"none"),
        kinds.avif().replace(b"av01", b"none"),
        b"\0\0\0\x18ftypavif" + bytes(12),
    ],
)
def test_nonsense_in_headers(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path / "x", data)


def test_pages_that_go_in_a_circle(tmp_path: Path) -> None:
    data = bytearray(kinds.plain_tiff(kinds.GREY, 8, t254=0))
    data[-4:] = data[4:8]
    assert "circle" in refusal(tmp_path / "x", bytes(data))


def test_endless_chunks_are_no_endless_wait(tmp_path: Path) -> None:
    data = kinds.png(kinds.RGB, 8, 2, chunk(b"tEXt", b"a\0b") * 3000)
    (tmp_path / "x").write_bytes(data)
    assert len(read(tmp_path / "x").metadata.comments) == 3000


def test_compressed_metadata_that_grows_without_end_is_left_out(tmp_path: Path) -> None:
    profile = b"name\0\0" + zlib.compress(struct.pack(">I", 10**8) + ICC[4:] + bytes(10**8))
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(10**7))
    (tmp_path / "x").write_bytes(kinds.png(kinds.RGB, 8, 2, chunk(b"iCCP", profile), chunk(b"zTXt", b"a\0\0" + text)))
    found = read(tmp_path / "x")
    assert found.metadata.icc is None
    write(tmp_path / "y", found)
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, kinds.RGB)


@pytest.mark.parametrize("type", [0, 14, 16, 17, 99, 65535])
def test_tags_of_no_known_type_disturb_nobody(tmp_path: Path, type: int) -> None:
    """libtiff gives up at them; found by fuzzing."""
    data = kinds.plain_tiff(kinds.GREY, 8, t28003=1).replace(
        struct.pack("<HH", 28003, 4), struct.pack("<HH", 28003, type)
    )
    (tmp_path / "x").write_bytes(data)
    found = read(tmp_path / "x")
    np.testing.assert_array_equal(found.pixels, kinds.GREY)
    write(tmp_path / "y", found)
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, kinds.GREY)
    with Pillow.open(tmp_path / "y") as file:
        assert 28003 not in file.tag_v2


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
    assert reader.tree(reader.directory(reader.first)[0], 1000) == tree


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


# Memory


@pytest.mark.slow
def test_a_photo_in_one_strip(tmp_path: Path) -> None:
    """libtiff's limit of 50 MB is for the whole strip."""
    photo = noise((4000, 4500, 3))
    (tmp_path / "x").write_bytes(kinds.tiff(photo, compression="zlib", rowsperstrip=4000))
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, photo)


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
