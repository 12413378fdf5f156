"""How strong the camera's noise is on photographs, as CBDNet draws it and as `real` is trained, and what it costs.

    python reproduce/camera.py HELD_OUT

Prints the PSNR of noisy 128x128 crops (four draws of each image) that a tenth, a quarter, half, three quarters and nine
tenths of them stay below, and the CPU time of one batch of 12 x 64x64 on one thread. A few seconds. Expected on the
held-out images that `real` was set up with: medians of 22.0 and 31.8 dB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from undegrade.degrade import CameraNoise
from undegrade.tasks import TASKS
from undegrade.train.validate import centre_crops


def main() -> None:
    torch.set_num_threads(1)
    x = centre_crops(Path(sys.argv[1]), 3, 128, "cpu").repeat(4, 1, 1, 1)
    batch = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for name, noise in (("CBDNet's ranges", CameraNoise()), ("real", TASKS["real"].degradation)):
        y = noise(x, torch.Generator().manual_seed(0)).image
        psnr = -10 * (y - x).square().flatten(1).mean(1).log10()
        found = torch.quantile(psnr, torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])).tolist()
        generator, times = torch.Generator().manual_seed(0), []
        for _ in range(41):
            started = time.process_time()
            noise(batch, generator)
            times.append(time.process_time() - started)
        print(
            f"{name}: {'  '.join(f'{v:.1f}' for v in found)} dB; {1e3 * sorted(times)[20]:.1f} ms of CPU time per batch"
        )


if __name__ == "__main__":
    main()
