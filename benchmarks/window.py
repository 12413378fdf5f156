"""How much memory a window takes per pixel while it is restored, by kind of network, for
``undegrade.inference.engine``.

    python benchmarks/window.py

Each measurement is a process of its own; the figure is the slope between two sizes, so that what Python and torch
themselves take is not in it. Linux, CPU, one thread.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

SIDES = (320, 640)


def measure(kind: str, scale: int, side: int) -> int:
    """Peak resident bytes of a process that restores one window."""
    import torch

    from undegrade.inference.engine import Engine
    from undegrade.model.vdir import VDIR, Architecture, Kind

    torch.set_num_threads(1)
    architecture = Architecture(kind=Kind(kind), scale=scale)
    engine = Engine(VDIR(architecture), torch.device("cpu"))
    y = torch.rand(1, architecture.channels, side, side)
    posterior = engine.encode(y)
    engine.restore(y, posterior.mean)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    if len(sys.argv) > 1:
        kind, scale, side = sys.argv[1:]
        print(json.dumps(measure(kind, int(scale), int(side))))
        return 0
    for kind, scale in (*((kind, s) for kind in ("fast", "full") for s in (1, 2, 4)), ("ffdnet", 1)):
        sides = [s // scale for s in SIDES]
        peaks = [
            int(subprocess.run([sys.executable, __file__, kind, str(scale), str(s)], capture_output=True, text=True,
                               check=True).stdout)
            for s in sides
        ]  # fmt: skip
        slope = (peaks[1] - peaks[0]) / (sides[1] ** 2 - sides[0] ** 2)
        print(f"{kind:7s} x{scale}: {slope:6.0f} bytes per input pixel")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
