"""Throughput of a batch: one process, several, and a local Ray cluster: python benchmarks/scale.py [--files 1000]

All ways restore the same files, one after the other in one run: compare the ratios. The results of each are compared
with those of one thread, byte for byte; the exit code is 1 if any differ. "Whole" counts the start of the command and
of the cluster; "at work" is from the first result to the last, as the times of the files say. Ray needs
`pip install 'undegrade[ray]'`; without it, it is left out.

``--shares`` prints instead what part of one process's CPU time reading and writing take: so much at most could be saved
by doing them beside the restoration, on a core that is free.

Without options it takes some five minutes on two free cores; ``--files 24 --side 48`` tries it out in one.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from memory import photo

from undegrade.image import Picture, write
from undegrade.inference.machine import cpu_name, usable_cores

SINGLE = "`--jobs 1`, one thread"


def make(folder: Path, files: int, side: int) -> None:
    """Different pictures of one size."""
    folder.mkdir()
    large = photo(max(4 * side * side, 1 << 20) / 1e6)
    rows, columns = large.shape[0] - side, large.shape[1] - side
    for i in range(files):
        top, left = (i * 7919) % (rows + 1), (i * 104729) % (columns + 1)
        write(folder / f"{i:06}.png", Picture(large[top : top + side, left : left + side].copy()))


def ways(jobs: int) -> dict[str, list[str]]:
    """The arguments of each way. The first is the one that the others are compared with."""
    found = {
        SINGLE: ["--jobs", "1", "--threads", "1"],
        f"`--jobs 1`, {usable_cores()} thread(s)": ["--jobs", "1"],
        f"`--jobs {jobs}`": ["--jobs", str(jobs)],
    }
    if find_spec("ray") is None:
        print("Ray is not installed: it is left out.", file=sys.stderr)
    else:
        found[f"`--ray local`, {jobs} workers"] = ["--jobs", str(jobs), "--ray", "local"]
    return found


def run(source: Path, output: Path, arguments: list[str]) -> tuple[float, float]:
    """Seconds of the whole command, and from its first result to its last."""
    command = [sys.executable, "-m", "undegrade", "restore", str(source), "-o", str(output), "--task", "gaussian"]
    started = time.perf_counter()
    subprocess.run([*command, "--device", "cpu", *arguments], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    times = [path.stat().st_mtime for path in output.iterdir()]
    return seconds, max(times) - min(times)


def shares(source: Path, output: Path, threads: int) -> dict[str, float]:
    """Reading and writing as parts of the CPU time of one process, after the first file."""
    from undegrade import image
    from undegrade.files.plan import Job
    from undegrade.files.restore_file import FileOptions, restore_file
    from undegrade.inference.load import load_pipeline
    from undegrade.inference.select_task import Choice

    spent = {"reading": 0.0, "writing": 0.0}

    def timed(what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            started = time.process_time()
            found = work(*given)
            spent[what] += time.process_time() - started
            return found

        return call

    choice = Choice(load_pipeline("gaussian", "fast", device="cpu", engine="onnx", threads=threads))
    before = image.read, image.write
    image.read, image.write = timed("reading", image.read), timed("writing", image.write)  # type: ignore[assignment]
    try:
        for number, path in enumerate(sorted(source.iterdir())):
            if number == 1:
                started, spent["reading"], spent["writing"] = time.process_time(), 0.0, 0.0
            outcome = restore_file(Job(path, output / path.name), FileOptions(), lambda *_: choice)
            assert outcome.reason is None, outcome.reason
        whole = time.process_time() - started
    finally:
        image.read, image.write = before
    return {what: seconds / whole for what, seconds in spent.items()}


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def machine() -> str:
    """The processor, and what was installed."""
    packages = [f"{name} {version(name)}" for name in ("onnxruntime", "ray") if find_spec(name) is not None]
    return ", ".join([cpu_name(), f"{usable_cores()} cores", *packages])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="pictures to restore (default: 1000)")
    parser.add_argument("--side", type=int, default=144, help="of each picture, in pixels (default: 144)")
    parser.add_argument("--jobs", type=int, default=2, help="processes, and workers of Ray (default: 2)")
    parser.add_argument("--turns", type=int, default=1, help="times that each way restores them (default: 1)")
    parser.add_argument("--shares", action="store_true", help="instead the CPU time of reading and writing")
    args = parser.parse_args()
    if args.files < 2:
        parser.error("give at least 2 files")
    differ = False
    with tempfile.TemporaryDirectory() as name:
        source, single, output = (Path(name) / part for part in ("in", "single", "out"))
        make(source, args.files, args.side)
        if args.shares:
            print(f"{args.files} pictures of {args.side} x {args.side}, gaussian-fast, {machine()}\n")
            for turn in range(args.turns):
                for threads in sorted({1, usable_cores()}):
                    found = shares(source, Path(name) / f"{turn}-{threads}", threads)
                    parts = ", ".join(f"{what} {100 * share:.1f} %" for what, share in found.items())
                    print(f"{threads} thread(s): {parts} of the CPU time", flush=True)
            return 0
        chosen = ways(args.jobs)
        known: dict[str, list[tuple[float, float]]] = {way: [] for way in chosen}
        for _ in range(args.turns):
            for way, arguments in chosen.items():
                known[way].append(run(source, output, arguments))
                print(f"{way}: {known[way][-1][0]:.1f} s", file=sys.stderr)
                if not single.exists():
                    output.rename(single)
                    continue
                if not same(single, output):
                    print(f"{way}: its results differ from those of one thread.", file=sys.stderr)
                    differ = True
                shutil.rmtree(output)
    print(f"\n{args.files} pictures of {args.side} x {args.side}, gaussian-fast, {args.turns} turn(s), {machine()}\n")
    print("| way | whole, s | at work, files/s | MPix/s | beside one thread |\n|:--|--:|--:|--:|--:|")
    base = None
    for way, times in known.items():
        whole, busy = (statistics.median(column) for column in zip(*times, strict=True))
        rate = (args.files - 1) / busy
        base = base or rate
        print(f"| {way} | {whole:.1f} | {rate:.1f} | {rate * args.side**2 / 1e6:.3f} | {rate / base:.2f} |")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
