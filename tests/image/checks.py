"""What several tests of picture files check, and the small values they share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from tests.image import kinds
from undegrade.errors import UndegradeError
from undegrade.image import Format, Picture, read

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = {f"{kind.format} {kind.name}": kind for kind in kinds.kinds()}
LOSSLESS = [(f, d) for f in (Format.PNG, Format.TIFF) for d in (np.uint8, np.uint16)]
LOSSLESS += [(Format.WEBP, np.uint8), (Format.AVIF, np.uint8)]
DPI = (72 / 25.4, 72 / 25.4)
"""72 pixels per inch in pixels per millimetre: what is written where a format holds no resolution of its own."""


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


def read_bytes(folder: Path, data: bytes) -> Picture:
    (folder / "file").write_bytes(data)
    return read(folder / "file")


def below(file: Pillow.Image) -> dict[int, object]:
    """The tags of the photograph, in EXIF's directory of its own."""
    return file.getexif().get_ifd(0x8769)
