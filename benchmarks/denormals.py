"""A Muon step over weights part of which have no gradient any more: python benchmarks/denormals.py --help

The restorer of a fast model has ten such convolutions, 96 x 96 x 3 x 3. A fifth of the filters of each is behind a
ReLU that stopped firing some hundred steps ago: their momentum has shrunk to 1e-20. Measured in turns within one run,
on one thread, with denormal numbers kept and taken for zero, in float32 and, where the CPU can, in bfloat16.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext

import torch

from undegrade.train.cpu import denormals_as_zero
from undegrade.train.muon import Muon

COUNT, CHANNELS, DEAD = 10, 96, 0.2


def optimizer() -> Muon:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.zeros(CHANNELS, CHANNELS, 3, 3)) for _ in range(COUNT)]
    muon = Muon(weights, lr=1e-3)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator) * 1e-3
        weight.grad[: int(DEAD * CHANNELS)] = 0
        momentum = torch.randn(weight.shape, generator=generator) * 1e-2
        momentum[: int(DEAD * CHANNELS)] *= 1e-18
        muon.state[weight]["momentum"] = momentum
    return muon


def main(repeats: int = 10) -> None:
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats + 1):
        for kept in (True, False):
            muon = optimizer()
            with nullcontext() if kept else denormals_as_zero():
                started = time.perf_counter()
                muon.step()
                took = time.perf_counter() - started
            seconds.setdefault(f"denormals {'kept' if kept else 'zero'}", []).append(took)
    base = seconds["denormals zero"][1:]
    print(f"{'way':<26} {'ms':>7} {'ratio':>7} {'lowest':>7} {'highest':>7}")
    for way, all_of_it in seconds.items():
        times = all_of_it[1:]  # the first turn warms up
        ratios = sorted(t / b for t, b in zip(times, base, strict=True))
        print(
            f"{way:<26} {1e3 * sorted(times)[len(times) // 2]:7.1f} {ratios[len(ratios) // 2]:7.2f} "
            f"{ratios[0]:7.2f} {ratios[-1]:7.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", type=int, nargs="?", default=10, help="how often each step is timed (default: 10)")
    main(max(parser.parse_args().repeats, 1))
