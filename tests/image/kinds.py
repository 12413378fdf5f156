"""Small files of every kind, and what is to come of each: for the tests, for ``docs/files.md`` and for fuzzing."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from tests.image.makers import (
    GREY,
    GREY16,
    LA,
    LA16,
    RGB,
    RGB16,
    RGBA,
    RGBA16,
    avif,
    big_webp,
    bmp_of_runs,
    bmp_with_alpha,
    changed,
    chunk,
    cmyk,
    decoded,
    frames,
    from_vips,
    gif_with_alpha,
    jpeg_frame,
    nclx,
    pillow,
    plain_tiff,
    png,
    saved,
    srgb_of_cmyk,
    tiff,
    with_thumbnail,
    ycbcr,
)


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
            np.dstack([(RGB // 2 * 255.0 / 128).round().clip(0, 255).astype(np.uint8), np.full_like(GREY, 128)]),
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
            "grey with alpha, channels apart",
            lambda: tiff(
                np.ascontiguousarray(LA.transpose(2, 0, 1)), planarconfig="separate", extrasamples=["unassalpha"]
            ),
            refused="keeps grey and transparency in separate planes; save it with interleaved channels.",
        ),
        Kind(
            "TIFF",
            "RGBA, channels apart",
            lambda: tiff(
                np.ascontiguousarray(RGBA.transpose(2, 0, 1)),
                photometric="rgb",
                planarconfig="separate",
                extrasamples=["unassalpha"],
            ),
            RGBA,
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
        *only_read(),
        Kind("any", "JPEG XL, JPEG 2000, ...", lambda: b"\xff\x0a" + bytes(30), refused=OTHER),
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


OTHER = "is not a PNG, JPEG, WebP, TIFF, AVIF, BMP, GIF or PPM picture; convert it to one of these."


def only_read() -> list[Kind]:
    """BMP, GIF and PPM."""
    few = Pillow.fromarray(RGB).quantize(16)
    colours = np.asarray(few.convert("RGB"))
    ten = GREY16 >> 6
    black = Pillow.fromarray(GREY > 128)
    two = np.asarray(black.convert("L"))
    names = {"grey, text": b"P2", "RGB, text": b"P3"}
    text = {
        name: kind + b"\n# made by hand\n24 16\n255\n" + b" ".join(b"%d" % v for v in array.ravel()) + b"\n"
        for (name, kind), array in zip(names.items(), (GREY, RGB), strict=True)
    }
    return [
        Kind("BMP", "RGB", lambda: pillow(RGB, "bmp"), RGB),
        Kind("BMP", "RGB, 32 bit", lambda: pillow(RGBA, "bmp"), RGB),
        Kind("BMP", "RGBA (bit fields)", lambda: bmp_with_alpha(RGBA), RGBA),
        Kind("BMP", "grey", lambda: pillow(GREY, "bmp"), GREY),
        Kind("BMP", "palette", lambda: saved(few, "bmp"), colours),
        Kind("BMP", "palette, compressed (RLE)", lambda: bmp_of_runs(GREY), np.dstack([255 - GREY] * 3)),
        Kind("BMP", "black and white", lambda: saved(black, "bmp"), two),
        Kind(
            "BMP",
            "JPEG or PNG inside",
            lambda: pillow(RGB, "bmp")[:30] + b"\4" + pillow(RGB, "bmp")[31:],
            refused="has a compression (number 4) that is not supported; save it as PNG.",
        ),
        Kind("GIF", "palette", lambda: saved(few, "gif"), colours),
        Kind("GIF", "grey", lambda: pillow(GREY, "gif"), np.dstack([GREY] * 3)),
        Kind("GIF", "with transparency", lambda: saved(few, "gif", transparency=3), gif_with_alpha(few)),
        Kind("GIF", "animated", lambda: frames("gif"), decoded(frames("gif"), "RGB")),
        Kind("PPM", "RGB, 8 bit", lambda: pillow(RGB, "ppm"), RGB),
        Kind("PPM", "RGB, 16 bit", lambda: b"P6 24 16 65535\n" + RGB16.astype(">u2").tobytes(), RGB16),
        Kind("PPM", "grey, 8 bit (PGM)", lambda: pillow(GREY, "ppm"), GREY),
        Kind("PPM", "grey, 16 bit (PGM)", lambda: b"P5 24 16 65535\n" + GREY16.astype(">u2").tobytes(), GREY16),
        Kind(
            "PPM", "grey, 10 bit (PGM)", lambda: b"P5 24 16 1023\n" + ten.astype(">u2").tobytes(), stretched(GREY16, 10)
        ),
        Kind(
            "PPM",
            "black and white (PBM)",
            lambda: saved(black, "ppm"),
            two,
        ),
        Kind("PPM", "grey, text", lambda: text["grey, text"], GREY),
        Kind("PPM", "RGB, text", lambda: text["RGB, text"], RGB),
        Kind("PPM", "floating point (PFM)", lambda: b"PF\n1 1\n-1.0\n" + bytes(12), refused=OTHER),
    ]


def stretched(array: np.ndarray, bits: int) -> np.ndarray:
    """The upper bits of 16, as 0 to 65535."""
    return np.rint((array >> 16 - bits) * (65535 / (2**bits - 1))).astype(np.uint16)
