"""Random files, kills, full disks and signals against the real command: nothing lost, nothing twice, no leftovers.

``make soak MINUTES=30`` runs it. Each round makes a folder of random pictures, broken files and pipes, runs
``undegrade restore --skip-existing`` on it, ends it in one of several ways, and goes on until it is through. Then

- every picture that can be read has exactly one result, whole, and one record of it; every other file has a reason;
- the inputs are what they were, and no temporary file is left;
- no output holds a traceback.

The peak of memory of whole runs must not grow from round to round.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tests.image import annotated, kinds  # noqa: E402
from tests.image.makers import pillow  # noqa: E402
from undegrade.image import Format, read  # noqa: E402

ENDS = ("whole", "kill", "int", "int twice", "term", "full disk", "head")
GROWTH = 1.3
"""Most that the peak of memory of a later round may be of that of the first ones."""


def hostile() -> list[bytes]:
    """Files that are refused or read, from the tests of picture files."""
    files = [path.read_bytes() for path in sorted((ROOT / "fuzz" / "hostile").iterdir())]
    files += [kind.make() for kind in kinds.kinds()] + [annotated.talkative(format) for format in Format.written()]
    return [data for data in files if len(data) < 100_000]


def fill(folder: Path, rng: random.Random, files: list[bytes]) -> None:
    """Random pictures, broken ones and a pipe; names with what names may hold."""
    for i in range(rng.randint(3, 8)):
        pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (rng.randint(1, 90), 64, 3), np.uint8)
        format = rng.choice(["png", "jpeg", "webp", "tiff"])
        (folder / f"p{i}{rng.choice(['', ' x', 'é'])}.{format}").write_bytes(pillow(pixels, format))
    for i in range(rng.randint(2, 6)):
        data = bytearray(rng.choice(files))
        for _ in range(rng.randint(0, 3)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        (folder / f"h{i}.png").write_bytes(bytes(data))
    os.mkfifo(folder / "pipe.png")


def limited() -> None:
    """Files of at most 60 kB: writing more fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def run(command: list[str], end: str, rng: random.Random) -> tuple[int | None, str, float]:
    """One run of the command, ended in one of the ways; its exit code, what it said, and its peak in MB."""
    if end == "head":
        text = " ".join(f"'{word}'" for word in command)
        done = subprocess.run(["sh", "-c", f"{text} | head -n 1"], capture_output=True, text=True, check=False)
        return None, done.stderr, 0.0
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            preexec_fn=limited if end == "full disk" else None,
            start_new_session=True,
        )
        numbers = {"kill": [signal.SIGKILL], "int": [signal.SIGINT], "int twice": 2 * [signal.SIGINT]}
        numbers["term"] = [signal.SIGTERM]
        if end in numbers:
            wait = started + rng.uniform(0.5, 8.0)
            # Not poll: it would take the exit code, and the use of memory with it.
            while alive(process.pid) and time.monotonic() < wait:
                time.sleep(0.01)
            for number in numbers[end]:
                os.kill(process.pid, number)  # until it is waited for, its number is nobody else's
                time.sleep(0.05)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return process.returncode, said.read(), usage.ru_maxrss / 1024


def alive(process: int) -> bool:
    """Whether a child is still at work; one that has ended stays to be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def check(folder: Path, out: Path, log: Path) -> None:
    """What must hold when the batch is through."""
    records = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
    results = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert not [path for path in results if path.name.startswith(".")], results
    for path in folder.iterdir():
        relative = path.relative_to(folder)
        mine = [r for r in records if Path(r["source"]) == path and r["status"] in ("restored", "left")]
        if relative in results:
            read(out / relative)
            assert len(mine) <= 1, mine  # a kill can come between a result and its record
        else:
            assert not mine, mine
            assert path.name == "pipe.png" or any(
                Path(r["source"]) == path and r["status"] == "failed" and r["reason"] for r in records
            ), path
    assert results <= {path.relative_to(folder) for path in folder.iterdir()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    rng, files = random.Random(args.seed), hostile()
    print(f"seed {args.seed}", flush=True)
    stop = time.monotonic() + 60 * args.minutes
    peaks: list[float] = []
    counts = dict.fromkeys(ENDS, 0)
    rounds = 0
    while time.monotonic() < stop:
        with tempfile.TemporaryDirectory() as name:
            folder, out, log = (Path(name) / part for part in ("in", "out", "log.jsonl"))
            folder.mkdir()
            fill(folder, rng, files)
            before = {p: hashlib.sha256(p.read_bytes()).digest() for p in folder.iterdir() if p.is_file()}
            command = [sys.executable, "-m", "undegrade", "restore", str(folder), "-o", str(out), "--skip-existing"]
            command += ["--json", str(log), "--device", "cpu", "--task", "gaussian"]
            for end in [*rng.sample(ENDS[1:], 2), "whole"]:
                code, said, peak = run(command, end, rng)
                counts[end] += 1
                assert "Traceback" not in said, (end, said)
                if end in ("int", "int twice"):
                    assert code in (0, 1, 130), (end, code, said)
                if end == "whole":
                    assert code in (0, 1), (code, said)
                    peaks.append(peak)
            check(folder, out, log)
            assert before == {p: hashlib.sha256(p.read_bytes()).digest() for p in folder.iterdir() if p.is_file()}
        rounds += 1
        print(f"round {rounds}: {sum(counts.values())} runs, peak {peaks[-1]:.0f} MB", flush=True)
    first = max(peaks[:3])
    assert max(peaks) <= GROWTH * first, peaks
    print(f"{rounds} rounds; {counts}; peak {max(peaks):.0f} MB, at first {first:.0f} MB; nothing lost")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
