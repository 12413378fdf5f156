"""What a format can hold, and transparency that grows with its picture."""

from pathlib import Path

import numpy as np
import pytest

from tests.image.checks import ICC, noise, sentence
from undegrade.errors import UndegradeError
from undegrade.image import Format, Metadata, Picture, check_fits, read, vips, write
from undegrade.image.picture import space_of

ROOT = Path(__file__).parents[2]


def test_a_picture_that_would_grow_too_large_for_its_format(tmp_path: Path) -> None:
    picture = Picture(np.zeros((1, 16_383, 3), np.uint8), format=Format.WEBP)
    check_fits(tmp_path / "x.webp", picture, Format.WEBP)
    check_fits(tmp_path / "x.png", picture, Format.PNG, scale=4)
    with pytest.raises(UndegradeError, match="would be larger than webp can hold") as error:
        check_fits(tmp_path / "x.webp", picture, Format.WEBP, scale=2)
    sentence(error, "x.webp")


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


def test_a_profile_of_an_unknown_class_is_left_out_with_a_note() -> None:
    # PNG's and AVIF's writers would leave it out without a word.
    known = bytes(vips.load().Image.profile_load("srgb"))
    assert space_of(known) == "RGB"
    assert space_of(known[:12] + b"mgtr" + known[16:]) is None
    found = read(ROOT / "fuzz" / "hostile" / "icc-unknown-class.png")
    assert found.metadata.icc is None
    assert any("colour profile that is broken" in note for note in found.notes)
