"""Broken picture files of every kind into ``undegrade.image``: each is a picture or one sentence, never anything else.

``make fuzz MINUTES=10`` runs it; ``python fuzz/fuzz_image.py FILE`` repeats one input. What it finds is written to
``fuzz/found``. Coverage is that of undegrade's own readers, which are instrumented. libvips is not, but a crash or a
hang in it is found all the same, for libFuzzer watches signals, memory and time of the whole process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
HOSTILE = ROOT / "fuzz" / "hostile"
CORPUS, FOUND = ROOT / "fuzz" / "corpus", ROOT / "fuzz" / "found"

import numpy as np  # noqa: E402

with atheris.instrument_imports(include=["undegrade"]):
    from undegrade.errors import UndegradeError
    from undegrade.image import Format, avif, read, write

from tests.image import annotated, kinds  # noqa: E402
from tests.image.page import together  # noqa: E402

FOLDER = Path(os.environ.get("UNDEGRADE_FUZZ_FOLDER", ""))
SHARED = Path("/dev/shm")
MAX_PIXELS = 300_000
LONGEST = 20_000
COUNTS = {"files": 0, "pictures": 0}
logging.getLogger("pyvips").propagate = False
avif.EFFORT = 0


def seeds() -> list[bytes]:
    """Every kind of file, those with metadata, and the small hostile ones of ``fuzz/hostile``."""
    files = [kind.make() for kind in kinds.kinds()] + [path.read_bytes() for path in sorted(HOSTILE.iterdir())]
    files += [annotated.talkative(format) for format in Format.written()]
    return [data for data in files if 0 < len(data) < LONGEST]


def one(data: bytes) -> None:
    """Read a file; what can be read can be written, and read again.

    Raises:
        Exception: anything but that, or a UndegradeError.
    """
    path, out = FOLDER / "in", FOLDER / "out"
    path.write_bytes(data)
    COUNTS["files"] += 1
    if COUNTS["files"] % 10_000 == 0:
        print(COUNTS, file=sys.stderr)
    try:
        picture = read(path, MAX_PIXELS)
    except UndegradeError as error:
        text = str(error)
        assert text.startswith(f"{path}: "), text
        assert text.endswith("."), text
        assert "\n" not in text, text
        return
    COUNTS["pictures"] += 1
    write(out, picture)
    again = read(out, MAX_PIXELS)
    assert again.format is picture.format.of_result
    assert again.pixels.shape[:2] == picture.pixels.shape[:2]
    assert again.pixels.dtype == picture.pixels.dtype
    if picture.format in (Format.PNG, Format.TIFF):
        np.testing.assert_array_equal(together(again), together(picture))
        assert again.metadata.icc == picture.metadata.icc
        assert again.metadata.xmp == picture.metadata.xmp
    if picture.alpha is not None and again.alpha is None:
        # WebP's encoder leaves out transparency that is nowhere, which shows nothing else.
        assert picture.format is Format.WEBP
        assert picture.alpha.min() == np.iinfo(picture.alpha.dtype).max
    elif picture.alpha is not None:
        np.testing.assert_array_equal(again.alpha, picture.alpha)
    # Once cleaned, there is nothing left to clean.
    if picture.format is not Format.AVIF:
        assert again.metadata.exif == picture.metadata.exif
    with contextlib.suppress(UndegradeError):  # what the other format cannot hold
        write(out, picture, list(Format)[len(data) % 4], strip_metadata=len(data) % 8 > 3)
        assert read(out, MAX_PIXELS).pixels.shape[:2] == picture.pixels.shape[:2]


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """libFuzzer's own mutations; every other time a PNG gets the checksums that its decoder asks for."""
    data = atheris.Mutate(data, longest)
    return with_checksums(data)[:longest] if seed % 2 and data.startswith(b"\x89PNG") else data


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks are all believed."""
    fixed, at = bytearray(data), 8
    while at + 12 <= len(fixed):
        end = at + 8 + int.from_bytes(fixed[at : at + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(fixed)


def main() -> int:
    arguments = sys.argv[1:]
    if not FOLDER.name:  # libFuzzer ends its process without leave to clean up
        with tempfile.TemporaryDirectory(dir=SHARED if os.access(SHARED, os.W_OK) else None) as folder:
            environment = os.environ | {"UNDEGRADE_FUZZ_FOLDER": folder}
            return subprocess.run([sys.executable, __file__, *arguments], env=environment, check=False).returncode
    if not any(Path(a).is_file() for a in arguments):
        CORPUS.mkdir(exist_ok=True)
        FOUND.mkdir(exist_ok=True)
        for i, data in enumerate(seeds()):
            (CORPUS / f"seed-{i:03}").write_bytes(data)
        arguments += [
            f"-artifact_prefix={FOUND}/",
            f"-max_len={LONGEST}",
            "-timeout=20",
            "-rss_limit_mb=3000",
            str(CORPUS),
        ]
    atheris.Setup([sys.argv[0], *arguments], one, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
