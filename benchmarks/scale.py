"""Throughput of a batch: one process, several, and a local Ray cluster: python benchmarks/scale.py [--files 1000]

All ways restore the same files in turns within one run, so that a busy machine slows all alike: compare the ratios. The
results of each are compared with those of one thread, byte for byte. "Whole" counts the start of the command and of the
cluster; "at work" is from the first result to the last, as the times of the files say. Ray needs
`pip install 'undegrade[ray]'`; without it, it is left out.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from memory import photo

from undegrade.image import Picture, write
from undegrade.inference.machine import usable_cores


def make(folder: Path, files: int, side: int) -> None:
    """Different pictures of one size."""
    folder.mkdir()
    large = photo(max(4 * side * side, 1 << 20) / 1e6)
    rows, columns = large.shape[0] - side, large.shape[1] - side
    for i in range(files):
        top, left = (i * 7919) % (rows + 1), (i * 104729) % (columns + 1)
        write(folder / f"{i:06}.png", Picture(large[top : top + side, left : left + side].copy()))


def ways(jobs: int) -> dict[str, list[str]]:
    """The arguments of each way."""
    found = {
        "one process, all cores": [],
        "one process, one thread": ["--threads", "1"],
        f"--jobs {jobs}": ["--jobs", str(jobs)],
    }
    if find_spec("ray") is None:
        print("Ray is not installed: it is left out.", file=sys.stderr)
    else:
        found[f"--ray, {jobs} workers"] = ["--jobs", str(jobs), "--ray", "local"]
    return found


def run(source: Path, output: Path, arguments: list[str]) -> tuple[float, float]:
    """Seconds of the whole command, and from its first result to its last."""
    command = [sys.executable, "-m", "undegrade", "restore", str(source), "-o", str(output), "--task", "gaussian"]
    started = time.perf_counter()
    subprocess.run([*command, "--device", "cpu", *arguments], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    times = [path.stat().st_mtime for path in output.iterdir()]
    return seconds, max(times) - min(times)


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="pictures to restore (default: 1000)")
    parser.add_argument("--side", type=int, default=256, help="of each picture, in pixels")
    parser.add_argument("--jobs", type=int, default=2, help="processes, and workers of Ray (default: 2)")
    parser.add_argument("--turns", type=int, default=1, help="times that each way restores them (default: 1)")
    args = parser.parse_args()
    if args.files < 2:
        parser.error("give at least 2 files")
    with tempfile.TemporaryDirectory() as name:
        source, single = Path(name) / "in", Path(name) / "single"
        make(source, args.files, args.side)
        run(source, single, ["--threads", "1"])
        known: dict[str, list[tuple[float, float]]] = {way: [] for way in ways(args.jobs)}
        for _ in range(args.turns):
            for way, arguments in ways(args.jobs).items():
                output = Path(name) / "out"
                known[way].append(run(source, output, arguments))
                if not same(single, output):
                    print(f"{way}: its results differ from those of one thread.", file=sys.stderr)
                shutil.rmtree(output)
    pixels = args.files * args.side**2 / 1e6
    print(f"\n{args.files} pictures of {args.side} x {args.side}, gaussian-fast, {usable_cores()} cores, "
          f"{args.turns} turn(s)\n")  # fmt: skip
    print("| way | whole, s | files/s | at work, files/s | MPix/s | beside one process |\n|:--|--:|--:|--:|--:|--:|")
    base = None
    for way, times in known.items():
        whole, busy = (statistics.median(column) for column in zip(*times, strict=True))
        rate = (args.files - 1) / busy
        base = base or rate
        print(f"| {way} | {whole:.1f} | {args.files / whole:.2f} | {rate:.2f} | {rate * pixels / args.files:.3f} | "
              f"{rate / base:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
