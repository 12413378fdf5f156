"""The kind of a picture file, told by its first bytes, and the module that reads and writes each kind."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from undegrade.image import avif, bmp, gif, jpeg, png, ppm, tiff, webp
from undegrade.image.picture import AGAIN, Format, Header, Refusal
from undegrade.reading import open_regular

MODULES: dict[Format, ModuleType] = {
    Format.PNG: png,
    Format.JPEG: jpeg,
    Format.WEBP: webp,
    Format.TIFF: tiff,
    Format.AVIF: avif,
    Format.BMP: bmp,
    Format.GIF: gif,
    Format.PPM: ppm,
}
_NAMES = "a PNG, JPEG, WebP, TIFF, AVIF, BMP, GIF or PPM picture"


def sniff(file: BinaryIO) -> Format:
    """Detect the format by content. Other files are refused, because libvips would try many more decoders."""
    head = file.read(18)
    if not head:
        raise Refusal("is empty", AGAIN)
    if head.startswith(png.SIGNATURE):
        return Format.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return Format.TIFF
    if head[4:8] == b"ftyp" and head[8:12] in avif.BRANDS:
        return Format.AVIF
    if head[:6] in gif.SIGNATURES:
        return Format.GIF
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in bmp.HEADERS:
        return Format.BMP
    if ppm.SIGNATURE.match(head):
        return Format.PPM
    raise Refusal(f"is not {_NAMES}", "convert it to one of these")


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height of the stored pixels, from the header.

    Raises:
        Refusal: it is no picture, or damaged.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        header: Header = MODULES[sniff(file)].header(file)
    return header.width, header.height
