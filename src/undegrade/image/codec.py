"""Reads files to pictures and writes pictures to files: the part that is common to all formats."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.image import exif, vips
from undegrade.image.alpha import unmultiplied
from undegrade.image.kind import MODULES, sniff
from undegrade.image.picture import (
    DPI_72,
    FINEST,
    MAX_PIXELS,
    SIDEWAYS,
    Format,
    Header,
    Metadata,
    Picture,
    Refusal,
    check_fits,
    damaged,
    space_of,
    upright,
)
from undegrade.reading import WEB_ADDRESS, is_web_address, open_regular

PIXELS_PER_BYTE = 50_000
"""Files that claim more are refused: a WebP or AVIF of one colour has at most half of this."""

_SYSTEM_IS_FULL = re.compile(r"creating thread|temporarily unavailable|allocat\w+ memory|out of memory", re.IGNORECASE)
TOO_LARGE = "needs more memory than there is"
"""What is said of a picture that the system has no room for."""
_TOO_BIG = (TOO_LARGE, "close other programs, or cut it up")
_DAMAGE = re.compile(
    "Corrupt JPEG data|Inconsistent progression|Invalid SOS parameters"
    "|Line length mismatch|Premature EO[FL]|[Bb]ad (2D )?code word|Invalid code word|Uncompressed data"
    "|Discarding .* bytes|discarded"
)
"""In the messages of libjpeg, and of libtiff's fax and PackBits decoders, about data that they skipped or filled in."""
_WRITTEN = "PNG, JPEG, WebP, TIFF or AVIF"
_LOADERS = {Format.AVIF: "heif"}
_NOT_BY_VIPS = (Format.BMP, Format.PPM)
"""The formats whose modules have ``pixels``, which decodes them: the libvips of the package index cannot."""
_SPACES = {1: ("GRAY", "RGB"), 3: ("RGB",)}
"""Number of channels -> colour spaces of allowed profiles. A grey picture with an RGB profile means R = G = B."""


def read(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a PNG, JPEG, WebP, TIFF, AVIF, BMP, GIF or PPM file; the suffix of its name does not matter.

    Palettes become RGB, 1, 2 and 4 bits become 8, and 10 and 12 bits are scaled to 16. CMYK is converted to sRGB by its
    profile. Of a GIF the first frame is read. The orientation is applied, and thumbnails are left out.

    Args:
        path: the file.
        max_pixels: larger pictures are refused by their header, before they are decoded. With the default, files that
            claim more than :data:`PIXELS_PER_BYTE` are refused too; with any other limit they are not.

    Raises:
        UndegradeError: the file cannot be read, is damaged or truncated, is too large, or is not supported.
    """
    path = _path(path)
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise UndegradeError(f"max_pixels is {max_pixels!r:.60}; give a whole number of at least 1.")
    try:
        with open_regular(path) as file:
            return dataclasses.replace(_read(file, max_pixels), file=path.absolute())
    except Refusal as refusal:
        raise refusal.about(path) from refusal.__cause__
    except FileNotFoundError as error:
        raise UndegradeError(f"{path}: no such file; check the name.") from error
    except IsADirectoryError as error:
        raise UndegradeError(f"{path}: this is a folder; give the picture files in it.") from error
    except MemoryError as error:
        raise UndegradeError(f"{path}: the picture {_TOO_BIG[0]}; {_TOO_BIG[1]}.") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise UndegradeError(
            f"{path}: cannot be read ({_reason(error)}); check the file and its permissions."
        ) from error


def write(path: str | Path, picture: Picture, format: Format | None = None, *, strip_metadata: bool = False) -> None:
    """Write a picture file, whole or not at all.

    Args:
        path: the file. An existing file is replaced; it stays unchanged if writing fails.
        picture: the picture to write.
        format: None for the format of the source, or PNG if that is only read. JPEG has quality 95 (98 if the source
            was a JPEG of 85 or better) and full colour resolution. WebP and AVIF are lossless if the source was, else
            of quality 95 and 93. TIFF is compressed by deflate.
        strip_metadata: leave out EXIF, XMP, IPTC and comments. Colour profile, transparency and resolution stay.

    Raises:
        UndegradeError: the format cannot hold the picture, or the file cannot be written.
    """
    path = _path(path)
    if not isinstance(picture, Picture):
        raise UndegradeError(f"{path}: {type(picture).__name__} is no Picture; use undegrade.image.Picture(pixels).")
    if format is not None and format not in list(Format):
        raise UndegradeError(f"{path}: {format!r:.60} is no format of pictures; write {_WRITTEN}.")
    format = picture.format.of_result if format is None else Format(format)
    if not format.is_written:
        raise UndegradeError(f"{path}: {format.upper()} files are only read; write {_WRITTEN}.")
    metadata = picture.metadata.stripped() if strip_metadata else picture.metadata
    if format is not picture.format:
        metadata = dataclasses.replace(metadata, comments=())
    h, w = picture.pixels.shape[:2]
    if metadata.exif is not None:
        metadata = dataclasses.replace(metadata, exif=exif.resized(metadata.exif, w, h))
    picture = dataclasses.replace(picture, metadata=metadata)
    check_fits(path, picture, format)
    error_of_vips = vips.load().Error
    with vips.Messages() as messages:
        try:
            with replacing(path) as file:
                vips.aside(lambda: MODULES[format].save(picture, file))
        except OSError as error:
            raise UndegradeError(
                f"{path}: cannot be written ({_reason(error)}); check the folder and its free space."
            ) from error
        except MemoryError as error:
            raise UndegradeError(f"{path}: cannot be written: the picture {_TOO_BIG[0]}; {_TOO_BIG[1]}.") from error
        except error_of_vips as error:
            raise UndegradeError(
                f"{path}: cannot be written ({messages.reason(error)}); check the folder and its free space."
            ) from error


def copy(source: Path, path: Path) -> None:
    """Copy a picture file byte for byte, whole or not at all.

    Args:
        source: the file.
        path: of the copy. An existing file is replaced; it stays unchanged if copying fails.

    Raises:
        UndegradeError: it cannot be read or written.
    """
    try:
        with open_regular(source) as file, replacing(path) as copied:
            shutil.copyfileobj(file, copied, 1 << 20)
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be written ({_reason(error)}); check the folder and its free space."
        ) from error


def _path(path: str | Path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise UndegradeError(f"{path!r:.60} is not the name of a file; give a text or a Path.")
    if is_web_address(path):
        raise UndegradeError(f"{path}: {WEB_ADDRESS}.")
    return Path(path)


def _read(file: BinaryIO, max_pixels: int) -> Picture:
    format = sniff(file)
    header: Header = MODULES[format].header(file)
    _check_size(header, os.fstat(file.fileno()).st_size, max_pixels)
    file.seek(0)
    with vips.Messages() as messages:
        return vips.aside(lambda: _decode(file, format, header, max_pixels, messages))


def _check_size(header: Header, size: int, max_pixels: int) -> None:
    w, h = header.width, header.height
    if w * h > max_pixels:
        over = f"over the limit of {max_pixels / 1e6:g} million"
        raise Refusal(f"has {w} x {h} = {w * h / 1e6:.0f} million pixels, {over}", _raise_limit(w * h))
    if size < header.least_bytes:
        raise damaged(f"{size} bytes cannot hold {w} x {h} pixels")
    if max_pixels == MAX_PIXELS and w * h > size * PIXELS_PER_BYTE:
        raise Refusal(f"claims {w} x {h} pixels in {size} bytes, which no photo does", _raise_limit(w * h))


def _raise_limit(pixels: int) -> str:
    millions = -(-pixels // 10**6)
    # A limit equal to the default would be treated as not given: suggest one million more.
    return f"if that is right, allow it with --max-pixels {millions + (millions * 10**6 == MAX_PIXELS)}"


def _decode(file: BinaryIO, format: Format, header: Header, max_pixels: int, messages: vips.Messages) -> Picture:
    if format in _NOT_BY_VIPS:
        found = _Decoded(MODULES[format].pixels(file), header.metadata, header.resolution or (DPI_72, DPI_72))
    else:
        found = _by_vips(file, format, header, max_pixels, messages)
    stored, metadata, resolution, notes = found.stored, found.metadata, found.resolution, [*header.notes, *found.notes]
    if not all(0 < r <= FINEST for r in resolution):
        resolution = (DPI_72, DPI_72)
    orientation = _orientation(format, header, metadata)
    if orientation in SIDEWAYS:
        resolution = resolution[::-1]
    if header.depth is not None:
        stored |= stored >> header.depth  # libvips fills the low bits with zeros, which would make white darker
    if header.premultiplied:
        stored = unmultiplied(stored)
    stored = upright(stored, orientation)
    stated = header.turned or header.orientation is not None or exif.orientation(metadata.exif) is not None
    metadata, broken = exif.clean(metadata, stored.shape[1], stored.shape[0], stated)
    colours = 3 if stored.shape[2] >= 3 else 1
    alpha = stored[..., -1] if stored.shape[2] > colours else None
    if header.adds_alpha and alpha is not None and alpha.min() == 255:
        alpha = None
    grey = colours == 1 or header.grey
    pixels = stored[..., 0] if grey else stored[..., :3]
    if metadata.icc is not None and space_of(metadata.icc) not in _SPACES[1 if grey else 3]:
        metadata = dataclasses.replace(metadata, icc=None)
        notes.append("left out a colour profile that is broken or for another kind of picture")
    coding = None if header.coding is None else dataclasses.replace(header.coding, orientation=orientation)
    return Picture(
        pixels, alpha, format, metadata, resolution, header.lossless, header.depth, header.quality, coding,
        (*notes, *broken),
    )  # fmt: skip


class _Decoded(NamedTuple):
    """What a decoder gives: pixels as stored, (H, W, C), metadata, pixels per millimetre, and notes."""

    stored: npt.NDArray[Any]
    metadata: Metadata
    resolution: tuple[float, float]
    notes: tuple[str, ...] = ()


def _by_vips(file: BinaryIO, format: Format, header: Header, max_pixels: int, messages: vips.Messages) -> _Decoded:
    pyvips = vips.load()
    notes: list[str] = []
    try:
        patched = vips.Patched(file, header.patches) if header.patches else None
        source = pyvips.Source.new_from_descriptor(file.fileno()) if patched is None else patched.source
        # Sequential: decoded once, from top to bottom, without another copy in memory or on disk.
        loader = getattr(pyvips.Image, f"{_LOADERS.get(format, format)}load_source")
        # libtiff's own limit refuses large photos in one strip. The header has already been checked against our limits.
        unlimited = {"unlimited": True} if format is Format.TIFF else {}
        image = vips.watched(loader(source, access="sequential", fail_on="error", **unlimited))
        if image.width * image.height > max_pixels:
            raise damaged(f"{image.width} x {image.height} pixels, unlike its header")
        metadata = _metadata(image, header)
        if image.interpretation == "cmyk":
            image, metadata = _from_cmyk(image, metadata)
            notes.append("converted from CMYK to sRGB by its profile")
        _check_decoded(image)
        dtype = np.dtype(np.uint8 if image.format == "uchar" else np.uint16)
        stored: npt.NDArray[Any] = np.frombuffer(image.write_to_memory(), dtype)
        stored = stored.reshape(image.height, image.width, image.bands)
        resolution = (image.xres, image.yres)
    except (pyvips.Error, ValueError) as error:  # ValueError: an error message that is not UTF-8
        reason = messages.reason(error)
        if _SYSTEM_IS_FULL.search(reason):  # the system's fault, not the file's
            raise MemoryError(reason) from error
        raise damaged(reason) from error
    notes += [f"the file is damaged: {line}" for line in messages.warnings() if _DAMAGE.search(line)][:1]
    if resolution == (1.0, 1.0):  # libvips found no resolution, but EXIF may have one
        resolution = exif.resolution(metadata.exif) or (DPI_72, DPI_72)
    return _Decoded(stored, metadata, resolution, tuple(notes))


def _metadata(image: Any, header: Header) -> Metadata:
    """Combine the metadata of the header with those that libvips found."""

    def block(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) else None

    found = header.metadata
    return dataclasses.replace(
        found,
        icc=block("icc-profile-data") or found.icc,
        exif=found.exif or exif.bare(block("exif-data")),
        xmp=block("xmp-data") or found.xmp,
    )


def _orientation(format: Format, header: Header, metadata: Metadata) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) for invalid values."""
    if format is Format.AVIF:  # AVIF has its own rotation, which the decoder applies
        return 1
    found = header.orientation if header.orientation is not None else exif.orientation(metadata.exif)
    return found if found is not None and 1 <= found <= 8 else 1


def _from_cmyk(image: Any, metadata: Metadata) -> tuple[Any, Metadata]:
    """Convert CMYK to sRGB; returns the image and its new metadata."""
    if image.bands != 4 or image.format not in ("uchar", "ushort"):
        raise Refusal(f"is CMYK with {image.bands} channels", "convert it to RGB")
    if space_of(metadata.icc) != "CMYK":
        raise Refusal("is CMYK without a CMYK colour profile", "convert it to RGB, or assign a profile")
    depth = 8 if image.format == "uchar" else 16
    image = image.copy()
    vips.attach(image, "icc-profile-data", metadata.icc)
    image = image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True, depth=depth)
    return image, dataclasses.replace(metadata, icc=bytes(image.get("icc-profile-data")))


def _check_decoded(image: Any) -> None:
    if image.format not in ("uchar", "ushort"):
        raise Refusal(f"holds {image.format} numbers", "convert it to 8 or 16 bits per channel")
    bands = {"b-w": (1, 2), "grey16": (1, 2), "srgb": (3, 4), "rgb16": (3, 4)}.get(image.interpretation, ())
    if image.bands not in bands:
        raise Refusal(f"has {image.bands} channels of kind {image.interpretation}", "convert it to grey or RGB")


def _reason(error: BaseException) -> str:
    """The message of a decoder or of the system, in one line."""
    detail = getattr(error, "detail", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    lines = [line.strip() for line in str(detail).splitlines() if line.strip()]
    return lines[0] if lines else "the decoder gives no reason"
