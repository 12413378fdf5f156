"""What a JPEG file still knows of its original: read from its header, and kept to."""

import io
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import JpegImagePlugin
from scipy.fft import dctn

from tests.pictures import make_photo
from undegrade.degrade.jpeg import Subsampling, encode, quantisation_tables
from undegrade.image import Picture, read
from undegrade.image.jpeg import header
from undegrade.image.picture import as_stored, upright
from undegrade.inference.jpeg_projection import project

SIZES = [(64, 96), (61, 83), (7, 5)]


def saved(x: np.ndarray, quality: int, folder: Path, subsampling: Subsampling = "4:4:4") -> Picture:
    (folder / "picture.jpg").write_bytes(encode(x, quality, subsampling))
    return read(folder / "picture.jpg")


def photo(height: int, width: int, grey: bool = False) -> np.ndarray:
    x = make_photo(height, width, 0)
    return np.ascontiguousarray(x[..., 0] if grey else x)


def noisy(x: np.ndarray, sigma: float = 6.0) -> np.ndarray:
    return (x + np.random.default_rng(0).normal(0, sigma, x.shape)).clip(0, 255).round().astype(np.uint8)


def luma(x: np.ndarray) -> np.ndarray:
    return x @ np.array([0.299, 0.587, 0.114]) if x.ndim == 3 else x.astype(float)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).mean())


# What a file tells


@pytest.mark.parametrize(("name", "sampling"), [("4:4:4", (1, 1)), ("4:2:2", (1, 2)), ("4:2:0", (2, 2))])
@pytest.mark.parametrize("progressive", [False, True])
def test_steps_and_sampling_are_those_that_pillow_finds(
    tmp_path: Path, name: str, sampling: tuple[int, int], progressive: bool
) -> None:
    path = tmp_path / "a.jpg"
    Pillow.fromarray(photo(40, 48)).save(path, quality=70, subsampling=name, progressive=progressive)
    coding = read(path).coding
    with Pillow.open(path) as image:
        assert JpegImagePlugin.get_sampling(image) == {(1, 1): 0, (1, 2): 1, (2, 2): 2}[sampling]
        assert coding.steps == tuple(tuple(image.quantization[i]) for i in (0, 1, 1))
    assert coding.sampling == sampling
    assert np.array_equal(np.reshape(coding.steps[0], (8, 8)), quantisation_tables(70)[0])


def test_grey_has_one_table_and_the_orientation_is_kept(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(photo(16, 24, grey=True)).save(tmp_path / "a.jpg", quality=30, exif=exif)
    picture = read(tmp_path / "a.jpg")
    assert picture.pixels.shape == (24, 16)
    assert len(picture.coding.steps) == 1
    assert (picture.coding.sampling, picture.coding.orientation) == ((1, 1), 6)


def test_what_is_not_ycbcr_has_no_coding(tmp_path: Path) -> None:
    Pillow.fromarray(photo(16, 16)).save(tmp_path / "rgb.jpg", keep_rgb=True)
    Pillow.fromarray(photo(16, 16)).save(tmp_path / "a.png")
    for name in ("rgb.jpg", "a.png"):
        assert read(tmp_path / name).coding is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_and_upright_are_each_others_inverse(orientation: int) -> None:
    x = photo(5, 7)
    assert np.array_equal(as_stored(upright(x, orientation), orientation), x)


# What is made of it


@pytest.mark.parametrize(("size", "grey", "subsampling"), list(product(SIZES, [True, False], ["4:4:4", "4:2:0"])))
def test_the_file_itself_stays_bit_for_bit(
    tmp_path: Path, size: tuple[int, int], grey: bool, subsampling: Subsampling
) -> None:
    picture = saved(photo(*size, grey), 60, tmp_path, subsampling)
    same = picture.pixels.copy()
    project(same, picture.pixels, picture.coding)
    assert np.array_equal(same, picture.pixels)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 90])
def test_no_coefficient_moves_by_more_than_half_a_step(tmp_path: Path, quality: int, subsampling: Subsampling) -> None:
    x = 64 + photo(64, 96) // 2  # nothing is clipped
    picture = saved(x, quality, tmp_path, subsampling)
    result = noisy(picture.pixels, 20)
    project(result, picture.pixels, picture.coding)
    change = luma(result) - luma(picture.pixels)
    assert np.abs(change).max() > 0.5
    moved = np.abs(dctn(change.reshape(8, 8, 12, 8), axes=(1, 3), norm="ortho"))
    rounding = 8 * 0.5  # of 64 pixels by half a level each, if all conspire
    assert (moved <= np.array(picture.coding.steps[0]).reshape(1, 8, 1, 8) / 2 + rounding).all()
    assert np.mean(moved > np.array(picture.coding.steps[0]).reshape(1, 8, 1, 8) / 2 + 0.5) < 0.01


def test_a_clumsy_restoration_ends_nearer_to_the_original(tmp_path: Path) -> None:
    x = photo(64, 96)
    for quality in (40, 80, 95):
        picture = saved(x, quality, tmp_path)
        clumsy = noisy(picture.pixels)
        result = clumsy.copy()
        project(result, picture.pixels, picture.coding)
        assert error(result, x) < error(clumsy, x)


def test_with_coarse_steps_a_good_restoration_is_believed_with_fine_ones_the_file(tmp_path: Path) -> None:
    x = photo(64, 96)
    shares = []
    for quality in (5, 40, 98):
        picture = saved(x, quality, tmp_path)
        result = x.copy()
        project(result, picture.pixels, picture.coding)
        shares.append(error(result, picture.pixels) / error(x, picture.pixels))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7
    assert shares[-1] < 0.3


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("size", [(64, 96), (61, 83)])
def test_a_turned_picture_is_confined_along_its_own_blocks(
    tmp_path: Path, size: tuple[int, int], orientation: int
) -> None:
    straight = saved(photo(*size), 60, tmp_path, "4:2:0")
    expected = noisy(straight.pixels)
    turned = upright(expected, orientation).copy()
    project(expected, straight.pixels, straight.coding)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(photo(*size)).save(tmp_path / "turned.jpg", quality=60, subsampling="4:2:0", exif=exif)
    picture = read(tmp_path / "turned.jpg")
    assert np.array_equal(picture.pixels, upright(straight.pixels, orientation))
    project(turned, picture.pixels, picture.coding)
    assert np.array_equal(turned, upright(expected, orientation))


@pytest.mark.parametrize("sampling", [(1, 1), (2, 2), (3, 1), (4, 2)])
def test_strips_do_not_show(tmp_path: Path, sampling: tuple[int, int]) -> None:
    """More rows than one strip has: from any row where blocks start, all is as it would be without what is above."""
    picture = saved(photo(336, 48), 60, tmp_path)
    coding = replace(picture.coding, sampling=sampling)
    whole = noisy(picture.pixels)
    top = 8 * sampling[0] * (96 // (8 * sampling[0]))
    lower = whole[top:].copy()
    project(whole, picture.pixels, coding)
    project(lower, picture.pixels[top:], coding)
    assert np.array_equal(whole[top:], lower)


@pytest.mark.parametrize("factors", [b"\x00\x11\x11", b"\x11\x00\x11", b"\x11\x22\x22", b"\x22\x11\x21"])
def test_sampling_that_makes_no_sense_has_no_coding(factors: bytes) -> None:
    data = bytearray(encode(photo(16, 16), 60, "4:4:4"))
    frame = data.index(b"\xff\xc0") + 10
    for channel, factor in enumerate(factors):
        data[frame + 1 + 3 * channel] = factor
    assert header(io.BytesIO(bytes(data))).coding is None


def test_grey_in_three_channels_stays_grey(tmp_path: Path) -> None:
    grey = np.repeat(photo(64, 64, grey=True)[..., None], 3, axis=2)
    picture = saved(grey, 50, tmp_path, "4:2:0")
    result = np.repeat(noisy(grey[..., 0])[..., None], 3, axis=2)
    given = np.repeat(picture.pixels[..., :1], 3, axis=2)
    project(result, given, picture.coding)
    assert (result == result[..., :1]).all()


def test_room_widens_the_intervals(tmp_path: Path) -> None:
    picture = saved(photo(64, 96), 50, tmp_path)
    changes = []
    for room in (1.0, 1.5, 4.0):
        result = noisy(picture.pixels, 40)
        project(result, picture.pixels, picture.coding, room)
        changes.append(error(result, picture.pixels))
    assert changes == sorted(changes)
    assert changes[0] < changes[-1]
