"""Cards, training manifests, results and logs of every broken kind: each is read or refused with one error of ours.

``make fuzz MINUTES=10`` runs it after ``fuzz_image.py``; ``python fuzz/fuzz_records.py FILE`` repeats one input. The
first byte of an input says what the rest is taken for.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
CORPUS, FOUND = ROOT / "fuzz" / "corpus-records", ROOT / "fuzz" / "found"
FOLDER = Path(os.environ.get("UNDEGRADE_FUZZ_FOLDER", ""))

with atheris.instrument_imports(include=["undegrade"]):
    from undegrade.errors import UndegradeError
    from undegrade.evaluation.results import Result
    from undegrade.image import Format, Metadata, Picture, read, write
    from undegrade.model.architecture import Architecture
    from undegrade.train.log import Log
    from undegrade.train.state import newest
    from undegrade.weights.card import Card

import numpy as np  # noqa: E402


def card(data: bytes) -> None:
    """A card that is accepted can be written, and read again."""
    try:
        found = Card.from_json(data)
    except ValueError as error:
        assert len(str(error)) < 1000  # noqa: PT017
        return
    try:
        Architecture.from_dict(found.architecture)
    except UndegradeError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert Card.from_json(found.to_json()) == found


def manifest(data: bytes) -> None:
    """A manifest that is accepted has a step and a description."""
    state = FOLDER / "run" / "state-00000007"
    state.mkdir(parents=True, exist_ok=True)
    (state / "manifest.json").write_bytes(data)
    try:
        step, meta = newest(FOLDER / "run")
    except UndegradeError:
        return
    assert step == 7
    assert isinstance(meta, dict)


def result(data: bytes) -> None:
    """A result of an evaluation."""
    path = FOLDER / "result.json"
    path.write_bytes(data)
    try:
        Result.read(path)
    except UndegradeError as error:
        assert str(error).startswith(str(path))  # noqa: PT017


def log(data: bytes) -> None:
    """Lines that are cut short are left out."""
    path = FOLDER / "metrics.jsonl"
    path.write_bytes(data)
    for row in Log(path).rows():
        json.dumps(row)


def metadata(data: bytes) -> None:
    """Any bytes as metadata: they are written and read again, or refused, and the pixels stay."""
    format = list(Format)[data[0] % 5] if data else Format.PNG
    third = len(data) // 3
    blocks = Metadata(
        exif=data[:third] or None, xmp=data[third : 2 * third] or None, photoshop=data[2 * third :] or None
    )
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    path = FOLDER / "written"
    try:
        write(path, Picture(pixels, format=format, metadata=blocks))
        found = read(path)
    except UndegradeError:
        return
    assert found.pixels.shape == pixels.shape
    write(path, found, dataclasses.replace(found, format=Format.TIFF).format)


TARGETS = (card, manifest, result, log, metadata)


def one(data: bytes) -> None:
    """Give an input to the target that its first byte names."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def seeds() -> list[bytes]:
    """What this version writes, for each target; and what tests found hostile."""
    shipped = [path.read_bytes() for path in sorted((ROOT / "src" / "undegrade" / "weights").glob("*.json"))]
    state = {"step": 7, "parts": ["part-00.safetensors"], "meta": {"seconds": 1.0, "recipe": {"batch": 4, "patch": 32}}}
    results = [path.read_bytes()[:20_000] for path in sorted((ROOT / "results").glob("*.json"))[:2]]
    hostile = [b"[" * 2000, b'{"a":' * 2000, b"NaN", b"1" * 5000, b"\xff\xfe", b'{"step": 1e9}']
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    own = [*((0, d) for d in shipped[:2]), (1, json.dumps(state).encode()), *((2, d) for d in results)]
    own += [(3, b'{"step": 1, "total": 0.5}\n{"st'), *((4, bytes((i,)) + 3 * exif) for i in range(5))]
    return [bytes((i,)) + d for i, d in own] + [bytes((i,)) + d for i in range(4) for d in hostile]


def main() -> int:
    arguments = sys.argv[1:]
    if not FOLDER.name:  # libFuzzer ends its process without leave to clean up
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"UNDEGRADE_FUZZ_FOLDER": folder}
            return subprocess.run([sys.executable, __file__, *arguments], env=environment, check=False).returncode
    if not any(Path(a).is_file() for a in arguments):
        CORPUS.mkdir(exist_ok=True)
        FOUND.mkdir(exist_ok=True)
        for i, data in enumerate(seeds()):
            (CORPUS / f"seed-{i:03}").write_bytes(data)
        arguments += [f"-artifact_prefix={FOUND}/", "-max_len=20000", "-timeout=20", "-rss_limit_mb=3000", str(CORPUS)]
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
