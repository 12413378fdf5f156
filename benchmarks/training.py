"""Pixels that training sees in a second, by each way to convolve: python benchmarks/training.py --help

All ways (undegrade.train.selection.PATHS) take steps in turns within one run, so that other work on the machine slows
them alike. A line shows the best and the median step, pixels per second of the best, pixels per second of CPU time of
one core (which other work hardly changes), and the best step's arithmetic as a share of what products of 1024 x 1024
matrices reach on the same threads, in bfloat16 or float32. --losses prints the mean losses of that many steps side by
side, from the same start on the same data, in ten lines. The images are blobs, the weights fresh: neither matters for
speed. --profile prints in which operators a step of each way spends its time. Several batches and patches are measured
one after another: the first release trained with crops of 64, as in `--batch 12 8 --patch 64 96`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.native import NotCompiled
from undegrade.tasks import TASKS
from undegrade.tasks.recipe import Recipe
from undegrade.train.cpu import denormals_as_zero, keep_memory, multiplies_bfloat16
from undegrade.train.flops import flops_per_step
from undegrade.train.selection import PATHS
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer


def smooth_images(count: int = 8, side: int = 512) -> TrainingImages:
    """Pictures of soft blobs, so that there is something to learn."""
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.random((count, 3, side // 16, side // 16), np.float32))
    large = torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic")
    return TrainingImages([(255 * i.clamp(0, 1)).byte().permute(1, 2, 0).numpy() for i in large])


def matrix_peak(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a product of square matrices, the best of a second."""
    a = torch.randn(1024, 1024).to(dtype)
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < 1:
        before = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - before)
    return 2 * 1024**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="gaussian", help="default: gaussian")
    parser.add_argument("--variant", default="fast", help="of the task (default: fast)")
    parser.add_argument("--recipe", default="cpu", help="of the variant (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: 1)")
    parser.add_argument("--batch", type=int, nargs="+", help="crops of a step (default: the recipe's)")
    parser.add_argument(
        "--patch", type=int, nargs="+", help="side of the crops, as many as batches (default: the recipe's)"
    )
    parser.add_argument(
        "--restorer", action="store_true", help="train the restorer only; encoder, decoder and estimator are frozen"
    )
    parser.add_argument("--turns", type=int, default=7, help="steps that are timed of each way (default: 7)")
    parser.add_argument(
        "--losses", type=int, default=0, metavar="STEPS", help="print the losses of so many steps of each way"
    )
    parser.add_argument("--profile", action="store_true", help="print where the time of a step goes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    task = TASKS[args.task]
    usual = task.recipes[args.variant][args.recipe]
    batches, patches = args.batch or [usual.batch], args.patch or [usual.patch]
    if len(batches) != len(patches):
        parser.error("give as many --patch as --batch")
    frozen = 0 if args.restorer else None
    sizes = [
        replace(usual, freeze_latent_from=frozen, latent_warmup_steps=0, batch=batch, patch=patch)
        for batch, patch in zip(batches, patches, strict=True)
    ]
    images = smooth_images()

    def trainers(recipe: Recipe) -> dict[str, Trainer]:
        found = {}
        for name, path in PATHS.items():
            if path.half and not multiplies_bfloat16():
                continue
            trainer = Trainer(task.variants[args.variant], Synthetic(images, task.degradation, recipe.grey), recipe)
            try:
                trainer.use(name)
            except NotCompiled as error:
                print(f"{name}: {error}")
                continue
            found[name] = trainer
        return found

    for recipe in sizes:
        made = trainers(recipe)
        measure(made, recipe, args)
        if args.profile:
            profile(made)
    if args.losses:
        compare(trainers(sizes[-1]), args.losses)


def measure(trainers: dict[str, Trainer], recipe: Recipe, args: argparse.Namespace) -> None:
    wall: dict[str, list[float]] = {name: [] for name in trainers}
    cpu: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(args.turns + 1):
        for name, trainer in trainers.items():
            before = time.perf_counter(), time.process_time()
            trainer.step()
            if turn:  # the first warms up
                wall[name].append(time.perf_counter() - before[0])
                cpu[name].append(time.process_time() - before[1])
    peaks = {True: matrix_peak(torch.bfloat16), False: matrix_peak(torch.float32)}
    pixels = recipe.batch * recipe.patch**2
    flops = flops_per_step(next(iter(trainers.values())).architecture, recipe, args.restorer)
    parts = "the restorer alone" if args.restorer else "all parts"
    size = f"{recipe.batch} x {recipe.patch} x {recipe.patch}"
    print(f"{args.task} {args.variant}, {size}, {args.threads} threads, {parts}")
    print(f"matrix products: bfloat16 {peaks[True] / 1e9:.0f}, float32 {peaks[False] / 1e9:.0f} GFLOP/s")
    print(f"{'way':<10} {'best ms':>8} {'median':>8} {'kpixel/s':>9} {'a CPU s':>8} {'GFLOP/s':>8} {'share':>6}")
    for name in trainers:
        best, fastest = min(wall[name]), min(cpu[name])
        share = flops / best / peaks[PATHS[name].half]
        median = sorted(wall[name])[len(wall[name]) // 2]
        print(
            f"{name:<10} {1e3 * best:8.1f} {1e3 * median:8.1f} {pixels / best / 1e3:9.0f} "
            f"{pixels / fastest / 1e3:8.0f} {flops / best / 1e9:8.0f} {share:6.1%}"
        )


def profile(trainers: dict[str, Trainer]) -> None:
    """The operators that take most of a step's time on the CPU, without the operators that they call."""
    for name, trainer in trainers.items():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
            trainer.step()
        rows = sorted(found.key_averages(), key=lambda row: row.self_cpu_time_total, reverse=True)
        whole = sum(row.self_cpu_time_total for row in rows)
        print(f"{name}: " + ", ".join(f"{row.key} {row.self_cpu_time_total / whole:.1%}" for row in rows[:8]))


def compare(trainers: dict[str, Trainer], steps: int) -> None:
    print("\nmean loss up to step " + " ".join(f"{name:>10}" for name in trainers))
    total = TERMS.index("total")
    every = max(steps // 10, 1)
    for last in range(every, steps + 1, every):
        means = [torch.stack([t.step() for _ in range(every)])[:, total].mean().item() for t in trainers.values()]
        print(f"{last:<20} " + " ".join(f"{mean:10.5f}" for mean in means))


if __name__ == "__main__":
    with denormals_as_zero():
        keep_memory()
        main()
