"""Files keep what they are: depth, channels, alpha, metadata. Bad ones get one sentence, not a traceback."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from vdir.atomic import replacing
from vdir.errors import VdirError
from vdir.image import Format, Picture, read, write

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [(f, d) for f in (Format.PNG, Format.TIFF) for d in (np.uint8, np.uint16)] + [(Format.WEBP, np.uint8)]


def noise(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def exif(orientation: int = 1, dpi: float = 300.0) -> bytes:
    tags = Pillow.Exif()
    tags[0x010F], tags[0x8298], tags[0x0112] = "Maker", "copyright", orientation
    tags[0x011A] = tags[0x011B] = dpi
    tags[0x0128] = 2
    tags.get_ifd(0x8769)[0x829A] = (1, 100)
    return tags.tobytes()


def sentence(error: pytest.ExceptionInfo[VdirError], name: str) -> str:
    text = str(error.value)
    assert name in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize(("format", "dtype"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_lossless_formats_give_back_every_bit(
    tmp_path: Path, format: Format, dtype: type, channels: int, alpha: bool
) -> None:
    if format is Format.WEBP and channels == 1:
        pytest.skip("WebP has no grey")
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


def test_16_bit_files_of_other_programs_are_read_exactly(tmp_path: Path) -> None:
    grey, colour = noise((9, 7), np.uint16), noise((9, 7, 3), np.uint16)
    Pillow.fromarray(grey).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb")
    tifffile.imwrite(tmp_path / "big-endian.tif", colour, photometric="rgb", byteorder=">", bigtiff=True)
    np.testing.assert_array_equal(read(tmp_path / "grey.png").pixels, grey)
    np.testing.assert_array_equal(read(tmp_path / "colour.tif").pixels, colour)
    np.testing.assert_array_equal(read(tmp_path / "big-endian.tif").pixels, colour)


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


def test_webp_stays_lossy_or_lossless(tmp_path: Path) -> None:
    for lossless in (True, False):
        Pillow.fromarray(noise((20, 20, 3))).save(tmp_path / "x.webp", lossless=lossless, exif=exif())
        assert read(tmp_path / "x.webp").lossless is lossless


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
def test_profile_and_resolution_are_kept(tmp_path: Path, name: str) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / name, icc_profile=ICC, dpi=(300, 150), exif=exif(dpi=300))
    write(tmp_path / "out", read(tmp_path / name))
    with Pillow.open(tmp_path / "out") as file:
        assert file.info["icc_profile"] == ICC
        if name != "x.webp":
            assert file.info["dpi"][0] == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp"])
def test_exif_is_kept(tmp_path: Path, name: str) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / name, exif=exif())
    write(tmp_path / "out", read(tmp_path / name))
    with Pillow.open(tmp_path / "out") as file:
        tags = file.getexif()
        assert (tags[0x010F], tags[0x8298].strip()) == ("Maker", "copyright")
        assert tags[0x011A] == pytest.approx(300, abs=0.01)
        assert tags.get_ifd(0x8769)[0x829A] in ((1, 100), 0.01)


def test_exif_is_not_invented(tmp_path: Path) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x.png")
    write(tmp_path / "y.png", read(tmp_path / "x.png"))
    with Pillow.open(tmp_path / "y.png") as file:
        assert not file.getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "x.png"
    Pillow.fromarray(noise((9, 7, 3))).save(path, exif=exif(orientation))
    with Pillow.open(path) as file:
        upright = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read(path).pixels, upright)
    write(tmp_path / "y.png", read(path))
    with Pillow.open(tmp_path / "y.png") as file:
        assert file.getexif()[0x0112] == 1
        np.testing.assert_array_equal(np.asarray(file), upright)


def test_palettes_become_rgb(tmp_path: Path) -> None:
    palette = Pillow.fromarray(noise((9, 7, 3))).quantize(16)
    palette.save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png").pixels, np.asarray(palette.convert("RGB")))


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    Pillow.fromarray(noise((9, 7, 3))).save(tmp_path / "x.png", "jpeg")
    assert read(tmp_path / "x.png").format is Format.JPEG


def test_names_with_brackets_and_accents(tmp_path: Path) -> None:
    path = tmp_path / "é [page=1].png"
    write(path, Picture(noise((3, 4))))
    np.testing.assert_array_equal(read(path).pixels, noise((3, 4)))


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_cut_short(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    Pillow.fromarray(noise((100, 120, 3))).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(VdirError) as error:
        read(path)
    assert "damaged or cut short" in sentence(error, name)


def test_every_flipped_byte_is_an_error_or_a_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("x.jpg", "x.png", "x.webp", "x.tif"):
        path = tmp_path / name
        Pillow.fromarray(noise((30, 40, 3))).save(path, exif=exif(), icc_profile=ICC)
        data = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[rng.integers(0, min(len(data), 600), 3)] = rng.integers(0, 256, 3)
            path.write_bytes(broken.tobytes())
            with contextlib.suppress(VdirError):
                assert read(path, max_pixels=10**6).pixels.size > 0


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "is empty"), (b"hello, world, no picture", "not a PNG"), (b"GIF89a" + bytes(50), "not a PNG")],
)
def test_foreign_files(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(VdirError) as error:
        read(tmp_path / "x.png")
    assert what in sentence(error, "x.png")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(VdirError) as error:
        read(tmp_path / "none.png")
    assert "no such file" in sentence(error, "none.png")
    with pytest.raises(VdirError) as error:
        read(tmp_path)
    assert "folder" in sentence(error, tmp_path.name)


def test_a_small_file_that_claims_to_be_huge_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )
    with pytest.raises(VdirError) as error:
        read(path)
    assert "3000 million pixels" in sentence(error, "bomb.png")


def test_kinds_that_are_refused(tmp_path: Path) -> None:
    rgb, grey = Pillow.fromarray(noise((9, 7, 3))), noise((9, 7))
    frames = {"save_all": True, "append_images": [Pillow.fromarray(noise((9, 7, 3), seed=1))]}
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg")
    rgb.save(tmp_path / "animated.webp", **frames)
    rgb.save(tmp_path / "animated.png", **frames)
    rgb.save(tmp_path / "pages.tif", **frames)
    tifffile.imwrite(tmp_path / "float.tif", grey.astype(np.float32))
    tifffile.imwrite(tmp_path / "int.tif", grey.astype(np.uint32))
    tifffile.imwrite(tmp_path / "five.tif", np.stack([grey] * 5, -1), photometric="minisblack", planarconfig="contig")
    rgb.convert("LAB").save(tmp_path / "lab.tif")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(VdirError) as error:
            read(path)
        sentence(error, path.name)


def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for picture in (
        Picture(noise((3, 4), np.uint16), format=Format.JPEG),
        Picture(noise((3, 4, 3), np.uint16), format=Format.WEBP),
        Picture(noise((3, 4)), noise((3, 4)), Format.JPEG),
        Picture(np.zeros((1, 17_000, 3), np.uint8), format=Format.WEBP),
    ):
        with pytest.raises(VdirError) as error:
            write(tmp_path / "x", picture)
        sentence(error, "x")
    assert not list(tmp_path.iterdir())


def test_a_failing_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vdir.atomic.os.fsync", full)
    with pytest.raises(VdirError) as error:
        write(path, Picture(noise((9, 7))))
    assert "No space left" in sentence(error, "x.png")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(VdirError) as error:
        write(tmp_path / "none" / "x.png", Picture(noise((9, 7))))
    sentence(error, "x.png")


def test_replacing_gives_ordinary_rights(tmp_path: Path) -> None:
    with replacing(tmp_path / "new") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_alpha_grows_with_the_pixels() -> None:
    picture = Picture(noise((3, 4, 3)), noise((3, 4)))
    larger = picture.with_pixels(noise((6, 8, 3)))
    assert larger.alpha is not None
    assert picture.alpha is not None
    np.testing.assert_array_equal(larger.alpha[1::2, ::2], picture.alpha)
