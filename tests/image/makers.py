"""Small picture files of every format, made from scratch: as bytes, for tests and for fuzzing."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image as Pillow

from tests.pictures import make_photo

RGB = make_photo(16, 24, 0)
GREY = np.ascontiguousarray(RGB[..., 1])
ALPHA = np.ascontiguousarray(RGB[::-1, :, 2])
RGBA, LA = np.dstack([RGB, ALPHA]), np.dstack([GREY, ALPHA])
RGB16 = RGB.astype(np.uint16) * 256 + 255 - RGB
RGBA16, LA16 = RGBA.astype(np.uint16) * 257, LA.astype(np.uint16) * 257
GREY16 = np.ascontiguousarray(RGB16[..., 1])


def pillow(array: np.ndarray, format: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Pillow.fromarray(array)
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def saved(image: Pillow.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def bmp_with_alpha(array: np.ndarray) -> bytes:
    """A BMP of version 4, (H, W, 4), with a mask for alpha; its rows from the top down."""
    h, w = array.shape[:2]
    data = array[..., [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, w, -h, 1, 32, 3, len(data), 2835, 2835, 0, 0) + masks + bytes(52)
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(data), 0, 0, 14 + 108) + header + data


def bmp_of_runs(array: np.ndarray) -> bytes:
    """A BMP of 8 bits in runs of one pixel each, whose palette turns (H, W) into its negative."""
    h, w = array.shape
    data = b"".join(b"".join(bytes((1, v)) for v in row) + b"\0\0" for row in array[::-1].tolist()) + b"\0\1"
    palette = b"".join(bytes((255 - i, 255 - i, 255 - i, 0)) for i in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 8, 1, len(data), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + header + palette + data


def gif_with_alpha(image: Pillow.Image) -> np.ndarray:
    """What a GIF shows whose fourth colour is transparent: no colour where nothing is to be seen."""
    index = np.asarray(image)
    rgba = np.dstack([np.asarray(image.convert("RGB")), np.where(index == 3, 0, 255).astype(np.uint8)])
    rgba[index == 3] = 0
    return rgba


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


def box(kind: bytes, data: bytes) -> bytes:
    """A box of an AVIF."""
    return struct.pack(">I4s", 8 + len(data), kind) + data


def avif_with_items(kind: bytes, items: int, parts: int, size: int) -> bytes:
    """An AVIF with further items, whose parts are all the same bytes at its end."""
    data = avif()
    start = data.index(b"meta") - 4
    stop = start + int.from_bytes(data[start : start + 4], "big")
    children, at = {}, start + 12
    while at < stop:
        length = int.from_bytes(data[at : at + 4], "big")
        children[data[at + 4 : at + 8]] = data[at + 8 : at + length]
        at += length
    known, places = children[b"iinf"], children[b"iloc"]
    assert places[:6] == b"\0\0\0\0\x44\x40"  # version 0; offsets, lengths and their base of four bytes
    numbers = [struct.pack(">H", 100 + i) for i in range(items)]
    name = b"\0" if kind == b"Exif" else b"\0application/rdf+xml\0"
    entries = b"".join(box(b"infe", b"\2\0\0\0" + number + b"\0\0" + kind + name) for number in numbers)
    count = int.from_bytes(known[4:6], "big") + items
    children[b"iinf"] = known[:4] + struct.pack(">H", count) + known[6:] + entries
    primary = children[b"pitm"][4:6]
    children[b"iref"] = bytes(4) + b"".join(box(b"cdsc", number + b"\0\1" + primary) for number in numbers)

    def contents(moved: int, place: int) -> bytes:
        own = bytearray(places)
        own[6:8] = struct.pack(">H", int.from_bytes(own[6:8], "big") + items)
        own[12:16] = struct.pack(">I", int.from_bytes(own[12:16], "big") + moved)  # the base of the picture's one part
        for number in numbers:
            own += number + struct.pack(">HIH", 0, place, parts) + struct.pack(">II", 0, size) * parts
        found = {**children, b"iloc": bytes(own)}
        return box(b"meta", data[start + 8 : start + 12] + b"".join(box(k, d) for k, d in found.items()))

    moved = len(contents(0, 0)) - (stop - start)
    return data[:start] + contents(moved, len(data) + moved + 8) + data[stop:] + box(b"mdat", bytes(size))


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


def big_webp() -> bytes:
    """The header of a lossless WebP."""
    size = (16000 - 1) | (12000 - 1) << 14
    data = b"VP8L" + struct.pack("<IBI", 280, 0x2F, size) + bytes(275)
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data
