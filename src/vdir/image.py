"""Picture files in and out through libvips: 8 and 16 bit, grey and colour, alpha, ICC, EXIF.

What a file says about itself is kept beside the pixels in a :class:`Picture`, so that writing it back changes
the pixels and nothing else. The orientation is applied on reading and reset on writing. Whatever cannot be
carried through faithfully yet (CMYK, animations, several pages, float) is refused rather than altered.

libvips rather than Pillow: Pillow cuts 16-bit colour PNG to 8 bits without a word.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from vdir.atomic import replacing
from vdir.errors import VdirError

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_PIXELS = 500_000_000
JPEG_QUALITY = 95
DPI_72 = 72 / 25.4
"""Pixels per millimetre that software assumes where a file does not say."""
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that swap width and height."""

AGAIN = "get it again from where it came"
ONE_FRAME = "save the one you want as a picture of its own"

_SUFFIXES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}
_BLOBS = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data", "photoshop-data")
_SIDE_LIMIT = {"jpeg": 65_500, "webp": 16_383}


class Format(enum.StrEnum):
    """The file formats that are read and written. The value is libvips' name."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    TIFF = "tiff"

    @classmethod
    def of_name(cls, path: Path) -> Format | None:
        """The format that a file name asks for, None if it is not a picture's name."""
        name = _SUFFIXES.get(path.suffix.lower())
        return None if name is None else cls(name)

    @property
    def holds_16_bit(self) -> bool:
        return self in (Format.PNG, Format.TIFF)

    @property
    def holds_alpha(self) -> bool:
        return self is not Format.JPEG


@dataclass(frozen=True)
class Picture:
    """Pixels, and what is needed to write them back as they came.

    Attributes:
        pixels: uint8 or uint16, (H, W) for grey or (H, W, 3) for RGB, upright.
        alpha: None or (H, W) of the same dtype.
        format: what the file was, by its content.
        metadata: ICC, EXIF, XMP and IPTC as bytes, text comments as strings, by libvips' field name.
        resolution: pixels per millimetre along x and y.
        lossless: whether a WebP was, and is to be, stored without loss.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    format: Format = Format.PNG
    metadata: Mapping[str, bytes | str] = field(default_factory=dict)
    resolution: tuple[float, float] = (DPI_72, DPI_72)
    lossless: bool = True

    def __post_init__(self) -> None:
        p, a = self.pixels, self.alpha
        if p.dtype not in (np.uint8, np.uint16) or not (p.ndim == 2 or (p.ndim == 3 and p.shape[2] == 3)):
            raise ValueError(f"pixels must be uint8 or uint16, (H, W) or (H, W, 3), got {p.dtype} {p.shape}")
        if a is not None and (a.dtype != p.dtype or a.shape != p.shape[:2]):
            raise ValueError(f"alpha must be {p.dtype} {p.shape[:2]}, got {a.dtype} {a.shape}")

    @property
    def bits(self) -> int:
        """Bits per channel, 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    def with_pixels(self, pixels: Pixels) -> Picture:
        """The same picture with other pixels, perhaps a whole number of times larger; alpha grows along."""
        alpha = self.alpha
        if alpha is not None and alpha.shape != pixels.shape[:2]:
            # Repeating keeps a constant or a hard-edged alpha exactly what it was.
            alpha = alpha.repeat(pixels.shape[0] // alpha.shape[0], 0).repeat(pixels.shape[1] // alpha.shape[1], 1)
        return dataclasses.replace(self, pixels=pixels, alpha=alpha)


def read(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a PNG, JPEG, WebP or TIFF file, whatever its name ends in.

    Args:
        path: the file.
        max_pixels: larger pictures are refused by their header, before anything is decoded.

    Raises:
        VdirError: the file cannot be read, is damaged or cut short, too large, or of a kind not handled.
    """
    try:
        with path.open("rb") as file:
            return _decode(path, file, max_pixels)
    except FileNotFoundError as error:
        raise VdirError(f"{path}: there is no such file; check the name.") from error
    except IsADirectoryError as error:
        raise VdirError(f"{path}: this is a folder; name the picture files in it.") from error
    except OSError as error:
        raise VdirError(
            f"{path}: cannot be read ({error.strerror or error}); check the file and its rights."
        ) from error


def write(path: Path, picture: Picture, format: Format | None = None) -> None:
    """Write a picture file; it appears whole or not at all.

    Args:
        path: where; an existing file is replaced, and kept as it was if writing fails.
        picture: what.
        format: how; None for the format the picture came in. JPEG at quality 95 with full colour resolution;
            WebP without loss if it came so, else at quality 95; TIFF deflated.

    Raises:
        VdirError: the format cannot hold the picture, or the file cannot be written.
    """
    vips = _vips()
    format = format or picture.format
    check_fits(path, picture, format)
    try:
        with replacing(path) as file:
            image, keep = _to_vips(vips, picture, format)
            target = vips.Target.new_to_descriptor(file.fileno())
            getattr(image, f"{format}save_target")(target, keep=keep, **_save_options(picture, format))
    except (OSError, vips.Error) as error:
        raise VdirError(
            f"{path}: cannot be written ({_reason(error)}); check the folder and its free space."
        ) from error


def _vips() -> ModuleType:
    """libvips, imported at first use: ``import vdir`` and training do without it."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise VdirError(
            f"picture files need libvips, which does not load ({error}); run: pip install 'pyvips[binary]'."
        ) from error
    module: ModuleType = pyvips
    return module


def _decode(path: Path, file: BinaryIO, max_pixels: int) -> Picture:
    vips = _vips()
    format = _sniff(path, file)
    lossless = format is not Format.WEBP or _has_chunk(file, b"VP8L")
    if format is Format.PNG and _has_chunk(file, b"acTL"):
        raise _refusal(path, "is animated", ONE_FRAME)
    file.seek(0)
    try:
        source = vips.Source.new_from_descriptor(file.fileno())
        # Sequential: decoded once from top to bottom into our array, with no copy in memory or on disk.
        image = getattr(vips.Image, f"{format}load_source")(source, access="sequential", fail_on="error")
        _check_header(path, image, max_pixels)
        dtype = np.dtype(np.uint8 if image.format == "uchar" else np.uint16)
        stored: npt.NDArray[Any] = np.frombuffer(image.write_to_memory(), dtype)
        stored = stored.reshape(image.height, image.width, image.bands)
        metadata: dict[str, bytes | str] = {
            name: image.get(name) for name in image.get_fields() if name in _BLOBS or name.startswith("png-comment-")
        }
        orientation = image.get("orientation") if image.get_typeof("orientation") else 1
        resolution = _resolution(image)
    except (vips.Error, MemoryError) as error:
        raise _refusal(path, f"is damaged or cut short ({_reason(error)})", AGAIN) from error
    stored = _upright(stored, orientation)
    if orientation in SIDEWAYS:
        resolution = resolution[::-1]
    colours = 3 if stored.shape[2] >= 3 else 1
    pixels = stored[..., :3] if colours == 3 else stored[..., 0]
    alpha = stored[..., colours] if stored.shape[2] > colours else None
    return Picture(pixels, alpha, format, metadata, resolution, lossless)


def _sniff(path: Path, file: BinaryIO) -> Format:
    """The format by content. Nothing else reaches libvips, which would try many more decoders."""
    head = file.read(12)
    if not head:
        raise _refusal(path, "is empty", AGAIN)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return Format.WEBP
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return Format.TIFF
    raise _refusal(path, "is not a PNG, JPEG, WebP or TIFF picture", "convert it to one of these")


def _has_chunk(file: BinaryIO, wanted: bytes) -> bool:
    """Whether a PNG or WebP holds a chunk, looking no further than a PNG's first pixels."""
    file.seek(0)
    png = file.read(1) == b"\x89"
    file.seek(8 if png else 12)
    while len(head := file.read(8)) == 8:
        kind = head[4:] if png else head[:4]
        if kind == wanted:
            return True
        if kind == b"IDAT":
            return False
        size = int.from_bytes(head[:4], "big") + 4 if png else int.from_bytes(head[4:], "little")
        file.seek(size + (0 if png else size % 2), 1)
    return False


def _check_header(path: Path, image: Any, max_pixels: int) -> None:
    w, h = image.width, image.height
    if w * h > max_pixels:
        size = f"{w} x {h} = {w * h / 1e6:.0f} million"
        raise _refusal(path, f"has {size} pixels, over the limit of {max_pixels / 1e6:.0f} million", "cut it up")
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages > 1:
        raise _refusal(
            path,
            f"is animated or has {image.get('n-pages')} pages",
            "save the one you want as a picture of its own",
        )
    if image.interpretation == "cmyk":
        raise _refusal(path, "is CMYK", "convert it to RGB")
    if image.format not in ("uchar", "ushort"):
        raise _refusal(path, f"holds {image.format} numbers", "convert it to 8 or 16 bits per channel")
    bands = {"b-w": (1, 2), "grey16": (1, 2), "srgb": (3, 4), "rgb16": (3, 4)}.get(image.interpretation, ())
    if image.bands not in bands:
        raise _refusal(path, f"has {image.bands} channels of kind {image.interpretation}", "convert it to grey or RGB")


def _upright(stored: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply an EXIF orientation, (H, W, C) -> a view of it, upright."""
    rows = -1 if orientation in (3, 4, 6, 7) else 1
    columns = -1 if orientation in (2, 3, 7, 8) else 1
    stored = stored[::rows, ::columns]
    return stored.swapaxes(0, 1) if orientation in SIDEWAYS else stored


def _resolution(image: Any) -> tuple[float, float]:
    """Pixels per millimetre. libvips says 1.0 where it found none; PNG and WebP may have it in EXIF alone."""
    if (image.xres, image.yres) != (1.0, 1.0):
        return image.xres, image.yres
    try:
        x, y = (_rational(image.get(f"exif-ifd0-{axis}Resolution")) for axis in "XY")
        centimetres = image.get("exif-ifd0-ResolutionUnit").startswith("3")
    except Exception:  # not there, or not a number: any value a broken EXIF holds
        return DPI_72, DPI_72
    return (x / 10, y / 10) if centimetres else (x / 25.4, y / 25.4)


def _rational(text: str) -> float:
    """libvips prints an EXIF rational as ``300/1 (300, Rational, ...)``."""
    numerator, denominator = text.split(" ", 1)[0].split("/")
    return int(numerator) / int(denominator)


def check_fits(path: Path, picture: Picture, format: Format) -> None:
    """Ask before the work whether a format can hold a picture.

    Raises:
        VdirError: it would lose bits or transparency, or is too large.
    """
    if picture.bits == 16 and not format.holds_16_bit:
        raise _refusal(path, f"would lose 8 of its 16 bits as {format}", "write PNG or TIFF")
    if picture.alpha is not None and not format.holds_alpha:
        raise _refusal(path, f"would lose its transparency as {format}", "write PNG, WebP or TIFF")
    if max(picture.pixels.shape) > _SIDE_LIMIT.get(format, 2**31):
        raise _refusal(
            path,
            f"is larger than {format} can hold ({_SIDE_LIMIT[format]} pixels a side)",
            "write PNG or TIFF",
        )


def _to_vips(vips: ModuleType, picture: Picture, format: Format) -> tuple[Any, str]:
    """The libvips image, and which metadata it is to keep."""

    def plane(array: Pixels) -> Any:
        h, w = array.shape[:2]
        bands = array.shape[2] if array.ndim == 3 else 1
        kind = "uchar" if picture.bits == 8 else "ushort"
        return vips.Image.new_from_memory(np.ascontiguousarray(array), w, h, bands, kind)

    image = plane(picture.pixels)
    if picture.alpha is not None:
        image = image.bandjoin(plane(picture.alpha))
    grey = picture.pixels.ndim == 2
    kind = ("b-w" if grey else "srgb") if picture.bits == 8 else ("grey16" if grey else "rgb16")
    x, y = picture.resolution
    image = image.copy(interpretation=kind, xres=x, yres=y)
    for name, value in picture.metadata.items():
        gtype = vips.GValue.blob_type if isinstance(value, bytes) else vips.GValue.gstr_type
        image.set_type(gtype, name, value)
    image.set_type(vips.GValue.gint_type, "orientation", 1)
    # libvips would add an EXIF block to every file. Only JPEG needs one, to hold a resolution that was given.
    exif = "exif-data" in picture.metadata or (format is Format.JPEG and (x, y) != (DPI_72, DPI_72))
    return image, "all" if exif else "icc|xmp|iptc|other"


def _save_options(picture: Picture, format: Format) -> dict[str, Any]:
    match format:
        case Format.PNG:
            return {"compression": 6}
        case Format.JPEG:
            # Optimised Huffman tables would save 5% and hold the whole image as coefficients: 0.6 GB at 48 megapixels.
            return {"Q": JPEG_QUALITY, "subsample_mode": "off"}
        case Format.WEBP:
            # exact: the colours under full transparency stay too
            return (
                {"lossless": True, "exact": True} if picture.lossless else {"Q": JPEG_QUALITY, "smart_subsample": True}
            )
        case Format.TIFF:
            # A classic TIFF ends at 4 GB.
            big = picture.pixels.nbytes > 3 * 2**30
            return {"compression": "deflate", "predictor": "horizontal", "bigtiff": big}


def _reason(error: BaseException) -> str:
    """What a decoder or the system said, on one line."""
    detail = getattr(error, "detail", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    lines = [line.strip() for line in str(detail).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _refusal(path: Path, what: str, remedy: str) -> VdirError:
    return VdirError(f"{path}: the picture {what}; {remedy}.")
