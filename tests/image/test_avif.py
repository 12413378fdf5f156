"""AVIF: depth, orientation, colours by number."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from tests.image import annotated, makers
from tests.image.checks import KINDS
from undegrade.image import Format, read, write


def test_an_avif_is_turned_once(tmp_path: Path) -> None:
    """Its own way to turn a picture, and EXIF's, say the same thing twice."""
    (tmp_path / "x").write_bytes(annotated.talkative(Format.AVIF, orientation=6))
    assert read(tmp_path / "x").pixels.shape == (24, 16, 3)
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        assert file.getexif()[0x0112] == 1
        assert file.size == (16, 24)


def test_display_p3_by_number_becomes_a_profile(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(KINDS["AVIF Display P3 by number"].make())
    write(tmp_path / "y", read(tmp_path / "x"))
    with Pillow.open(tmp_path / "y") as file:
        profile = ImageCms.getOpenProfile(io.BytesIO(file.info["icc_profile"]))
    assert profile.profile.red_primary[1][:2] == pytest.approx((0.68, 0.32), abs=0.01)


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_keeps_its_depth_and_its_white(tmp_path: Path, bits: int) -> None:
    values = np.linspace(0, 65535, 2**bits).round().astype(np.uint16)[:, None, None].repeat(3, 2)
    (tmp_path / "x").write_bytes(makers.avif(values, bits))
    found = read(tmp_path / "x")
    assert found.bits == bits
    assert found.pixels.max() == 65535
    assert np.abs(found.pixels.astype(int) - values).max() <= 1
    shifted = np.clip(found.pixels.astype(int) + np.arange(-3, 3).repeat(2**bits)[: 2**bits, None, None], 0, 65535)
    write(tmp_path / "y", found.with_pixels(shifted.astype(np.uint16)))  # rounds to the nearest, does not cut
    np.testing.assert_array_equal(read(tmp_path / "y").pixels, found.pixels)
    write(tmp_path / "z.png", found, Format.PNG)
    np.testing.assert_array_equal(read(tmp_path / "z.png").pixels, found.pixels)
