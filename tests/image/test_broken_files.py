"""Files that are broken or lie get one sentence, before they cost memory or time."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image import annotated, makers
from tests.image.checks import KINDS, noise, refusal
from tests.image.makers import pillow
from undegrade.errors import UndegradeError
from undegrade.image import Format, Picture, jpeg, read, vips, write
from undegrade.image.picture import Refusal
from undegrade.image.tiff_tags import Entry

BROKEN = {
    format: [kind.make() for kind in KINDS.values() if kind.format.lower() == format and len(kind.make()) < 20_000]
    + ([annotated.talkative(format)] if format.is_written else [])
    for format in Format
}


@given(
    format=st.sampled_from(list(Format)),
    which=st.integers(0, 99),
    seed=st.integers(0, 2**32 - 1),
    how=st.sampled_from(["flip", "cut", "splice", "repeat", "number"]),
)
@settings(max_examples=600, deadline=None)
def test_broken_files_are_an_error_or_a_picture(scratch: Path, format: Format, which: int, seed: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    files = BROKEN[format]
    data = np.frombuffer(files[which % len(files)], np.uint8).copy()
    a, b = sorted(rng.integers(0, min(len(data), int(rng.choice([64, 600, 10**6]))), 2))
    match how:
        case "flip":
            data[rng.integers(0, b + 1, 1 + seed % 4)] ^= np.uint8(1 << seed % 8)
        case "cut":
            data = np.concatenate([data[:a], data[b:]])
        case "splice":
            other = np.frombuffer(files[seed % len(files)], np.uint8)
            data = np.concatenate([data[:a], other[b:]])
        case "repeat":
            data = np.concatenate([data[:b], data[a:]])
        case "number":
            value = int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0xFFFF]))
            data[a : a + 4] = np.frombuffer(struct.pack(rng.choice(["<I", ">I"]), value), np.uint8)[: len(data) - a]
    path = scratch / "broken"
    path.write_bytes(data.tobytes())
    try:
        found = read(path, max_pixels=10**6)
    except UndegradeError as error:
        text = str(error)
        assert text.startswith(str(path))
        assert text.endswith(".")
        assert "\n" not in text
    else:
        write(scratch / "again", found)
        assert read(scratch / "again").pixels.shape[:2] == found.pixels.shape[:2]


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.95])
def test_cut_short(tmp_path: Path, format: Format, kept: float) -> None:
    data = pillow(noise((100, 120, 3)), str(format))
    text = refusal(tmp_path / "x", data[: int(len(data) * kept)])
    assert "damaged or cut short" in text


HUGE = {
    "png": makers.png(makers.RGB, 8, 2, size=(8000, 6000)),
    "jpeg": pillow(makers.RGB, "jpeg").replace(struct.pack(">HH", 16, 24), struct.pack(">HH", 6000, 8000)),
    "tiff": makers.plain_tiff(makers.GREY, 8, t256=60_000),
    "lzw": makers.plain_tiff(makers.GREY, 8, t256=60_000, t257=1000, t259=5),
}


@pytest.mark.parametrize("name", HUGE)
def test_claims_that_a_file_is_too_small_for_are_refused_by_the_header(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undegrade.image.codec._decode", None)  # is not called
    for limit in (500_000_000, 10**9):
        text = refusal(tmp_path / "x", HUGE[name], max_pixels=limit)
        assert "damaged or cut short" in text
        assert "bytes cannot hold" in text


def test_claims_that_no_photo_makes_are_refused_until_a_limit_is_given(tmp_path: Path) -> None:
    for data in (
        makers.big_webp(),
        makers.avif().replace(struct.pack(">II", 24, 16), struct.pack(">II", 16000, 12000)),
    ):
        assert "with --max-pixels 192." in refusal(tmp_path / "x", data)
        assert "damaged" in refusal(tmp_path / "x", data, max_pixels=192 * 10**6)  # and then decoded, in vain


def test_one_colour_all_over_is_believed(tmp_path: Path) -> None:
    for format in Format.written():
        write(tmp_path / "x", Picture(np.full((300, 400, 3), 200, np.uint8), format=format))
        assert read(tmp_path / "x").pixels.shape == (300, 400, 3)


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write(path, Picture(noise((1000, 1200))))
    assert "over the limit of 1 million; if that is right, allow it with --max-pixels 2." in refusal(
        path, path.read_bytes(), max_pixels=10**6
    )
    assert read(path, 2 * 10**6).pixels.shape == (1000, 1200)


@pytest.mark.parametrize(
    "data",
    [
        makers.png(makers.RGB, 8, 2, size=(0, 6)),
        makers.png(makers.RGB, 3, 2, size=(6, 6)),
        makers.png(makers.RGB, 8, 2)[:30],
        makers.png(makers.GREY, 8, 3),  # a palette picture without palette
        pillow(makers.RGB, "jpeg").replace(struct.pack(">HH", 16, 24), bytes(4)),
        pillow(makers.RGB, "jpeg")[:100],
        pillow(makers.RGB, "webp").replace(struct.pack("<HH", 24, 16), bytes(4)),
        makers.plain_tiff(makers.GREY, 8, t256=0),
        makers.plain_tiff(makers.GREY, 8, t262=99),
        makers.plain_tiff(makers.GREY, 8, t322=2**31, t323=2**31),
        makers.plain_tiff(makers.GREY, 8, t273=2**31),
        b"II*\0" + bytes(4),
        b"II*\0\xff\xff\xff\xff",
        b"MM\0+\0\x08\0\0" + b"\xff" * 8,
        makers.avif().replace(struct.pack(">II", 24, 16), bytes(8)),
        makers.avif().replace(b"ispe", b"none"),
        makers.avif().replace(b"pitm", b"none"),
        makers.avif().replace(b"meta", b"none"),
        makers.avif().replace(b"av01", b"none"),
        b"\0\0\0\x18ftypavif" + bytes(12),
    ],
)
def test_nonsense_in_headers(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path / "x", data)


def test_a_reason_is_of_this_file_and_not_of_another(tmp_path: Path) -> None:
    """libvips keeps the messages of files that it could read."""
    before = [pillow(noise((64, 64, 3)), "avif"), pillow(noise((64, 64, 3)), "avif")]
    jpeg = bytearray(pillow(noise((64, 64, 3)), "jpeg"))
    jpeg[len(jpeg) // 2 : len(jpeg) // 2 + 4] = b"\xff\x33\xff\x44"
    webp = pillow(noise((64, 64, 3)), "webp")
    for data in [*before, bytes(jpeg)]:
        (tmp_path / "good").write_bytes(data)
        read(tmp_path / "good")
        assert "webp" in refusal(tmp_path / "x", webp[: len(webp) // 2])


@pytest.mark.parametrize("format", Format)
def test_a_refusal_says_the_cause(tmp_path: Path, format: Format) -> None:
    data = bytearray(pillow(noise((100, 120, 3)), str(format)))
    for start in range(2 * len(data) // 3, len(data) - 8, max(len(data) // 40, 8)):
        broken = data[:start] + b"\xff\x33\0\0\xff\xd9\1\2" + data[start + 8 :]
        for file in (broken, data[:start]):
            (tmp_path / "x").write_bytes(bytes(file))
            try:
                read(tmp_path / "x")
            except UndegradeError as error:
                text = str(error)
                assert "unable to call" not in text
                assert "bad seek" not in text
                assert "no reason" not in text


def directory(entries: list[tuple[int, int, int, int]]) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + bytes(4)


def shared_values(tags: int, size: int) -> bytes:
    """A TIFF structure of many tags with the same value."""
    start = 8 + 2 + 12 * tags + 4
    entries = [(60_000 + i, 1, size, start) for i in range(tags)]
    return struct.pack("<2sHI", b"II", 42, 8) + directory(entries) + bytes(size)


def test_tags_that_share_their_values_have_one_budget(tmp_path: Path) -> None:
    """4 MB of a file asked for gigabytes, also as EXIF that is written to a TIFF."""
    size, tags = 2**22 - 16, 400
    start = 8 + 2 + 12 * (9 + tags) + 4
    entries = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, start)]
    entries += [(277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 256)]
    entries += [(60_000 + i, 1, size, start) for i in range(tags)]
    (tmp_path / "x").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + directory(entries) + bytes(size))
    found = read(tmp_path / "x")
    assert len(found.metadata.exif or b"") < 2**24
    assert any("tags that take more than" in note for note in found.notes)
    png = makers.png(makers.RGB, 8, 2, makers.chunk(b"eXIf", shared_values(tags, size)))
    (tmp_path / "y").write_bytes(png)
    write(tmp_path / "z", read(tmp_path / "y"), Format.TIFF)
    assert (tmp_path / "z").stat().st_size < 2**25


@pytest.mark.parametrize("where", ["_check_size", "_decode"])
def test_memory_that_runs_out_is_one_sentence(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(f"undegrade.image.codec.{where}", fail)
    text = refusal(tmp_path / "x", pillow(noise((9, 9, 3)), "png"))
    assert "needs more memory than there is" in text


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("glib: Error creating thread: Resource temporarily unavailable", True),
        ("vips_tracked: unable to allocate memory", True),
        ("pngload_source: libpng read error: invalid distance", False),
    ],
)
def test_a_full_system_is_not_taken_for_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, full: bool
) -> None:
    def fail(*_: object) -> None:
        raise vips.load().Error("unable to call pngload_source", said)

    monkeypatch.setattr("undegrade.image.vips.watched", fail)
    text = refusal(tmp_path / "x", pillow(noise((9, 9, 3)), "png"))
    assert ("needs more memory than there is" in text) is full
    assert ("is damaged or cut short" in text) is not full


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tags or properties are looked at: what takes time."""
    looked: list[int] = []
    entry = Entry.__init__

    def noted(self: Entry, *arguments: int, **more: int) -> None:
        looked.append(1)
        entry(self, *arguments, **more)

    monkeypatch.setattr(Entry, "__init__", noted)
    return looked


def test_a_thousand_directories_that_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(b"\5\0\5\0" * 20_000)
    data[:8] = struct.pack("<2sHI", b"II", 42, 100)
    for k in range(1000):
        struct.pack_into("<H", data, 100 + 4 * k, 4096)
    for k in range(1000):
        struct.pack_into("<I", data, 100 + 4 * k + 2 + 12 * 4096, 104 + 4 * k if k < 999 else 0)
    looked = counted(monkeypatch)
    assert "has 1000 pages" in refusal(tmp_path / "x", bytes(data))
    assert len(looked) < 20_000


def test_a_jpeg_of_fill_bytes(tmp_path: Path) -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    file = Counted(b"\xff\xd8\xff" + b"\xff" * 6_000_000)
    with pytest.raises(Refusal):
        jpeg.header(file)
    assert file.reads < 1000
    good = pillow(noise((9, 9, 3)), "jpeg")
    (tmp_path / "x").write_bytes(good[:2] + b"\xff" * 200_000 + good[2:])
    assert read(tmp_path / "x").pixels.shape == (9, 9, 3)


def test_lists_of_properties_without_end(tmp_path: Path) -> None:
    data = makers.avif()
    at = data.index(b"iprp") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    association = struct.pack(">II", 0, 9000) + (struct.pack(">HB", 7, 255) + b"\1" * 255) * 9000
    box = struct.pack(">I4s", len(association) + 8, b"ipma") + association
    meta = data.index(b"meta") - 4
    length = int.from_bytes(data[meta : meta + 4], "big") + 2 * len(box)
    grown = data[:at] + struct.pack(">I", size + 2 * len(box)) + data[at + 4 : at + size] + 2 * box + data[at + size :]
    assert "too long" in refusal(tmp_path / "x", grown[:meta] + struct.pack(">I", length) + grown[meta + 4 :])


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UndegradeError, match="pipe, socket or device"):
        read(tmp_path / "x.png")


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "fuzz" / "hostile").iterdir()), ids=lambda p: p.name
)
def test_hostile_files_are_an_error_or_a_picture(path: Path, tmp_path: Path) -> None:
    try:
        found = read(path)
    except UndegradeError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        return
    for format in (found.format.of_result, Format.TIFF):
        write(tmp_path / "x", found, format)
        assert read(tmp_path / "x").pixels.shape == found.pixels.shape
