"""Small files of every kind, and what is to come of each: for the tests, for ``docs/files.md`` and for fuzzing.

``python -m tests.kinds`` makes each, reads it, writes it, reads that, and writes ``docs/files.md``.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image as Pillow

from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.image import Format, Picture, read, write

PAGE = Path(__file__).parents[2] / "docs" / "files.md"

RGB = make_photo(16, 24, 0)
GREY = np.ascontiguousarray(RGB[..., 1])
ALPHA = np.ascontiguousarray(RGB[::-1, :, 2])
RGBA, LA = np.dstack([RGB, ALPHA]), np.dstack([GREY, ALPHA])
RGB16 = RGB.astype(np.uint16) * 256 + 255 - RGB
RGBA16, LA16 = RGBA.astype(np.uint16) * 257, LA.astype(np.uint16) * 257
GREY16 = np.ascontiguousarray(RGB16[..., 1])


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        format: its group in the table.
        name: what it is.
        make: the file.
        pixels: what is to be read, with alpha as the last channel; None if it is not to be read.
        off_by: how far the decoded values may be from that.
        refused: the sentence that refuses it, without the file's name.
    """

    format: str
    name: str
    make: Callable[[], bytes]
    pixels: np.ndarray | None = None
    off_by: int = 0
    refused: str = ""


def pillow(array: np.ndarray, format: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Pillow.fromarray(array)
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    options = {"photometric": "rgb" if array.shape[-1] in (3, 4) else "minisblack", "metadata": None} | options
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def plain_tiff(array: np.ndarray, bits: int, photometric: int = 1, **more: int) -> bytes:
    """An uncompressed TIFF of packed rows, with any numbers in its tags."""
    h, w = array.shape
    data = packed(array, bits)
    data += bytes(len(data) % 2)
    tags = {256: w, 257: h, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: h, 279: len(data)}
    tags |= {int(tag[1:]): value for tag, value in more.items()}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def packed(array: np.ndarray, bits: int) -> bytes:
    """Rows of numbers of so many bits, each row in whole bytes."""
    digits = (array[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(digits.reshape(len(array), -1), axis=1).tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array: np.ndarray, bits: int, kind: int, *extra: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A PNG of numbers of so many bits, (H, W) or (H, W, C), with further chunks before its pixels."""
    h, w = array.shape[:2]
    rows = array.astype(">u2").tobytes() if bits == 16 else packed(array.reshape(h, -1), bits)
    step = len(rows) // h
    data = zlib.compress(b"".join(b"\0" + rows[i * step : (i + 1) * step] for i in range(h)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *(size or (w, h)), bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def from_vips(array: np.ndarray, save: str, **options: Any) -> bytes:
    import pyvips

    h, w, *bands = array.shape
    wide = array.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(array), w, h, *(bands or [1]), "ushort" if wide else "uchar"
    )
    colour = ("rgb16" if wide else "srgb") if bands and bands[0] > 2 else ("grey16" if wide else "b-w")
    return bytes(getattr(image.copy(interpretation=colour), f"{save}save_buffer")(**options))


def avif(array: np.ndarray = RGB, bits: int = 8, lossless: bool = True, **options: Any) -> bytes:
    how = {"compression": "av1", "bitdepth": bits, "lossless": lossless, "keep": "none", "effort": 0}
    return from_vips(array, "heif", **(how | options))


def changed(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


def nclx(primaries: int, curve: int) -> bytes:
    start = avif().index(b"nclx") + 4
    data = avif()
    return data[:start] + struct.pack(">HH", primaries, curve) + data[start + 4 :]


def jpeg_frame(bits: int = 8, kind: int = 0xC0) -> bytes:
    """A JPEG whose header claims another kind."""
    data = bytearray(pillow(RGB, "jpeg"))
    start = data.index(b"\xff\xc0")
    data[start + 1], data[start + 4] = kind, bits
    return bytes(data)


def cmyk_profile() -> bytes:
    """One that is not what libvips assumes where there is none: its tables are cut off below the middle."""
    import pyvips

    data = bytearray(pyvips.Image.profile_load("cmyk"))
    for i in range(int.from_bytes(data[128:132], "big")):
        name, start, size = struct.unpack_from(">4sII", data, 132 + 12 * i)
        if name.startswith(b"A2B"):
            half = start + size // 2
            data[half : start + size] = np.maximum(np.frombuffer(data[half : start + size], np.uint8), 99).tobytes()
    return bytes(data)


def cmyk(format: str, profile: bool = True, ycck: bool = False) -> bytes:
    data = pillow(RGB, format, "CMYK", **({"icc_profile": cmyk_profile()} if profile else {}))
    if ycck:  # Adobe's marker ends in what its numbers are
        end = data.index(b"Adobe") + 11
        data = data[:end] + b"\2" + data[end + 1 :]
    return data


def srgb_of_cmyk(data: bytes) -> np.ndarray:
    """Converted by another library."""
    from PIL import ImageCms

    image = Pillow.open(io.BytesIO(data))
    given, wanted = ImageCms.ImageCmsProfile(io.BytesIO(cmyk_profile())), ImageCms.createProfile("sRGB")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    found = ImageCms.profileToProfile(
        image, given, wanted, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB", flags=flags
    )
    return np.asarray(found)


def decoded(data: bytes, mode: str | None = None) -> np.ndarray:
    """What Pillow makes of a file."""
    image = Pillow.open(io.BytesIO(data))
    return np.asarray(image.convert(mode) if mode else image)


def frames(format: str, **options: Any) -> bytes:
    return pillow(RGB, format, save_all=True, append_images=[Pillow.fromarray(RGB[::-1])], **options)


def ycbcr() -> np.ndarray:
    return np.asarray(Pillow.fromarray(RGB).convert("YCbCr"))


def with_thumbnail() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(RGB[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    return file.getvalue()


PALETTE = RGB.reshape(-1, 3)[::7][:16]
INDEX = (np.arange(16 * 24).reshape(16, 24) * 5 % 16).astype(np.uint8)
PLTE = chunk(b"PLTE", PALETTE.tobytes())
CHROMA = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBk"
    "eFxlZ2P/yQALCAAQABgBAREA/8wABgAQEAX/2gAIAQEAAD8A/q8QVRlEkV6iujxoFR2tJZP3IBy/ffu9ZtHlubC/qW23GQINv9TtwTqs0hmgFIDE"
    "rLrPwPtBpDBcezjXQ+MlZFRNGfw0/9k="
)
TRANSPARENT = np.where((GREY[3, 4] == GREY)[..., None], 0, 255).astype(np.uint8)
FAX = from_vips(np.where(GREY > 128, 255, 0).astype(np.uint8), "tiff", compression="ccittfax4", bitdepth=1)
ONE_FRAME = "save one frame or page as a separate picture."
AGAIN = "copy or download it again."


def kinds() -> list[Kind]:
    """All of them. Made anew at each call, for they hold arrays."""
    bits = {n: GREY >> 8 - n for n in (1, 2, 4)}
    grown = {n: (bits[n] * (255 // (2**n - 1))).astype(np.uint8) for n in bits}
    trns = chunk(b"tRNS", struct.pack(">H", GREY[3, 4]))
    found = [Kind("PNG", f"grey, {n} bit", lambda n=n: png(bits[n], n, 0), grown[n]) for n in bits]
    found += [
        Kind("PNG", "grey, 8 bit", lambda: pillow(GREY, "png"), GREY),
        Kind("PNG", "grey, 16 bit", lambda: pillow(GREY16, "png"), GREY16),
        Kind("PNG", "grey with alpha, 8 bit", lambda: pillow(LA, "png"), LA),
        Kind("PNG", "grey with alpha, 16 bit", lambda: png(LA16, 16, 4), LA16),
        Kind("PNG", "grey with one transparent value", lambda: png(GREY, 8, 0, trns), np.dstack([GREY, TRANSPARENT])),
        Kind("PNG", "RGB, 8 bit", lambda: pillow(RGB, "png"), RGB),
        Kind("PNG", "RGB, 16 bit", lambda: png(RGB16, 16, 2), RGB16),
        Kind("PNG", "RGBA, 8 bit", lambda: pillow(RGBA, "png"), RGBA),
        Kind("PNG", "RGBA, 16 bit", lambda: png(RGBA16, 16, 6), RGBA16),
        Kind("PNG", "RGB, interlaced", lambda: from_vips(RGB, "png", interlace=True), RGB),
        Kind("PNG", "palette, 4 bit", lambda: png(INDEX, 4, 3, PLTE), PALETTE[INDEX]),
        Kind("PNG", "palette, 8 bit", lambda: png(INDEX, 8, 3, PLTE), PALETTE[INDEX]),
        Kind(
            "PNG",
            "palette with transparency",
            lambda: png(INDEX, 8, 3, PLTE, chunk(b"tRNS", bytes(range(16)))),
            np.dstack([PALETTE[INDEX], INDEX]),
        ),
        Kind(
            "PNG",
            "RGB with colours of its own (gAMA, cHRM)",
            lambda: png(RGB, 8, 2, chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"cHRM", CHROMA)),
            RGB,
        ),
        Kind("PNG", "RGB, HDR (cICP)", lambda: png(RGB16, 16, 2, chunk(b"cICP", b"\x09\x10\0\1")), RGB16),
        Kind(
            "PNG",
            "animated",
            lambda: frames("png"),
            refused=f"is animated; {ONE_FRAME}",
        ),
        Kind("JPEG", "RGB", lambda: pillow(RGB, "jpeg"), decoded(pillow(RGB, "jpeg")), 3),
        Kind("JPEG", "grey", lambda: pillow(GREY, "jpeg"), decoded(pillow(GREY, "jpeg")), 1),
        Kind("JPEG", "progressive", lambda: pillow(RGB, "jpeg", progressive=True), decoded(pillow(RGB, "jpeg")), 3),
        Kind("JPEG", "arithmetic coding", lambda: ARITHMETIC, decoded(ARITHMETIC), 1),
        Kind(
            "JPEG",
            "stored as RGB (Adobe)",
            lambda: pillow(RGB, "jpeg", keep_rgb=True),
            decoded(pillow(RGB, "jpeg", keep_rgb=True)),
            1,
        ),
        Kind("JPEG", "CMYK with its profile", lambda: cmyk("jpeg"), srgb_of_cmyk(cmyk("jpeg")), 3),
        Kind(
            "JPEG", "YCCK with its profile", lambda: cmyk("jpeg", ycck=True), srgb_of_cmyk(cmyk("jpeg", ycck=True)), 3
        ),
        Kind(
            "JPEG",
            "CMYK without a profile",
            lambda: cmyk("jpeg", profile=False),
            refused="is CMYK without a CMYK colour profile; convert it to RGB, or assign a profile.",
        ),
        Kind(
            "JPEG",
            "12 bit",
            lambda: jpeg_frame(bits=12, kind=0xC1),
            refused="has 12 bits per channel, which is not decoded here from a JPEG; convert it to PNG or TIFF.",
        ),
        Kind(
            "JPEG",
            "lossless or hierarchical",
            lambda: jpeg_frame(kind=0xC3),
            refused="is a lossless or hierarchical JPEG, which is not decoded here; convert it to PNG or TIFF.",
        ),
        Kind(
            "WebP",
            "lossy",
            lambda: pillow(RGB, "webp", quality=95),
            decoded(pillow(RGB, "webp", quality=95)),
            3,
        ),
        Kind("WebP", "lossless", lambda: pillow(RGB, "webp", lossless=True), RGB),
        Kind(
            "WebP",
            "lossy with alpha",
            lambda: pillow(RGBA, "webp", quality=95, exact=True),
            decoded(pillow(RGBA, "webp", quality=95, exact=True)),
            3,
        ),
        Kind("WebP", "lossless with alpha", lambda: pillow(RGBA, "webp", lossless=True, exact=True), RGBA),
        Kind("WebP", "animated", lambda: frames("webp"), refused=f"is animated; {ONE_FRAME}"),
    ]
    found += [Kind("TIFF", f"grey, {n} bit", lambda n=n: plain_tiff(bits[n], n), grown[n]) for n in bits]
    wide = {
        name: tiff(GREY.astype(dtype)) for name, dtype in (("32", np.uint32), ("signed", np.int16), ("f", np.float32))
    }
    found += [
        Kind("TIFF", "fax (CCITT group 4)", lambda: FAX, np.where(GREY > 128, 255, 0).astype(np.uint8)),
        Kind("TIFF", "grey, 8 bit", lambda: tiff(GREY), GREY),
        Kind("TIFF", "grey, 16 bit", lambda: tiff(GREY16), GREY16),
        Kind("TIFF", "grey, white is zero", lambda: tiff(GREY, photometric="miniswhite"), 255 - GREY),
        Kind("TIFF", "grey with alpha", lambda: tiff(LA, planarconfig="contig", extrasamples=["unassalpha"]), LA),
        Kind("TIFF", "RGB, 8 bit", lambda: tiff(RGB), RGB),
        Kind("TIFF", "RGB, 16 bit", lambda: tiff(RGB16), RGB16),
        Kind("TIFF", "RGB, 16 bit, big-endian", lambda: tiff(RGB16, byteorder=">"), RGB16),
        Kind("TIFF", "BigTIFF", lambda: tiff(RGB, bigtiff=True), RGB),
        Kind("TIFF", "RGB in tiles", lambda: tiff(RGB, tile=(16, 16)), RGB),
        Kind(
            "TIFF",
            "RGB, channels apart",
            lambda: tiff(np.ascontiguousarray(RGB.transpose(2, 0, 1)), photometric="rgb", planarconfig="separate"),
            RGB,
        ),
        Kind("TIFF", "LZW", lambda: pillow(RGB, "tiff", compression="tiff_lzw"), RGB),
        Kind("TIFF", "PackBits", lambda: pillow(RGB, "tiff", compression="packbits"), RGB),
        Kind("TIFF", "Deflate", lambda: pillow(RGB, "tiff", compression="tiff_adobe_deflate"), RGB),
        Kind(
            "TIFF",
            "JPEG inside",
            lambda: pillow(RGB, "tiff", compression="jpeg"),
            decoded(pillow(RGB, "tiff", compression="jpeg")),
            3,
        ),
        Kind(
            "TIFF",
            "YCbCr, not as JPEG",
            lambda: tiff(ycbcr(), photometric="ycbcr", subsampling=(1, 1)),
            refused="holds YCbCr numbers without JPEG; convert it to RGB.",
        ),
        Kind("TIFF", "palette", lambda: pillow(RGB, "tiff", "P"), decoded(pillow(RGB, "tiff", "P"), "RGB")),
        Kind("TIFF", "RGBA", lambda: tiff(RGBA, extrasamples=["unassalpha"]), RGBA),
        Kind(
            "TIFF",
            "RGBA, colours multiplied by alpha",
            lambda: tiff(np.dstack([RGB // 2, np.full_like(GREY, 128)]), extrasamples=["assocalpha"]),
            np.dstack([RGB // 2 * 2, np.full_like(GREY, 128)]),
            2,
        ),
        Kind("TIFF", "RGB with a channel that is no alpha", lambda: tiff(RGBA, extrasamples=["unspecified"]), RGBA),
        Kind("TIFF", "with a thumbnail as second page", with_thumbnail, RGB),
        Kind("TIFF", "CMYK with its profile", lambda: cmyk("tiff"), srgb_of_cmyk(cmyk("tiff")), 3),
        Kind(
            "TIFF",
            "CMYK without a profile",
            lambda: cmyk("tiff", profile=False),
            refused="is CMYK without a CMYK colour profile; convert it to RGB, or assign a profile.",
        ),
        Kind("TIFF", "several pages", lambda: frames("tiff"), refused=f"has 2 pages; {ONE_FRAME}"),
        Kind(
            "TIFF",
            "12 bit",
            lambda: plain_tiff(GREY16 >> 4, 12),
            refused="holds 12-bit channels; convert it to 8 or 16 bits per channel.",
        ),
        Kind(
            "TIFF",
            "32 bit",
            lambda: wide["32"],
            refused="holds 32-bit channels; convert it to 8 or 16 bits per channel.",
        ),
        Kind(
            "TIFF",
            "signed numbers",
            lambda: wide["signed"],
            refused="holds signed numbers; convert it to 8 or 16 bits per channel without a sign.",
        ),
        Kind(
            "TIFF",
            "floating point",
            lambda: wide["f"],
            refused="holds floating-point numbers; convert it to 8 or 16 bits per channel without a sign.",
        ),
        Kind(
            "TIFF",
            "L\\*a\\*b\\*",
            lambda: pillow(RGB, "tiff", "LAB"),
            refused="holds L*a*b* numbers; convert it to RGB.",
        ),
        Kind(
            "TIFF",
            "more channels",
            lambda: tiff(np.dstack([RGBA, GREY])[..., [0, 1, 2, 3, 4]], photometric="rgb", planarconfig="contig"),
            refused="has 5 channels; convert it to grey or RGB, with one channel of transparency at most.",
        ),
        Kind(
            "TIFF",
            "in tiles, channels apart",
            lambda: tiff(
                np.ascontiguousarray(RGB.transpose(2, 0, 1)), photometric="rgb", planarconfig="separate", tile=(16, 16)
            ),
            refused="is tiled with separate channels; save it with interleaved channels.",
        ),
        Kind(
            "TIFF",
            "Zstandard, LZMA, WebP or old JPEG inside",
            lambda: pillow(RGB, "tiff", compression="zstd"),
            refused="has a compression (number 50000) that is not supported; save it with LZW.",
        ),
        Kind(
            "TIFF",
            "camera raw (DNG, NEF, CR2, ARW)",
            lambda: plain_tiff(GREY, 8, t50706=0x00000401),
            refused="is a camera raw file, or its preview; develop it to TIFF or JPEG first.",
        ),
        Kind("AVIF", "lossless, 8 bit", avif, RGB),
        Kind("AVIF", "lossless, 10 bit", lambda: avif(RGB16, 10), stretched(RGB16, 10), 1),
        Kind("AVIF", "lossless, 12 bit", lambda: avif(RGB16, 12), stretched(RGB16, 12), 1),
        Kind("AVIF", "lossy, 8 bit", lambda: pillow(RGB, "avif", quality=95, subsampling="4:4:4"), RGB, 12),
        Kind("AVIF", "lossy, 10 bit", lambda: avif(RGB16, 10, False, Q=95), stretched(RGB16, 10), 4000),
        Kind("AVIF", "grey", lambda: pillow(GREY, "avif", quality=95), GREY, 12),
        Kind("AVIF", "with alpha", lambda: avif(RGBA), RGBA),
        Kind("AVIF", "Display P3 by number", lambda: nclx(12, 13), RGB),
        Kind(
            "AVIF",
            "HDR",
            lambda: nclx(9, 16),
            refused="is HDR, with a PQ curve, which cannot be written back; save it as SDR.",
        ),
        Kind("AVIF", "animated", lambda: frames("avif"), refused=f"is animated; {ONE_FRAME}"),
        Kind(
            "AVIF",
            "HEIC",
            lambda: changed(avif(), (b"ftypavif", b"ftypheic"), (b"av01", b"hvc1"), (b"av1C", b"hvcC")),
            refused="is HEIC, which is not decoded here; convert it to JPEG, AVIF or 16-bit PNG.",
        ),
        Kind("any", "empty", bytes, refused=f"is empty; {AGAIN}"),
        Kind("any", "GIF", lambda: pillow(RGB, "gif"), refused=OTHER),
        Kind("any", "BMP", lambda: pillow(RGB, "bmp"), refused=OTHER),
        Kind("any", "text", lambda: b"hello, world, no picture", refused=OTHER),
        Kind(
            "any",
            "cut short (here a PNG)",
            lambda: pillow(RGB, "png")[:600],
            refused=f"is damaged or cut short (...); {AGAIN}",
        ),
        Kind(
            "any",
            "more pixels than its bytes can hold (here a PNG)",
            lambda: png(RGB, 8, 2, size=(8000, 6000)),
            refused=f"is damaged or cut short (...); {AGAIN}",
        ),
        Kind(
            "any",
            "millions of pixels in next to no bytes (here a WebP)",
            big_webp,
            refused="claims 16000 x 12000 pixels in 300 bytes, which no photo does; if that is right, allow it with "
            "--max-pixels 192.",
        ),
        Kind(
            "any",
            "over the limit",
            lambda: png(RGB, 8, 2, size=(30000, 20000)),
            refused="has 30000 x 20000 = 600 million pixels, over the limit of 500 million; if that is right, allow it "
            "with --max-pixels 600.",
        ),
    ]
    return found


OTHER = "is not a PNG, JPEG, WebP, TIFF or AVIF picture; convert it to one of these."


def big_webp() -> bytes:
    """The header of a lossless WebP."""
    size = (16000 - 1) | (12000 - 1) << 14
    data = b"VP8L" + struct.pack("<IBI", 280, 0x2F, size) + bytes(275)
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data


def stretched(array: np.ndarray, bits: int) -> np.ndarray:
    """The upper bits of 16, as 0 to 65535."""
    return np.rint((array >> 16 - bits) * (65535 / (2**bits - 1))).astype(np.uint16)


def together(picture: Picture) -> np.ndarray:
    """Pixels and alpha in one array."""
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def sentence(error: UndegradeError) -> str:
    """What is wrong and what to do, without the file's name and the decoder's own words."""
    said = str(error).split(": the picture ", 1)[1]
    return re.sub(r"(damaged or cut short) \(.*\)", r"\1 (...)", said)


def outcome(kind: Kind, folder: Path) -> tuple[str, str]:
    """What it is read as, and what comes back after writing and reading again."""
    path = folder / "kind"
    path.write_bytes(kind.make())
    try:
        given = read(path)
    except UndegradeError as error:
        return "", f"refused: it {sentence(error)}"
    write(folder / "out", given)
    found = read(folder / "out")
    colours = "grey" if given.grey else "RGB"
    seen = f"{8 * given.pixels.itemsize}-bit {colours}{' with alpha' if given.alpha is not None else ''}"
    same = np.array_equal(together(given), together(found))
    back = "the same pixels" if same else "the pixels, compressed anew"
    if given.bits != 8 * given.pixels.itemsize:
        back += f", {given.bits} bit"
    if found.grey is not given.grey:
        back += ", as RGB"
    return seen, "; ".join([back, *given.notes])


SAID = {
    "colour profile": "icc",
    "EXIF": "exif",
    "XMP": "xmp",
    "Photoshop resources, IPTC": "photoshop",
    "colours of its own (gAMA, cHRM, cICP)": "colour",
    "comments": "comments",
}
MAKERS_NOTE, PRIVATE = b"Nobody\0" + bytes(range(200)), "a tag that nobody else knows"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'
IPTC = b"8BIM\x04\x04\0\0\0\0\0\x07\x1c\x02\x05\0\x02hi\0"
PREVIEW = b"8BIM\x04\x0c\0\0\0\0\0\x04jpeg"


def exif(orientation: int = 1, dpi: float = 300.0, thumbnail: bool = False) -> bytes:
    """EXIF as cameras write it: a maker's note, a position, a thumbnail; and a tag that nobody knows."""
    tags = Pillow.Exif()
    tags[0x010F], tags[0x8298], tags[0x0112] = "Maker", "copyright", orientation
    tags[0x011A] = tags[0x011B] = dpi
    tags[0x0128] = 2
    below = tags.get_ifd(0x8769)
    below[0x829A], below[0x927C], below[0xFDE8] = (1, 100), MAKERS_NOTE, PRIVATE
    below[0xA002], below[0xA003] = 1234, 567
    tags.get_ifd(0x8825)[1] = "N"
    data = tags.tobytes()
    if not thumbnail:
        return data
    # Pillow writes none: a second directory at the end, which the first one's end points to.
    tiff, preview = bytearray(data[6:]), pillow(RGB, "jpeg")
    order = "<" if tiff[:2] == b"II" else ">"
    start, end = struct.unpack_from(order + "I", tiff, 4)[0], len(tiff)
    link = start + 2 + 12 * struct.unpack_from(order + "H", tiff, start)[0]
    struct.pack_into(order + "I", tiff, link, end)
    tiff += struct.pack(order + "H" + "HHII" * 2 + "I", 2, 0x201, 4, 1, end + 30, 0x202, 4, 1, len(preview), 0)
    return b"Exif\0\0" + bytes(tiff) + preview


def talkative(format: Format, orientation: int = 1) -> bytes:
    """A file that says all that its format can say."""
    from PIL import ImageCms, PngImagePlugin

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    what: dict[str, Any] = {"exif": exif(orientation, thumbnail=True), "icc_profile": icc}
    match format:
        case Format.PNG:
            text = PngImagePlugin.PngInfo()
            text.add_text("Title", "a title")
            text.add_itxt("Author", "Jos\u00e9", zip=True)
            text.add_itxt("XML:com.adobe.xmp", XMP.decode())
            text.add(b"gAMA", struct.pack(">I", 100_000))
            return pillow(RGB, "png", pnginfo=text, dpi=(300, 300), **what)
        case Format.JPEG:
            data = pillow(RGB, "jpeg", xmp=XMP, comment=b"a comment", dpi=(300, 300), **what)
            block = b"Photoshop 3.0\0" + PREVIEW + IPTC
            return data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]
        case Format.TIFF:
            tags = Pillow.Exif()
            tags.load(what["exif"])
            tags[700], tags[34377], tags[270] = XMP, PREVIEW + IPTC, "a description"
            return pillow(RGB, "tiff", dpi=(300, 300), **what | {"exif": tags})
        case _:
            return pillow(RGB, str(format), xmp=XMP, quality=95, **what)


def said() -> str:
    """The table of what files say beside their pixels."""
    cells: dict[str, list[str]] = {name: [] for name in [*SAID, "resolution"]}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "in", Path(folder) / "out"
        for format in Format:
            path.write_bytes(talkative(format))
            given = read(path)
            write(out, given)
            found = read(out)
            for name, field in SAID.items():
                a, b = getattr(given.metadata, field), getattr(found.metadata, field)
                cells[name].append("" if not a else "byte for byte" if a == b else "kept" if b else "lost")
            same = np.allclose(given.resolution, found.resolution, rtol=1e-3)
            cells["resolution"].append("kept" if same else "lost")
    head = "| | " + " | ".join(format.upper() for format in Format) + " |\n|:--" + "|:--" * len(Format) + "|\n"
    return head + "\n".join(f"| {name} | {' | '.join(row)} |" for name, row in cells.items()) + "\n"


def page() -> str:
    """The text of ``docs/files.md``."""
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds():
            seen, back = outcome(kind, Path(folder))
            rows.append(f"| {kind.format} | {kind.name} | {seen} | {back} |")
    head = "| file | kind | read as | written back |\n|:--|:--|:--|:--|\n"
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("kinds", head + "\n".join(rows) + "\n"), ("said", said())):
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, t=table: m[1] + t + m[2], text, flags=re.S)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
