"""Speed of every engine and model, as shares of what the machine can do: python benchmarks/speed.py [--sizes 0.26 12]

Everything is measured in turns within one run, so that a busy machine slows all alike: compare the ratios. The peak is
that of a matrix product (1024 x 1024, float32), measured before every turn. Models that have an int8 form are measured
in it too (`--draft`). Int8 and the compiled kernels go beyond that peak: it counts the multiplications of direct
convolution. Yardsticks: FFDNet's network with random weights, and OpenCV's
non-local means, which needs `pip install 'undegrade[benchmark]'`. `--file` adds a JPEG of 12 megapixels, read, restored
and written; `--start` adds the CPU time of the command until its first result. `--linear` prints instead the time per
pixel of growing pictures, each in turn with the smallest.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from undegrade.errors import UndegradeError
from undegrade.inference.engines import EngineName
from undegrade.inference.load import load_pipeline
from undegrade.inference.machine import usable_cores
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.vdir import VDIR
from undegrade.train.flops import multiply_adds_per_pixel
from undegrade.weights.card import shipped_cards

sys.path.insert(0, str(Path(__file__).parent))
from memory import photo

SIDE = 1024


def peak(threads: int) -> float:
    """GFLOP/s of a matrix product, the best of a few."""
    torch.set_num_threads(threads)
    a = torch.rand(SIDE, SIDE)
    return max(2 * SIDE**3 / 1e9 / seconds(lambda: a @ a) for _ in range(8))


clock = time.perf_counter
"""``--cpu-time`` replaces it."""


def seconds(work: Callable[[], object]) -> float:
    started = clock()
    work()
    return clock() - started


def ways(
    models: list[str], engines: list[str], threads: int
) -> dict[str, tuple[Callable[[np.ndarray], object], float]]:
    """What is measured: a function of an image, and its multiply-adds per pixel (0: not counted)."""
    found: dict[str, tuple[Callable[[np.ndarray], object], float]] = {}
    for card in shipped_cards():
        if models and card.name not in models:
            continue
        for engine in engines:
            try:
                pipeline = load_pipeline(card.task, card.variant, device="cpu", engine=engine, threads=threads)
            except UndegradeError as error:  # there is no compiler
                print(f"{card.name}, {engine}: {error}", file=sys.stderr)
                continue
            found[f"{card.name}, {engine}"] = pipeline, multiply_adds_per_pixel(pipeline.architecture)
        if "onnx" not in engines:
            continue
        try:
            draft = load_pipeline(card.task, card.variant, threads=threads, draft=True)
        except UndegradeError:  # no int8 form is shipped, or none serves on this CPU
            continue
        found[f"{card.name}, int8"] = draft, multiply_adds_per_pixel(draft.architecture)
    alone = Architecture(restorer="ffdnet", conditioning=Conditioning.NONE)
    torch.manual_seed(0)
    ffdnet = TorchEngine(VDIR(alone))
    # The chain alone, without the encoder that a model of this project has besides it.
    zeros = np.zeros((1, 4, 1, 1), np.float32)
    found["FFDNet's chain, torch"] = (
        lambda x: ffdnet.restore(ffdnet.to_model(x[:2048, :2048].astype(np.float32) / 255), zeros),
        chain_multiply_adds(ffdnet.model),
    )
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed: its non-local means are left out.", file=sys.stderr)
    else:
        cv2.setNumThreads(threads)
        found["OpenCV non-local means"] = lambda x: cv2.fastNlMeansDenoisingColored(x[:2048, :2048], None, 10, 10), 0
    return found


def chain_multiply_adds(model: VDIR) -> float:
    """Per pixel of a network at half the resolution."""
    return sum(p.numel() for n, p in model.restorer.named_parameters() if n.endswith("weight")) / 4


def measured_pixels(name: str, image: np.ndarray) -> int:
    """The yardsticks are given a part of the largest pictures: their time is linear, their memory too."""
    ours = name.endswith((*(f", {engine}" for engine in EngineName), ", int8")) and "chain" not in name
    part = image if ours else image[:2048, :2048]
    return part.shape[0] * part.shape[1]


def picture(megapixels: float) -> np.ndarray:
    """Of that size, 4:3, or square for the quarter of a megapixel."""
    return photo(1)[:512, :512].copy() if round(megapixels * 1e6) == 512 * 512 else photo(megapixels)


def table(models: list[str], engines: list[str], megapixels: float, threads: int, repeats: int) -> None:
    """Print one table."""
    image = picture(megapixels)
    chosen = ways(models, engines, threads)
    speeds: dict[str, list[float]] = {name: [] for name in chosen}
    shares: dict[str, list[float]] = {name: [] for name in chosen}
    peaks = []
    small = image[:64, :64].copy()
    for run, _ in chosen.values():
        run(small)
    for _ in range(repeats):
        peaks.append(peak(threads))
        for name, (run, multiply_adds) in chosen.items():
            torch.set_num_threads(threads)
            pixels = measured_pixels(name, image)
            speed = pixels / 1e6 / seconds(lambda run=run: run(image))
            speeds[name].append(speed)
            shares[name].append(2 * multiply_adds * speed / 1e3 / peaks[-1])
    print(f"\n{image.shape[1]} x {image.shape[0]}, {threads} thread(s), {repeats} turn(s); "
          f"matrix product {np.median(peaks):.0f} GFLOP/s\n")  # fmt: skip
    print("| what | MPix/s | GFLOP/s | share of the peak |\n|:--|--:|--:|--:|")
    for name, (_, multiply_adds) in chosen.items():
        speed = float(np.median(speeds[name]))
        counted = f"{2 * multiply_adds * speed / 1e3:.1f} | {100 * np.median(shares[name]):.0f} %"
        print(f"| {name} | {speed:.3f} | {counted if multiply_adds else '- | -'} |", flush=True)


def file(threads: int) -> None:
    """A JPEG of 12 megapixels from file to file, beside the same pixels in memory."""
    from undegrade.files.plan import Job
    from undegrade.files.restore_file import FileOptions, restore_file
    from undegrade.image import Format, Picture, write
    from undegrade.inference.select_task import Choice

    pipeline: Pipeline = load_pipeline("gaussian", "fast", device="cpu", threads=threads)
    with tempfile.TemporaryDirectory() as name:
        source, output = Path(name) / "in.jpg", Path(name) / "out.jpg"
        write(source, Picture(photo(12), format=Format.JPEG))
        best = peak(threads)
        outcome = restore_file(Job(source, output), FileOptions(), lambda pixels, quality, looking: Choice(pipeline))
    assert outcome.reason is None, outcome.reason
    share = 2 * multiply_adds_per_pixel(pipeline.architecture) * 12 / 1e3 / outcome.seconds / best
    print(f"\nA JPEG of 12 megapixels, gaussian-fast, {pipeline.engine.software}, {threads} thread(s), file to file: "
          f"{outcome.seconds:.1f} s, {12 / outcome.seconds:.3f} MPix/s, {100 * share:.0f} % of the peak")  # fmt: skip


_STARTS = 7


def start() -> None:
    """CPU time of the command line, median and range of seven runs in turns: its help, and files.

    The modules are compiled, as they are installed.
    """
    with tempfile.TemporaryDirectory() as name:
        from undegrade.image import Picture, write

        compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        compiled["PYTHONPYCACHEPREFIX"] = name + "/compiled"

        def run(arguments: list[str]) -> float:
            command = [sys.executable, "-m", "undegrade", *arguments]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=compiled)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        image = picture(512 * 512 / 1e6)
        ways = {"--help": ["--help"]}
        for side in (16, 512):
            source = Path(name) / f"{side}.png"
            write(source, Picture(image[:side, :side].copy()))
            ways[f"restore of {side} x {side}"] = ["restore", str(source), "-o", name + "/out"]
        ways["the same, --task gaussian"] = [*ways["restore of 512 x 512"], "--task", "gaussian"]
        run(ways["restore of 16 x 16"])  # compile
        seconds: dict[str, list[float]] = {what: [] for what in ways}
        for _ in range(_STARTS):
            for what, arguments in ways.items():
                seconds[what].append(run(arguments))
        # The kernels too, into a folder of their own: once for a machine.
        compiled["UNDEGRADE_CACHE"] = name + "/kernels"
        seconds["restore of 16 x 16, kernels to be compiled"] = [run(ways["restore of 16 x 16"])]
        for what, each in seconds.items():
            print(f"undegrade {what}: {statistics.median(each):.2f} s CPU ({min(each):.2f} to {max(each):.2f})")


def linear(models: list[str], sizes: list[float], threads: int, repeats: int) -> None:
    """Print the time per pixel of growing pictures, with the usual engine.

    The smallest is restored before and after each larger one, as often as it takes for a comparison within the same
    minutes: on a busy machine the ratio holds where the times do not.
    """
    smallest, *larger = sorted(sizes)
    print(f"\nTime per pixel beside that of {smallest:g} megapixels, {threads} thread(s), {repeats} turn(s)\n")
    print("| model | megapixels | s per megapixel | beside the smallest |\n|:--|--:|--:|--:|")
    for card in shipped_cards():
        if card.name not in (models or ["gaussian-fast"]):
            continue
        pipeline = load_pipeline(card.task, card.variant, device="cpu", threads=threads)
        base = photo(smallest)
        pipeline(base[:64, :64].copy())
        for megapixels in larger:
            image = photo(megapixels)
            each, ratios = [], []
            for _ in range(repeats):
                before = seconds(lambda pipeline=pipeline, base=base: pipeline(base)) / base[..., 0].size
                this = seconds(lambda pipeline=pipeline, image=image: pipeline(image)) / image[..., 0].size
                after = seconds(lambda pipeline=pipeline, base=base: pipeline(base)) / base[..., 0].size
                each.append(this * 1e6)
                ratios.append(2 * this / (before + after))
            print(f"| {card.name} | {megapixels:g} | {np.median(each):.2f} | {np.median(ratios):.3f} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--sizes",
        type=float,
        nargs="*",
        default=[0.262144, 12.0, 48.0],
        metavar="MP",
        help="megapixels of the pictures; none without a number (default: 0.26 12 48)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, usable_cores()}),
        metavar="N",
        help="of the CPU (default: one, and all cores)",
    )
    parser.add_argument("--models", nargs="*", default=[], metavar="NAME", help="shipped models (default: all)")
    names = list(EngineName)
    parser.add_argument("--engines", nargs="+", choices=names, default=names, help="int8 goes with onnx (default: all)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="turns (default: 3)")
    parser.add_argument("--file", action="store_true", help="also a JPEG of 12 megapixels, from file to file")
    parser.add_argument("--start", action="store_true", help="also the CPU time of starting the command")
    parser.add_argument(
        "--linear", type=float, nargs="+", metavar="MP", help="instead the time per pixel of growing pictures: 1 10 100"
    )
    parser.add_argument(
        "--cpu-time", action="store_true", help="CPU time instead of the clock's: of one thread beside other work"
    )
    args = parser.parse_args()
    if args.cpu_time:
        global clock
        clock = time.process_time
    print(f"{os.cpu_count()} CPUs, of which {usable_cores()} may be used; torch {torch.__version__}")
    if args.start:
        start()
    for threads in args.threads:
        if args.linear:
            linear(args.models, args.linear, threads, args.repeats)
            continue
        for megapixels in args.sizes:
            table(args.models, args.engines, megapixels, threads, args.repeats)
        if args.file:
            file(threads)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
