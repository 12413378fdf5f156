"""How far the restorer's latent is moved towards its mean over the picture, and what that brings.

PSNR in dB, means over the centres of the held-out pictures, for each share of pooling: the cases that training watches,
and noise of which one half of the picture has none. The weights are the same; they were trained as their card says.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import study
import torch
from torch import Tensor

from undegrade.degrade import AdditiveNoise, Degradation, Quantity
from undegrade.degrade.base import Degraded, Generator
from undegrade.evaluation.markdown import number
from undegrade.tasks import TASKS
from undegrade.train.validate import Validation, centre_crops, own_crops
from undegrade.weights.card import find_weights, load_weights

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class LeftHalf(Degradation):
    """Another degradation, of the left half alone."""

    whole: Degradation

    @property
    def quantity(self) -> Quantity:  # type: ignore[override]
        return self.whole.quantity

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        found = self.whole(x, generator)
        half = x.shape[-1] // 2
        return Degraded(torch.cat([found.image[..., :half], x[..., half:]], -1), found.params)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="held-out pictures")
    parser.add_argument("--weights", type=Path, help="of any task (default: those shipped for universal)")
    parser.add_argument("--side", type=int, default=192, metavar="N", help="of the centres (default: 192)")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these")


def run(args: argparse.Namespace) -> int:
    model, card = load_weights(args.weights or find_weights("universal", tuple(TASKS["universal"].variants)))
    task, channels = TASKS[card.task], model.architecture.channels
    cases: dict[str, Degradation] = dict(task.validation)
    if task.name == "universal":
        cases["noise 25, left half"] = LeftHalf(AdditiveNoise((25, 25)))
    cases = {name: case for name, case in cases.items() if not args.cases or name in args.cases}
    own = own_crops(task, args.folder, channels, args.side, "cpu")
    watched = Validation(centre_crops(args.folder, channels, args.side, "cpu"), cases, estimated=False, own=own)
    found = []
    for share in SHARES:
        model.architecture = replace(model.architecture, pooling=share)
        found.append(watched.measure(model))
    study.print_header(("case", *(f"{share:g}" for share in SHARES)))
    for name in cases:
        study.print_line((name, *(number(rows[f"psnr/{name}"], 2) for rows in found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
