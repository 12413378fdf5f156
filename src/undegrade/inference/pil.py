"""Pillow's images as arrays, and back to images.

Grey, RGB, and both with alpha come back in their own mode; so do 16 bits, 32 bits and floats, which are grey. All other
modes come back as what is restored of them: black and white as grey, palettes and the rest as RGB, with alpha if they
have transparency.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.image import Metadata, exif
from undegrade.image.picture import DPI_72, FINEST, MAX_METADATA

if TYPE_CHECKING:
    from PIL.Image import Image

_SAME = ("L", "LA", "RGB", "RGBA")
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_DROPPED = ("transparency", "background")
"""What ``info`` says of the old pixels only."""


def is_pil(image: Any) -> TypeGuard[Image]:
    """Whether it is an image of Pillow. Pillow is not imported for this."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def array_of(image: Image) -> npt.NDArray[Any]:
    """The pixels of an image: uint8, uint16 or float32, (H, W), or (H, W, 2, 3 or 4), with alpha as the last channel.

    Raises:
        UndegradeError: it cannot be decoded, its numbers are not 0 to 65535, or its colour profile is broken.
    """
    try:
        converted = _converted(image)
        array = np.asarray(converted)
    except UndegradeError:
        raise
    except (OSError, ValueError, SyntaxError) as error:
        raise UndegradeError(f"the image cannot be read ({error}); open it again.") from error
    if converted.mode == "I":
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        if low < 0 or high > 65535:
            raise UndegradeError(
                f"the image of mode I holds numbers of {low} to {high} instead of 0 to 65535; scale it to 16 bits."
            )
    if converted.mode in _WIDE:
        return array.astype(np.uint16)
    return array


def image_of(array: npt.NDArray[Any], like: Image) -> Image:
    """An image of restored pixels, in the mode that the module says, with what ``like`` says about its colours."""
    from PIL import Image

    made = Image.fromarray(array.astype(np.int32) if like.mode == "I" else array)
    made.info = {name: value for name, value in like.info.items() if name not in _DROPPED}
    if like.mode in ("CMYK", "LAB"):
        made.info.pop("icc_profile", None)
    return made


class Said(NamedTuple):
    """What an image says about itself beside its pixels: metadata, pixels per millimetre, and EXIF's orientation."""

    metadata: Metadata
    resolution: tuple[float, float]
    orientation: int


def said_by(image: Image) -> Said:
    """What ``info`` has of the file that an image was opened from."""

    def block(name: str) -> bytes | None:
        value = image.info.get(name)
        return value if isinstance(value, bytes) and 0 < len(value) <= MAX_METADATA else None

    dpi = image.info.get("dpi")
    resolution = (DPI_72, DPI_72)
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(n) / 25.4 <= FINEST for n in dpi):
        resolution = (float(dpi[0]) / 25.4, float(dpi[1]) / 25.4)
    found = exif.bare(block("exif"))
    icc = None if image.mode in ("CMYK", "LAB") else block("icc_profile")
    return Said(Metadata(icc, found, block("xmp")), resolution, exif.orientation(found) or 1)


def _converted(image: Image) -> Image:
    """The image in a mode whose array is that of a grey or RGB picture."""
    mode = image.mode
    if mode in (*_WIDE, "F"):
        if "transparency" in image.info:
            raise UndegradeError(
                f"the image of mode {mode} has a transparent value, which Pillow cannot keep apart; give the path of "
                "its file."
            )
        return image
    if image.has_transparency_data:
        target = "LA" if mode in ("1", "L", "LA", "La") else "RGBA"
    else:
        target = "L" if mode in ("1", "L") else "RGB"
    if mode == target and mode in _SAME:
        return image
    if mode == "CMYK" and "icc_profile" in image.info:
        return _srgb_of_cmyk(image)
    return image.convert(target)


def _srgb_of_cmyk(image: Image) -> Image:
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        found = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, TypeError) as error:
        raise UndegradeError("the CMYK image has a broken colour profile; use image.convert('RGB').") from error
    assert found is not None  # not in place
    return found
