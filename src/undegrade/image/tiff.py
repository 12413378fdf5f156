"""TIFF, classic and big: directories of tags. Adobe's TIFF 6.0 and its supplements."""

from __future__ import annotations

import struct
from typing import BinaryIO

from undegrade.image import exif, tiff_tags, vips
from undegrade.image.picture import MAX_METADATA, ONE_FRAME, Header, Metadata, Picture, Refusal, damaged
from undegrade.image.tiff_tags import Broken, Budget, Directory, Entry, Reader, Tag

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_STRIP_SIZES, _TILE_SIZES = 279, 325
_SAMPLES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 277, 284, 322, 323, 338, 339
_XMP, _PHOTOSHOP, _ICC, _LAYERS, _DNG = 700, 34377, 34675, 37724, 50706
_PIXELS = frozenset(
    (
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284),
        *(288, 289, 290, 291, 292, 293, 296, 297, 301, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333),
        *(334, 336, 337, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 351, 512, 513, 514, 515, 517, 518, 519, 520),
        *(521, 529, 530, 531, 532, 559, _XMP, _PHOTOSHOP, _ICC, _LAYERS, 50255),
    )
)
"""Tags about the storage of the pixels, or written separately. All other tags are kept."""
_RESOLUTION = (tiff_tags.X_RESOLUTION, tiff_tags.Y_RESOLUTION, tiff_tags.RESOLUTION_UNIT)
_CAMERA_RAW = "is a camera raw file, or its preview", "develop it to TIFF or JPEG first"
_MAX_PAGES = 1000
_DECODED = (
    *(
        256,
        257,
        258,
        259,
        262,
        266,
        273,
        277,
        278,
        279,
        284,
        292,
        293,
        317,
        320,
        322,
        323,
        324,
        325,
        332,
        338,
        339,
        347,
    ),
    *(529, 530, 531, 532),
)
"""Tags that the decoder gets. An error in any other tag would make it fail."""

_KINDS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
"""Photometric interpretation -> number of channels without extra ones, for those that are read."""
_FOREIGN = {4: "a mask", 8: "L*a*b*", 9: "L*a*b*", 10: "L*a*b*", 32803: "camera raw", 34892: "camera raw"}
_FOREIGN |= {32844: "LogL", 32845: "LogLuv"}
_YCBCR, _RAW, _JPEG, _FAX = 6, 1, 7, (2, 3, 4)
_DENSEST = {_RAW: 1, 32773: 64, 5: 2800, 8: 1040, 32946: 1040}
"""Highest compression ratio of the supported compressions that have a bound."""
_JPEG_BLOCKS = 4 * 8 * 64
_COMPRESSIONS = {_RAW, *_FAX, 5, _JPEG, 8, 32773, 32946}


def header(file: BinaryIO) -> Header:
    """Read the header of a TIFF file; see :class:`Header`.

    Raises:
        Refusal: it is damaged, has several pages, or has values that are not supported.
    """
    file.seek(8)
    if file.read(2) == b"CR":
        raise Refusal(*_CAMERA_RAW)
    try:
        reader = Reader(file)
        entries, following, _ = reader.directory(reader.first)
        _check_pages(reader, entries, following)
        return _header(reader, entries)
    except Broken as error:
        raise damaged(str(error)) from error


def save(picture: Picture, file: BinaryIO) -> None:
    """Write a TIFF file with deflate compression."""
    image = vips.image_of(picture, colour=not picture.grey)
    big = picture.pixels.nbytes > 3 * 2**30  # a classic TIFF is limited to 4 GB
    target = vips.load().Target.new_to_descriptor(file.fileno())
    image.tiffsave_target(
        target, keep="none", compression="deflate", predictor="horizontal", resunit="inch", bigtiff=big
    )
    _add(file, picture.metadata)


def _header(reader: Reader, entries: dict[int, Entry]) -> Header:
    def number(tag: int, default: int) -> int:
        return reader.number(entries.get(tag), default)

    def block(tag: int) -> bytes | None:
        entry = entries.get(tag)
        try:
            return reader.tag(entry).data if entry is not None and entry.size <= MAX_METADATA else None
        except Broken:
            return None

    w, h = number(_WIDTH, 0), number(_HEIGHT, 0)
    samples, compression, photometric = number(_SAMPLES, 1), number(_COMPRESSION, 1), number(_PHOTOMETRIC, 1)
    bits = reader.numbers(entries.get(_BITS), 1)
    if not (w and h and samples):
        raise damaged(f"{w} x {h} pixels of {samples} channels")
    _check_kind(photometric, samples, bits, reader.numbers(entries.get(_SAMPLE_FORMAT), 1))
    if compression not in _COMPRESSIONS:
        raise Refusal(f"has a compression (number {compression}) that is not supported", "save it with LZW")
    if photometric == _YCBCR and compression != _JPEG:  # libvips would read them as RGB
        raise Refusal("holds YCbCr numbers without JPEG", "convert it to RGB")
    tile_width, tile_height = number(_TILE_WIDTH, 0), number(_TILE_HEIGHT, 0)
    apart = number(_PLANAR, 1) == 2 and samples > 1
    if apart and tile_width:
        raise Refusal("is tiled with separate channels", "save it with interleaved channels")
    if apart and samples == 2:  # libvips takes the planes of grey and alpha for interleaved rows
        raise Refusal("keeps grey and transparency in separate planes", "save it with interleaved channels")
    if tile_width * tile_height > 4 * w * h + 2**24:
        raise damaged(f"tiles of {tile_width} x {tile_height} pixels")
    counts = entries.get(_STRIP_SIZES) or entries.get(_TILE_SIZES)
    if counts is not None and reader.largest(counts) > reader.size:
        raise damaged("its pixels extend beyond the end of the file")
    raw = w * h * samples * bits[0] // 8
    least = w * h // _JPEG_BLOCKS if compression == _JPEG else raw // (_DENSEST.get(compression) or raw + 1)
    extra = reader.numbers(entries.get(_EXTRA_SAMPLES), 2)
    alpha = samples > _KINDS[photometric]
    kept = {tag: entry for tag, entry in entries.items() if tag not in _PIXELS}
    budget = Budget(MAX_METADATA)
    metadata = Metadata(
        icc=block(_ICC),
        xmp=block(_XMP),
        exif=exif.from_tree(reader.tree(kept, MAX_METADATA // 4, budget)),
        photoshop=block(_PHOTOSHOP),
        opaque=alpha and extra[0] == 0 and _EXTRA_SAMPLES in entries,
    )
    notes = []
    premultiplied = alpha and extra[0] == 1
    patches = _patches(reader, entries, _DECODED if not premultiplied else tuple(set(_DECODED) - {_EXTRA_SAMPLES}))
    if premultiplied:
        notes.append("converted premultiplied alpha to ordinary transparency")
    if budget.refused:
        notes.append(f"left out {budget.refused} tags that take more than {MAX_METADATA >> 20} MB together")
    if _LAYERS in entries:
        notes.append("left out Photoshop layers: they hold the old picture")
    return Header(
        w,
        h,
        least,
        orientation=turn if 1 <= (turn := number(tiff_tags.ORIENTATION, 0)) <= 8 else None,
        # Without the tag, libvips does not divide by alpha; it would cut off the fraction instead of rounding.
        premultiplied=premultiplied and bool(patches),
        patches=patches,
        metadata=metadata,
        notes=tuple(notes),
    )


def _patches(reader: Reader, entries: dict[int, Entry], decoded: tuple[int, ...]) -> dict[int, bytes]:
    """Patches that add a new first directory after the end of the file, with only the tags that the decoder needs."""
    sound = {t: e for t in _RESOLUTION if (e := entries.get(t)) is not None and (e.type, e.count) in ((5, 1), (3, 1))}
    start = reader.size + reader.size % 2
    if not reader.big and start + 2**16 > 2**32:
        return {}
    place = struct.pack(reader.order + ("Q" if reader.big else "I"), start)
    excerpt = reader.excerpt({t: e for t, e in entries.items() if t in decoded} | sound)
    return {8 if reader.big else 4: place, start: excerpt}


def _check_pages(reader: Reader, entries: dict[int, Entry], following: int) -> None:
    """Refuse files with several pages (not counting thumbnails and masks), and camera raw files."""
    if _DNG in entries or reader.number(entries.get(_SUBFILE)) & 1:
        raise Refusal(*_CAMERA_RAW)
    pages, visited = 1, {reader.first}
    while following and len(visited) < _MAX_PAGES:
        if following in visited:
            raise damaged("its pages form a loop")
        visited.add(following)
        kinds, following = reader.subfile(following)
        # 1: a smaller version, 4: a mask; in the older tag 2: a smaller version
        pages += not (kinds.get(_SUBFILE, 0) & 5 or kinds.get(_OLD_SUBFILE) == 2)
    if pages > 1:
        raise Refusal(f"has {pages} pages", ONE_FRAME)


def _check_kind(photometric: int, samples: int, bits: list[int], formats: list[int]) -> None:
    if photometric in _FOREIGN:
        raise Refusal(f"holds {_FOREIGN[photometric]} numbers", "convert it to RGB")
    if photometric not in _KINDS:
        raise Refusal(f"has colours of a kind ({photometric}) that is not supported", "convert it to RGB")
    for kind, name in ((2, "signed"), (3, "floating-point"), (5, "complex"), (6, "complex")):
        if kind in formats:
            raise Refusal(f"holds {name} numbers", "convert it to 8 or 16 bits per channel without a sign")
    if len(set(bits)) > 1 or not (bits[0] in (8, 16) or (bits[0] in (1, 2, 4) and samples == 1)):
        raise Refusal(f"holds {bits[0]}-bit channels", "convert it to 8 or 16 bits per channel")
    if samples - _KINDS[photometric] not in (0, 1):
        raise Refusal(f"has {samples} channels", "convert it to grey or RGB, with one channel of transparency at most")


def _add(file: BinaryIO, metadata: Metadata) -> None:
    """Add tags to a TIFF file that was just written: a new directory at its end replaces the first one."""
    reader = Reader(file)
    entries, _, _ = reader.directory(reader.first)
    directory: Directory = {tag: reader.tag(entry) for tag, entry in entries.items()}
    if metadata.exif is not None:
        directory |= {t: v for t, v in exif.tree(metadata.exif).items() if t not in _PIXELS}
    for number, type, block in ((_XMP, 1, metadata.xmp), (_ICC, 7, metadata.icc), (_PHOTOSHOP, 1, metadata.photoshop)):
        if block is not None:
            directory[number] = Tag(type, len(block), block)
    if metadata.opaque and _EXTRA_SAMPLES in directory:
        directory[_EXTRA_SAMPLES] = Tag(tiff_tags.SHORT, 1, struct.pack("<H", 0))
    at = file.seek(0, 2)
    at += file.write(bytes(at % 2))
    file.write(tiff_tags.lay_out(directory, at, big=reader.big))
    file.seek(8 if reader.big else 4)
    file.write(struct.pack("<Q" if reader.big else "<I", at))
