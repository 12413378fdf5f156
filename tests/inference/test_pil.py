"""Images of Pillow of every mode: what comes in, and in which mode it goes out."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from tests.image.makers import LA, RGB, RGBA, cmyk, cmyk_profile, srgb_of_cmyk
from undegrade.errors import UndegradeError
from undegrade.inference.pil import array_of
from undegrade.inference.pipeline import Pipeline

GREY16 = RGB[..., 1].astype(np.uint16) * 257
OPAQUE = Pillow.fromarray(RGB)


def made(mode: str) -> Pillow.Image:
    if mode in ("I;16", "I;16B"):
        return Pillow.fromarray(GREY16.astype("<u2" if mode == "I;16" else ">u2"))
    if mode == "I":
        return Pillow.fromarray(GREY16.astype(np.int32))
    if mode == "F":
        return Pillow.fromarray(GREY16.astype(np.float32) / 65535)
    if mode in ("LA", "La"):
        return Pillow.fromarray(LA).convert(mode)
    if mode in ("RGBA", "RGBa", "PA"):
        return Pillow.fromarray(RGBA).convert(mode)
    return OPAQUE.convert(mode)


@pytest.mark.parametrize(
    ("mode", "back"),
    [
        ("L", "L"), ("LA", "LA"), ("RGB", "RGB"), ("RGBA", "RGBA"), ("I;16", "I;16"), ("I;16B", "I;16"), ("I", "I"),
        ("F", "F"), ("1", "L"), ("P", "RGB"), ("PA", "RGBA"), ("La", "LA"), ("RGBa", "RGBA"), ("RGBX", "RGB"),
        ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("LAB", "RGB"),
    ],
)  # fmt: skip
def test_every_mode_is_taken(fast: Pipeline, mode: str, back: str) -> None:
    given = made(mode)
    assert given.mode == mode
    given.info["dpi"] = (300, 300)
    found = fast(given).image
    assert isinstance(found, Pillow.Image)
    assert (found.mode, found.size, found.info["dpi"]) == (back, given.size, (300, 300))
    # The same as Pillow's own conversion, restored as an array.
    if back in ("L", "RGB", "RGBA", "LA"):
        pixels = np.asarray(given.convert(back))
        expected = fast(pixels).image
    else:
        expected = fast(np.asarray(given).astype(np.float32 if back == "F" else np.uint16)).image
    np.testing.assert_array_equal(np.asarray(found), expected)
    assert np.asarray(found).std() > 0
    assert given.mode == mode


def test_transparent_colours_become_alpha(fast: Pipeline) -> None:
    few = OPAQUE.quantize(16)
    file = io.BytesIO()
    few.save(file, "png", transparency=3)
    given = Pillow.open(file)
    assert given.mode == "P"
    found = fast(given).image
    assert (found.mode, "transparency" in found.info) == ("RGBA", False)
    np.testing.assert_array_equal(np.asarray(found)[..., 3] == 0, np.asarray(few) == 3)


def test_cmyk_is_converted_by_its_profile() -> None:
    data = cmyk("tiff")
    given = Pillow.open(io.BytesIO(data))
    np.testing.assert_array_equal(array_of(given), srgb_of_cmyk(data))
    given.info["icc_profile"] = b"broken"
    with pytest.raises(UndegradeError, match=r"broken colour profile; use image.convert\('RGB'\)"):
        array_of(given)


def test_a_profile_for_other_numbers_does_not_stay(fast: Pipeline) -> None:
    given = Pillow.open(io.BytesIO(cmyk("tiff")))
    assert "icc_profile" not in fast(given).image.info
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colour = OPAQUE.copy()
    colour.info["icc_profile"] = profile
    assert fast(colour).image.info["icc_profile"] == profile
    assert profile != cmyk_profile()


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (Pillow.fromarray(np.array([[0, 70000]], np.int32)), "0 to 70000 instead of 0 to 65535"),
        (Pillow.fromarray(np.array([[-1, 7]], np.int32)), "-1 to 7"),
        (Pillow.fromarray(np.array([[0, 255.0]], np.float32)), "divide by 255"),
        (Pillow.new("RGB", (0, 3)), "empty"),
    ],
)
def test_wrong_ranges(image: Pillow.Image, what: str, fast: Pipeline) -> None:
    with pytest.raises(UndegradeError) as error:
        fast(image)
    assert what in str(error.value)


def test_a_file_that_is_cut_short_is_one_sentence(tmp_path: Path, fast: Pipeline) -> None:
    OPAQUE.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:400])
    with pytest.raises(UndegradeError, match=r"the image cannot be read \("):
        fast(Pillow.open(tmp_path / "b.png"))


def test_a_transparent_value_of_16_bits_is_refused(fast: Pipeline) -> None:
    given: Any = made("I;16")
    given.info["transparency"] = 5
    with pytest.raises(UndegradeError, match="give the path of its file"):
        fast(given)


def test_deviations_are_arrays(fast: Pipeline) -> None:
    found = fast(OPAQUE, samples=2)
    assert isinstance(found.std, np.ndarray)
    assert found.std.shape == RGB.shape[:2]
