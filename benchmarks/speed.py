"""Speed of the restorers on a 768x512 image, side by side: python benchmarks/speed.py [repeats] [threads]

All are measured in turns within one run, so that a busy machine slows them alike; the ratios to the full
model are what to compare. Weights do not matter for speed, so they are random.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

WAYS = {name: (Architecture(restorer=name), False) for name in RESTORERS}
WAYS["ffdnet alone"] = (Architecture(restorer="ffdnet", conditioning=Conditioning.NONE), False)
WAYS["fast, --half"] = (Architecture(restorer="fast"), True)
HEIGHT, WIDTH = 512, 768


def main(repeats: int = 5, threads: int | None = None) -> None:
    """Print MPix/s (median, lowest to highest) and the ratio to the full model of the same turn."""
    if threads is not None:
        torch.set_num_threads(threads)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pipelines = {
        way: Pipeline(VDIR(architecture), TASKS["gaussian"], half=half) for way, (architecture, half) in WAYS.items()
    }
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(repeats + 1):
        for way, pipeline in pipelines.items():
            started = time.perf_counter()
            pipeline(image)
            if turn > 0:  # the first turn warms up
                speeds[way].append(HEIGHT * WIDTH / 1e6 / (time.perf_counter() - started))
    print(f"{WIDTH}x{HEIGHT}, {torch.get_num_threads()} threads, {repeats} repeats; encoder and estimator included")
    print(f"{'restorer':<14} {'MPix/s':>8} {'lowest':>8} {'highest':>8} {'x full':>8} {'lowest':>8} {'highest':>8}")
    for way, measured in speeds.items():
        ratios = np.array(measured) / np.array(speeds["full"])
        numbers = [np.median(measured), min(measured), max(measured), np.median(ratios), ratios.min(), ratios.max()]
        print(f"{way:<14} " + " ".join(f"{n:8.3f}" for n in numbers))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
