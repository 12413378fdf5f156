"""How much memory a window takes per pixel while it is restored, by restorer: ``bytes_per_pixel`` in
its description (``undegrade.model.restorers``).

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


def measure(restorer: str, scale: int, side: int) -> int:
    """Peak resident bytes of a process that restores one window."""
    import torch

    from undegrade.inference.engine import Engine
    from undegrade.model.architecture import Architecture
    from undegrade.model.vdir import VDIR

    torch.set_num_threads(1)
    architecture = Architecture(restorer=restorer, scale=scale)
    engine = Engine(VDIR(architecture), torch.device("cpu"))
    y = torch.rand(1, architecture.channels, side, side)
    posterior = engine.encode(y)
    engine.restore(y, posterior.mean)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    if len(sys.argv) > 1:
        restorer, scale, side = sys.argv[1:]
        print(json.dumps(measure(restorer, int(scale), int(side))))
        return 0
    from undegrade.model.restorers import RESTORERS

    for restorer, scale in ((name, scale) for name, d in RESTORERS.items() for scale in d.scales):
        sides = [s // scale for s in SIDES]
        peaks = [
            int(subprocess.run([sys.executable, __file__, restorer, str(scale), str(s)], capture_output=True, text=True,
                               check=True).stdout)
            for s in sides
        ]  # fmt: skip
        slope = (peaks[1] - peaks[0]) / (sides[1] ** 2 - sides[0] ** 2)
        print(f"{restorer:7s} x{scale}: {slope:6.0f} bytes per input pixel")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
