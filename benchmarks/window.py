"""How much memory a window takes per pixel while it is encoded and restored, by restorer: ``bytes_per_pixel`` in
its description (``undegrade.model.restorers``).

    python benchmarks/window.py

Each measurement is a process of its own; the figure is the slope between two sizes, so that what Python and torch
themselves take is not in it. Linux, CPU, one thread.

``--tiles 512 768`` prints instead the CPU time per pixel of a tile of these sides within a large picture, restored
from a given latent by the engines other than torch; beside it, where the restorer can leave some out, that of the whole
window.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from undegrade.inference.onnx_engine import OnnxEngine
    from undegrade.model.vdir import VDIR

SIDES = (320, 640)
ENGINES = ["compiled", "onnx", "torch"]


def measure(engine: str, restorer: str, scale: int, side: int) -> int:
    """Peak resident bytes of a process that restores one window."""
    import torch

    from undegrade.inference.pipeline import Pipeline
    from undegrade.inference.torch_engine import TorchEngine
    from undegrade.model.architecture import Architecture
    from undegrade.model.vdir import VDIR
    from undegrade.tasks import TASKS

    torch.set_num_threads(1)
    task = TASKS["gaussian" if scale == 1 else f"sr-x{scale}"]
    architecture = Architecture(restorer=restorer, scale=scale, params=1 if scale == 1 else 3)
    model = VDIR(architecture).requires_grad_(False)
    used = TorchEngine(model) if engine == "torch" else on_arrays(engine)(architecture, arrays_of(model), 1)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Pipeline(used, task)(image, tile=side)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def on_arrays(engine: str) -> type[OnnxEngine]:
    """The engine that needs no torch, by name."""
    from undegrade.inference.compiled_engine import CompiledEngine
    from undegrade.inference.onnx_engine import OnnxEngine

    return CompiledEngine if engine == "compiled" else OnnxEngine


def arrays_of(model: VDIR) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def of_tiles(name: str, restorer: str, sides: list[int], turns: int) -> None:
    """Print the time per pixel of tiles."""
    from undegrade.model.architecture import Architecture
    from undegrade.model.part import Part
    from undegrade.model.vdir import VDIR

    architecture = Architecture(restorer=restorer, params=3)
    model = VDIR(architecture).requires_grad_(False)
    engine = on_arrays(name)(architecture, arrays_of(model), 1)
    halo, random = engine.reaches.restore, np.random.default_rng(0)

    def seconds(side: int, part: Part | None) -> float:
        window = side + 2 * halo
        y = random.random((1, 3, window, window), np.float32)
        c = random.random((1, 4, window // 4, window // 4), np.float32)
        started = time.process_time()
        engine.restore(y, c, part)
        return (time.process_time() - started) / side**2 * 1e6

    print(f"\n{restorer}, {name}, halo {halo}, {turns} turn(s)\n")
    print("| tile | window | s per MPix | whole window |\n|--:|--:|--:|--:|")
    found: dict[int, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(turns):
        for side in sides:
            place = (halo, halo + side)
            whole = float("nan") if engine.last_reach is None else seconds(side, None)
            found[side].append((seconds(side, Part(place, place)), whole))
    for side, times in found.items():
        part, whole = np.median(times, axis=0)
        print(f"| {side} | {side + 2 * halo} | {part:.2f} | {'' if np.isnan(whole) else f'{whole:.2f}'} |", flush=True)


def main() -> int:
    if len(sys.argv) == 5 and not sys.argv[1].startswith("-"):  # one of the processes
        print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--tiles", type=int, nargs="+", metavar="SIDE", help="instead the time of such tiles")
    parser.add_argument("--restorer", choices=("fast", "wide"), default="wide", help="of the tiles (default: wide)")
    parser.add_argument("--turns", type=int, default=3, help="times that each tile is restored (default: 3)")
    args = parser.parse_args()
    engines = args.engines
    if args.tiles:
        for engine in engines:
            if engine != "torch":
                of_tiles(engine, args.restorer, args.tiles, args.turns)
        return 0
    from undegrade.inference.compiled import has_form
    from undegrade.inference.graphs import has_graphs
    from undegrade.model.architecture import Architecture
    from undegrade.model.restorers import RESTORERS

    for restorer, scale in ((name, scale) for name, d in RESTORERS.items() for scale in d.scales):
        for engine in engines:
            architecture = Architecture(restorer=restorer, scale=scale, params=3)
            if engine != "torch" and not has_graphs(architecture):
                continue
            if engine == "compiled" and not has_form(architecture):
                continue
            sides = [s // scale for s in SIDES]
            peaks = []
            for side in sides:
                command = [sys.executable, __file__, engine, restorer, str(scale), str(side)]
                peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
            slope = (peaks[1] - peaks[0]) / (sides[1] ** 2 - sides[0] ** 2)
            print(f"{restorer:7s} x{scale} {engine:8s}: {slope:6.0f} bytes per input pixel", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
