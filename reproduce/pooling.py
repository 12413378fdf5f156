"""How far the restorer's latent is moved towards its mean over the picture, and what that brings.

PSNR in dB, means over the centres of the held-out pictures, for each share of pooling: the cases that training watches,
and noise of which one half of the picture has none. The weights are the same; they were trained as their card says.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import study
import torch
from torch import Tensor

from undegrade.degrade import AdditiveNoise, Degradation
from undegrade.degrade.base import Degraded, Generator
from undegrade.evaluation.markdown import number
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.train.validate import centre_crops, own_crops
from undegrade.weights.card import find_weights, load_weights

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class LeftHalf(Degradation):
    """Another degradation, of the left half alone."""

    whole: Degradation

    @property
    def quantity(self):  # type: ignore[no-untyped-def]
        return self.whole.quantity

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        found = self.whole(x, generator)
        half = x.shape[-1] // 2
        return Degraded(torch.cat([found.image[..., :half], x[..., half:]], -1), found.params)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="held-out pictures")
    parser.add_argument("--weights", type=Path, help="of universal (default: the shipped ones)")
    parser.add_argument("--side", type=int, default=192, metavar="N", help="of the centres (default: 192)")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these")


def run(args: argparse.Namespace) -> int:
    task = TASKS["universal"]
    model, _ = load_weights(args.weights or find_weights("universal", tuple(task.variants)))
    crops = centre_crops(args.folder, 3, args.side, "cpu")
    own = own_crops(task, args.folder, 3, args.side, "cpu")
    half = {"noise 25, left half": LeftHalf(AdditiveNoise((25, 25)))}
    study.print_header(("case", *(f"{share:g}" for share in SHARES)))
    for name, degradation in {**task.validation, **half}.items():
        if args.cases and name not in args.cases:
            continue
        rows = list(psnrs(model, degradation, own.get(name, crops)))
        study.print_line((name, *(number(float(v), 2) for v in torch.tensor(rows).mean(0))))
    return 0


@torch.inference_mode()
def psnrs(model: VDIR, degradation: Degradation, crops: Tensor) -> Iterator[list[float]]:
    """Of each crop, for each share; results in 8 bits."""
    generator = torch.Generator().manual_seed(0)
    for x in crops.split(1):
        y = degradation(x, generator).image
        posterior = model.encode(y)
        found = []
        for share in SHARES:
            model.architecture = replace(model.architecture, pooling=share)
            xhat = model.restore(y, model.pooled(posterior).mean).clamp(0, 1).mul(255).round().div(255)
            found.append(float(-10 * (xhat - x).square().mean().clamp(min=1e-7).log10()))
        yield found


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
