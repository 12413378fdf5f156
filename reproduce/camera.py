"""How strong the camera's noise is on photographs, as CBDNet draws it and as `real` is trained, and what it costs.

Prints the PSNR of noisy 128x128 crops (four draws of each image) that a tenth, a quarter, half, three quarters and nine
tenths of them stay below, and the CPU time of one batch of 12 x 64x64 on one thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import study
import torch

from undegrade.degrade import CameraNoise
from undegrade.evaluation.markdown import number
from undegrade.tasks import TASKS
from undegrade.train.validate import centre_crops

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
REPEATS = 41


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="held-out clean images")


def run(args: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    x = centre_crops(args.folder, 3, 128, "cpu").repeat(4, 1, 1, 1)
    batch = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    study.print_header(("noise", *(f"{share:.0%} below (dB)" for share in SHARES), "CPU time per batch (ms)"))
    for name, noise in (("CBDNet's ranges", CameraNoise()), ("real", TASKS["real"].degradation)):
        y = noise(x, torch.Generator().manual_seed(0)).image
        psnr = -10 * (y - x).square().flatten(1).mean(1).log10()
        found = torch.quantile(psnr, torch.tensor(SHARES)).tolist()
        generator, times = torch.Generator().manual_seed(0), []
        for _ in range(REPEATS):
            started = time.process_time()
            noise(batch, generator)
            times.append(1e3 * (time.process_time() - started))
        study.print_line([name, *(number(v, 1) for v in (*found, sorted(times)[REPEATS // 2]))])
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
