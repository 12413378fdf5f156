"""WebP, and what it shares with AVIF: lossy or lossless as they came, transparency always exact."""

from pathlib import Path

import numpy as np
import pytest

from tests.image import annotated, makers
from tests.image.checks import noise
from tests.image.makers import pillow
from undegrade.image import Format, Picture, read, write


@pytest.mark.parametrize("format", [Format.WEBP, Format.AVIF])
def test_webp_and_avif_stay_lossy_or_lossless(tmp_path: Path, format: Format) -> None:
    for lossless in (True, False):
        data = (
            makers.avif(lossless=lossless)
            if format is Format.AVIF
            else pillow(makers.RGB, "webp", lossless=lossless, exif=annotated.exif())
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
