"""Does a cooldown reach what a cosine of the same length reaches? A small experiment:

    python training/cooldowns.py TRAIN VAL [--steps 2400] [--share 0.25] [--seed 0] [--threads 1]

The fast restorer without a latent learns white noise from nothing, 4 crops of 64 x 64 a step, by Muon. All ways take
the same number of steps, on the same data: one by a cosine; one at a constant rate, from whose state at 1 - share of
the steps a linear cooldown and one by 1 - sqrt branch off. PSNR in dB of the averaged weights on the centres of the
held-out pictures, and the differences from the cosine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages, read_folder
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.tasks import TASKS
from undegrade.tasks.recipe import SHORT_CPU, Decay, Recipe
from undegrade.train.cpu import denormals_as_zero, keep_memory
from undegrade.train.loop import Limits, run
from undegrade.train.state import branch
from undegrade.train.trainer import Trainer
from undegrade.train.validate import Validation, centre_crops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="folder of clean images to train on")
    parser.add_argument("val", type=Path, help="folder of held-out images")
    parser.add_argument("--steps", type=int, default=2400, help="of each way (default: 2400)")
    parser.add_argument("--share", type=float, default=0.25, help="of the steps that the cooldown takes")
    parser.add_argument("--seed", type=int, default=0, help="of weights, crops and noise (default: 0)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: 1)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    task = TASKS["gaussian"]
    images = TrainingImages(read_folder(args.train, 3))
    validation = Validation(centre_crops(args.val, 3, 192, "cpu"), task.validation, estimated=False)
    recipe = replace(
        SHORT_CPU, steps=args.steps, batch=4, patch=64, warmup=100, ema=0.99, lambda_est=0.0, freeze_latent_from=0,
        seed=args.seed,
    )  # fmt: skip
    cooling = round(args.share * args.steps)
    stable = args.steps - cooling

    def go(folder: Path, recipe: Recipe, stop_at: int | None = None) -> Trainer:
        architecture = Architecture(restorer="fast", conditioning=Conditioning.NONE)
        trainer = Trainer(architecture, Synthetic(images, task.degradation, recipe.grey), recipe)
        run(trainer, folder, Limits(stop_at=stop_at, save_minutes=1e9), None, {}, path="auto")
        return trainer

    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found["cosine"] = validation.measure(go(folder / "cosine", recipe).ema)
        open_ended = recipe.open_ended()
        at_last = go(folder / "stable", open_ended, stop_at=stable)
        found[f"constant, {stable} steps"] = validation.measure(at_last.ema)
        for decay in (Decay.LINEAR, Decay.SQUARE_ROOT):
            branch(folder / "stable", folder / decay, {})
            done = go(folder / decay, open_ended.cooldown(stable, cooling, decay))
            found[f"{decay}, last {cooling} steps"] = validation.measure(done.ema)
    print(f"{args.steps} steps, seed {args.seed}")
    print(f"{'way':<28} " + " ".join(f"{case:>7}" for case in task.validation) + f" {'mean':>7} {'to cosine':>9}")
    base = 0.0
    for way, rows in found.items():
        values = [rows[f"psnr/{case}"] for case in task.validation]
        mean = sum(values) / len(values)
        base = base or mean
        print(f"{way:<28} " + " ".join(f"{v:7.2f}" for v in values) + f" {mean:7.3f} {mean - base:+9.3f}")


if __name__ == "__main__":
    with denormals_as_zero():
        keep_memory()
        main()
