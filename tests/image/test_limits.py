"""What a file may make us hold and look at: metadata in sum, chunks, blocks, texts without end."""

import io
import os
import struct
from pathlib import Path

import pytest

from tests.image import makers
from tests.image.checks import refusal
from tests.image.makers import chunk, pillow
from undegrade.errors import UndegradeError
from undegrade.image import gif, read
from undegrade.image.limits import MAX_ALL_METADATA
from undegrade.image.picture import MAX_METADATA, Refusal

SOME = 3000
"""Bytes of metadata of the files below, in sum."""
EXIF = b"II*\0\x08\0\0\0" + bytes(SOME // 3 - 8)


def jpeg() -> bytes:
    data = pillow(makers.RGB, "jpeg")
    segments = [b"Exif\0\0" + EXIF, b"http://ns.adobe.com/xap/1.0/\0" + EXIF, b"unknown" + EXIF]
    packed = b"".join(struct.pack(">BBH", 0xFF, 0xE1, len(s) + 2) + s for s in segments)
    return data[:2] + packed + data[2:]


def png() -> bytes:
    return makers.png(makers.RGB, 8, 2, *[chunk(kind, b"a\0" + EXIF) for kind in (b"tEXt", b"zTXt", b"iCCP")])


def webp() -> bytes:
    data = pillow(makers.RGB, "webp", exif=EXIF, xmp=EXIF, icc_profile=EXIF)
    assert data.index(b"EXIF") > data.index(b"VP8 ") > data.index(b"ICCP")
    return data


FILES = {
    "jpeg": jpeg,
    "png": png,
    "webp": webp,
    "avif": lambda: makers.avif_with_items(b"mime", 3, 1, SOME // 3),
    "avif of parts that share their bytes": lambda: makers.avif_with_items(b"Exif", 1, 30, SOME // 30),
}


@pytest.mark.parametrize("name", FILES)
def test_metadata_have_one_budget_in_sum(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libvips would hold them all: an AVIF of 1 MB asked for 1.6 GB."""
    (tmp_path / "x").write_bytes(FILES[name]())
    assert read(tmp_path / "x").pixels.shape == makers.RGB.shape
    monkeypatch.setattr("undegrade.image.limits.MAX_ALL_METADATA", SOME - 1)
    monkeypatch.setattr("undegrade.image.codec._decode", None)  # is not called
    assert "of metadata; save it without them." in refusal(tmp_path / "x", FILES[name]())


def test_the_kinds_of_a_tiff_have_no_more_room_than_all_metadata() -> None:
    """Its values are copied by us alone: profile, XMP, Photoshop's blocks, and the tags together."""
    assert 4 * MAX_METADATA <= MAX_ALL_METADATA


def test_an_avif_whose_parts_share_their_bytes_is_refused_as_it_is(tmp_path: Path) -> None:
    text = refusal(tmp_path / "x", makers.avif_with_items(b"mime", 50, 30, 100_000))
    assert "more than 64 MB of metadata" in text
    assert "too long" in refusal(tmp_path / "x", makers.avif_with_items(b"mime", 2, 6000, 10))


def test_an_avif_with_several_lists_of_properties(tmp_path: Path) -> None:
    data = makers.avif()
    start = data.index(b"iprp") - 4
    more = makers.box(b"ipco", b"")
    meta = data.index(b"meta") - 4
    changed = bytearray(data)
    for at in (start, meta):
        changed[at : at + 4] = struct.pack(">I", int.from_bytes(data[at : at + 4], "big") + len(more))
    end = start + int.from_bytes(data[start : start + 4], "big")
    assert "too long" in refusal(tmp_path / "x", bytes(changed[:end]) + more + bytes(changed[end:]))


@pytest.mark.parametrize("kind", [b"tEXt", b"unKn"])
def test_a_png_of_many_chunks(kind: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpng warns of each that is wrong: a million took half a minute."""
    few, many = (makers.png(makers.RGB, 8, 2, *[chunk(kind, b"")] * n) for n in (90, 200))
    monkeypatch.setattr("undegrade.image.png._MAX_OTHERS", 100)
    (tmp_path / "x").write_bytes(few)
    assert read(tmp_path / "x").pixels.shape == makers.RGB.shape
    assert "too many chunks" in refusal(tmp_path / "x", many)


def test_a_png_of_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undegrade.image.png._MAX_CHUNKS", 100)
    assert "too many chunks" in refusal(tmp_path / "x", makers.png(makers.RGB, 8, 2, *[chunk(b"IDAT", b"")] * 200))


@pytest.mark.parametrize("blocks", [b"\x21\xfe\0" * 10_000, b"\x21\xfe" + b"\x01a" * 10_000 + b"\0"])
def test_a_gif_of_many_blocks(blocks: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve megabytes of empty blocks took two seconds, and more took longer."""

    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    monkeypatch.setattr(gif, "_MAX_BLOCKS", 100)
    file = Counted(b"GIF89a" + struct.pack("<HHBBB", 24, 16, 0, 0, 0) + blocks)
    with pytest.raises(Refusal):
        gif.header(file)
    assert file.reads < 500


@pytest.mark.parametrize("end", [b" ", b"\n#", b""])
@pytest.mark.parametrize("start", [b"P1 2 2\n1 0 1 0", b"P2 2 2 255\n1 2 3 4", b"P6 2 2 255\n123456789abc"])
def test_texts_without_end_are_read_no_further_than_their_pixels(start: bytes, end: bytes, tmp_path: Path) -> None:
    """A sparse file of three gigabytes was read whole."""
    path = tmp_path / "x"
    path.write_bytes(start + end + (b"\n" * 2**21 if end == b" " else b""))
    if end == b"\n#":
        os.truncate(path, 2**35)
    assert read(path).pixels.shape[:2] == (2, 2)
    if end == b"\n#" and not start.startswith(b"P6"):
        path.write_bytes(start[:-2] + end)
        os.truncate(path, 2**35)
        with pytest.raises(UndegradeError, match="ends before its last pixel"):
            read(path)


def test_numbers_may_lie_across_the_blocks_of_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [12345 % (7 * i + 1) for i in range(64)]
    text = b"P2 8 8 65535 # a comment\n" + b" # more # and more\n".join(b"%d" % n for n in numbers)
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr("undegrade.image.ppm._BLOCK", size)
        (tmp_path / "x").write_bytes(text)
        assert read(tmp_path / "x").pixels.ravel().tolist() == numbers
        (tmp_path / "x").write_bytes(b"P1 8 8 #\n" + b"".join(b"%d" % (n % 2) for n in numbers))
        assert read(tmp_path / "x").pixels.ravel().tolist() == [255 * (1 - n % 2) for n in numbers]
