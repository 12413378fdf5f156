"""The classes for a picture and for the header of a file, and the check whether a format can hold a picture."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.image.alpha import continued, enlarged, with_hidden

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_PIXELS = 500_000_000
"""The default limit."""
MAX_METADATA = 2**24
"""Largest size in bytes of a profile, EXIF or text block that is read, and of all blocks of one kind together."""
DPI_72 = 72 / 25.4
"""Pixels per millimetre that software assumes if a file has no resolution."""
FINEST = 1e5
"""More pixels per millimetre than this are an error in the file; libvips accepts ten times as many."""
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that swap width and height."""

AGAIN = "copy or download it again"
ONE_FRAME = "save one frame or page as a separate picture"

_SUFFIXES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".avif": "avif",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".gif": "gif",
    ".ppm": "ppm",
    ".pgm": "ppm",
    ".pbm": "ppm",
    ".pnm": "ppm",
}
WRITTEN_SUFFIXES = ".png, .jpg, .webp, .tif or .avif"
"""The endings of names that a picture can be written to, in words."""
_BITS = {"png": 16, "jpeg": 8, "webp": 8, "tiff": 16, "avif": 12}
_SIDES = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384}
_JPEG_SEGMENT = 65_533 - len(b"http://ns.adobe.com/xap/1.0/\0")
"""Most bytes of EXIF or XMP in a JPEG."""


class Format(enum.StrEnum):
    """The file formats that are read. All but the last three are written too."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    TIFF = "tiff"
    AVIF = "avif"
    BMP = "bmp"
    GIF = "gif"
    PPM = "ppm"
    """Netpbm's: PPM, PGM and PBM."""

    @classmethod
    def of_name(cls, path: Path) -> Format | None:
        """The format of a file name's suffix; None if it is not a picture's."""
        name = _SUFFIXES.get(path.suffix.lower())
        return None if name is None else cls(name)

    @classmethod
    def written(cls) -> tuple[Format, ...]:
        """The formats that are written."""
        return tuple(format for format in cls if format.is_written)

    @property
    def is_written(self) -> bool:
        """Whether pictures are written in it, not only read."""
        return self not in (Format.BMP, Format.GIF, Format.PPM)

    @property
    def of_result(self) -> Format:
        """The format of a result if no other is asked for: the same, or PNG for a format that is only read."""
        return self if self.is_written else Format.PNG

    @property
    def max_bits(self) -> int:
        """Most bits per channel."""
        return _BITS[self]

    @property
    def max_side(self) -> int:
        """Largest width or height of the format or its encoder."""
        return _SIDES.get(self, 2**31 - 1)

    @property
    def holds_alpha(self) -> bool:
        return self is not Format.JPEG

    @property
    def holds_grey(self) -> bool:
        """Whether grey is stored as one channel; if not, as three equal channels."""
        return self not in (Format.WEBP, Format.AVIF)


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file, as bytes.

    Attributes:
        icc: the colour profile.
        exif: a TIFF structure without the prefix ``Exif\\0\\0``; orientation 1, without a thumbnail.
        xmp: XML.
        photoshop: image resource blocks, which include IPTC; without a thumbnail.
        colour: PNG chunks about colour: gAMA, cHRM, sRGB, cICP, mDCV, cLLI.
        comments: text chunks of PNG, or comments and extended XMP of JPEG, as stored; written to the same format only.
        opaque: whether the extra channel of a TIFF is not transparency.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    colour: tuple[bytes, ...] = ()
    comments: tuple[bytes, ...] = ()
    opaque: bool = False

    def stripped(self) -> Metadata:
        """Only the metadata that define the meaning of the pixel values."""
        return Metadata(icc=self.icc, colour=self.colour, opaque=self.opaque)


@dataclass(frozen=True)
class Coding:
    """The quantisation of a JPEG file.

    Attributes:
        steps: for each channel (Y, or Y, Cb and Cr) the 64 quantisation steps of the 8x8 DCT, in row order; rows are
            in order of increasing vertical frequency.
        sampling: rows and columns of pixels per sample of Cb and Cr; (1, 1) for grey.
        orientation: the EXIF orientation, 1 to 8, that was applied to the stored pixels; the blocks lie on the grid
            of the stored pixels.
    """

    steps: tuple[tuple[int, ...], ...]
    sampling: tuple[int, int] = (1, 1)
    orientation: int = 1


@dataclass(frozen=True)
class Picture:
    """Pixels, and the information to write them in the same form again.

    Attributes:
        pixels: uint8 or uint16, (H, W) for grey or (H, W, 3) for RGB, upright.
        alpha: None or (H, W) of the same dtype.
        format: of the file, detected by content.
        metadata: of the file.
        resolution: pixels per millimetre along x and y.
        lossless: whether a WebP or AVIF was stored without loss, and will be.
        depth: bits per channel of the file if it has more than 8 but fewer than the array: 10 or 12 in an AVIF.
        quality: of a JPEG, see :func:`undegrade.degrade.jpeg.nearest_quality`.
        coding: of a JPEG in grey or YCbCr.
        notes: changes made while reading, e.g. ``"converted from CMYK to sRGB"``.
        file: that it was read from, as an absolute path; None if a program made it.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    format: Format = Format.PNG
    metadata: Metadata = field(default_factory=Metadata)
    resolution: tuple[float, float] = (DPI_72, DPI_72)
    lossless: bool = True
    depth: int | None = None
    quality: int | None = None
    coding: Coding | None = None
    notes: tuple[str, ...] = ()
    file: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        p, a = self.pixels, self.alpha
        if p.dtype not in (np.uint8, np.uint16) or not (p.ndim == 2 or (p.ndim == 3 and p.shape[2] == 3)):
            raise ValueError(f"pixels must be uint8 or uint16, (H, W) or (H, W, 3), got {p.dtype} {p.shape}")
        if a is not None and (a.dtype != p.dtype or a.shape != p.shape[:2]):
            raise ValueError(f"alpha must be {p.dtype} {p.shape[:2]}, got {a.dtype} {a.shape}")

    @property
    def bits(self) -> int:
        """Bits per channel of the file: 8, 10, 12 or 16."""
        return self.depth or 8 * self.pixels.dtype.itemsize

    @property
    def grey(self) -> bool:
        return self.pixels.ndim == 2

    @property
    def array(self) -> Pixels:
        """Pixels and alpha as one array, (H, W), (H, W, 2), (H, W, 3) or (H, W, 4); the pixels themselves if opaque."""
        if self.alpha is None:
            return self.pixels
        joined: npt.NDArray[Any] = np.dstack([self.pixels, self.alpha])
        return joined

    @functools.cached_property
    def visible(self) -> Pixels:
        """The pixels, with the visible ones continued where alpha is 0: what a network is shown."""
        if self.alpha is None:
            return self.pixels
        colours = self.pixels[..., None] if self.grey else self.pixels
        shown: Pixels = continued(colours, self.alpha).reshape(self.pixels.shape)
        return shown

    def with_pixels(self, pixels: Pixels) -> Picture:
        """The same picture with new pixels, possibly enlarged by an integer factor; alpha is enlarged too.

        What alpha hides stays as it was, unless the picture is enlarged.
        """
        alpha = self.alpha
        if alpha is not None and alpha.shape != pixels.shape[:2]:
            alpha = enlarged(alpha, pixels.shape[0], pixels.shape[1])
        elif alpha is not None:
            pixels = with_hidden(pixels, self.pixels, alpha)
        return dataclasses.replace(self, pixels=pixels, alpha=alpha)


def upright(stored: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply an EXIF orientation, (H, W, ...) -> a view of it, upright."""
    rows, columns = _flips(orientation)
    stored = stored[::rows, ::columns]
    return stored.swapaxes(0, 1) if orientation in SIDEWAYS else stored


def as_stored(upright: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """The inverse of :func:`upright`, a view again."""
    rows, columns = _flips(orientation)
    return (upright.swapaxes(0, 1) if orientation in SIDEWAYS else upright)[::rows, ::columns]


def _flips(orientation: int) -> tuple[int, int]:
    return -1 if orientation in (3, 4, 6, 7) else 1, -1 if orientation in (2, 3, 7, 8) else 1


@dataclass(frozen=True)
class Header:
    """The information in a file that can be read without decoding the pixels.

    Attributes:
        width: of the stored pixels.
        height: of the stored pixels.
        least_bytes: smallest possible size of a file with this number of pixels; 0 if the format has no bound.
        grey: stored as grey, although libvips decodes three channels.
        depth: as in :class:`Picture`.
        lossless: as in :class:`Picture`.
        resolution: as in :class:`Picture`; None if the decoder or EXIF says it.
        orientation: 1 to 8; None if only EXIF can have one.
        turned: whether the decoder itself turns or mirrors the pixels.
        premultiplied: whether libvips returns colours that are multiplied by alpha.
        adds_alpha: whether the decoder may return an alpha that is opaque everywhere, which the file does not have.
        patches: offset -> bytes to replace before decoding; the offset may be after the end of the file.
        metadata: those that libvips would lose or change.
        quality: as in :class:`Picture`.
        coding: as in :class:`Picture`, without the orientation.
        notes: as in :class:`Picture`.
    """

    width: int
    height: int
    least_bytes: int = 0
    grey: bool = False
    depth: int | None = None
    lossless: bool = True
    resolution: tuple[float, float] | None = None
    orientation: int | None = None
    turned: bool = False
    premultiplied: bool = False
    adds_alpha: bool = False
    patches: Mapping[int, bytes] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=Metadata)
    quality: int | None = None
    coding: Coding | None = None
    notes: tuple[str, ...] = ()


class Refusal(Exception):
    """A picture that cannot be read or written: what is wrong with it, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy

    def about(self, path: Path) -> UndegradeError:
        return UndegradeError(f"{path}: the picture {self.what}; {self.remedy}.")


def damaged(detail: str) -> Refusal:
    return Refusal(f"is damaged or cut short ({detail})", AGAIN)


def check_fits(path: Path, picture: Picture, format: Format, scale: int = 1) -> None:
    """Check, before the restoration, whether a format can hold a picture, ``scale`` times as large along each side.

    Raises:
        UndegradeError: the picture would lose bits, transparency, colour information or metadata, or it is too large.
    """
    try:
        _check_fits(picture, format, scale)
    except Refusal as refusal:
        raise refusal.about(path) from None


def _check_fits(picture: Picture, format: Format, scale: int) -> None:
    metadata, elsewhere = picture.metadata, format is not picture.format
    if picture.bits > format.max_bits:
        lost = picture.bits - format.max_bits
        raise Refusal(f"would lose {lost} of its {picture.bits} bits as {format}", "write PNG or TIFF")
    if picture.alpha is not None and not format.holds_alpha:
        raise Refusal(f"would lose its transparency as {format}", "write PNG, WebP, TIFF or AVIF")
    if metadata.opaque and format is not Format.TIFF:
        raise Refusal(f"has an extra channel that {format} would take for transparency", "write TIFF")
    if scale * max(picture.pixels.shape) > format.max_side:
        verb = "is" if scale == 1 else "would be"
        raise Refusal(f"{verb} larger than {format} can hold ({format.max_side} pixels a side)", "write PNG or TIFF")
    if elsewhere and metadata.colour and metadata.icc is None:
        raise Refusal(f"would lose the colour information of its {picture.format} file as {format}", "write PNG")
    if picture.grey and not format.holds_grey and space_of(metadata.icc) == "GRAY":
        raise Refusal(f"would lose its grey colour profile as {format}", "write PNG, JPEG or TIFF")
    for name, block in (("EXIF", metadata.exif), ("XMP", metadata.xmp)):
        if format is Format.JPEG and block is not None and len(block) > _JPEG_SEGMENT:
            raise Refusal(f"has more {name} data than jpeg can hold", "leave it out with --strip-metadata")


_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")  # of others PNG's and AVIF's writers leave the profile out


def space_of(icc: bytes | None) -> str | None:
    """The colour space of a profile: ``"RGB"``, ``"GRAY"``, ``"CMYK"``, ...; None if the profile is not valid."""
    if icc is None or not 132 <= len(icc) <= MAX_METADATA or icc[36:40] != b"acsp":
        return None
    if not 132 <= int.from_bytes(icc[:4], "big") <= len(icc) or icc[12:16] not in _CLASSES:
        return None
    return icc[16:20].decode("latin-1").strip()
