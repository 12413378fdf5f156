"""``undegrade train``: train one variant of one task, or go on with a run."""

from __future__ import annotations

import argparse
from dataclasses import fields

from undegrade.cli.arguments import TASK_NAMES, a_path
from undegrade.lazy import needs_torch

HELP = "train a model; the same command continues a run that was stopped or killed"


EXAMPLES = """examples:
  undegrade train gaussian --variant fast --recipe cpu --data photos --val held-out --out runs/gaussian-fast
  undegrade train gaussian --variant fast --recipe cpu --data photos --out runs/tuned --init gaussian-fast
  undegrade train gaussian --variant fast --data photos --out runs/sure --init gaussian-fast --scale-head
  undegrade train gaussian --variant fast --data photos --out runs/int8 --init gaussian-fast --int8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help=f"one of {', '.join(TASK_NAMES)}")
    parser.add_argument(
        "--variant",
        metavar="V",
        help="variant of the task: full, fast, wide or ffdnet; a task that does not have it says which it has "
        "(default: full; of universal wide)",
    )
    images = parser.add_argument_group("images")
    images.add_argument(
        "--data", type=a_path, required=True, metavar="DIR", help="folder of clean training images, with its subfolders"
    )
    images.add_argument(
        "--only", nargs="+", metavar="PREFIX",
        help="take only those of the training images whose file names start with one of these",
    )  # fmt: skip
    images.add_argument(
        "--licence",
        default="not stated",
        metavar="TEXT",
        help="of the training images, for the weights' card",
    )
    images.add_argument("--val", type=a_path, metavar="DIR", help="held-out clean images to watch the run on")
    images.add_argument(
        "--sidd", type=a_path, metavar="DIR", help="also train on the pairs of SIDD-Medium sRGB below this folder"
    )
    images.add_argument(
        "--sidd-share", type=float, default=0.5, metavar="S", help="share of each batch taken from SIDD (default: 0.5)"
    )
    images.add_argument(
        "--sidd-megapixels",
        type=float,
        default=320.0,
        metavar="M",
        help="how much of them to hold in memory, on the device, at 6 bytes per pixel (default: 320, which is 2 GB)",
    )
    run = parser.add_argument_group("run")
    run.add_argument("--out", type=a_path, required=True, metavar="DIR", help="the run's folder: states, log, samples")
    run.add_argument(
        "--open-ended",
        action="store_true",
        help="train at a constant rate, without end; --cooldown makes weights of it",
    )
    run.add_argument(
        "--cooldown",
        type=float,
        metavar="MINUTES",
        help="branch off the newest state in --out, let the rate fall to its floor within about MINUTES, and write "
        "weights; the run itself stays as it is",
    )
    run.add_argument("--stop-at", type=int, metavar="STEP", help="stop cleanly at this step, to continue later")
    run.add_argument(
        "--pixels", type=float, default=float("inf"), metavar="N", help="stop cleanly when the run has seen N pixels"
    )
    run.add_argument("--minutes", type=float, default=float("inf"), metavar="M",
        help="stop cleanly after M minutes",
    )  # fmt: skip
    run.add_argument(
        "--save-minutes", type=float, default=5.0, metavar="M", help="minutes between saved states (default: 5)"
    )
    run.add_argument(
        "--compact",
        action="store_true",
        help="states one third as large, which continue well but not bit for bit",
    )
    start = parser.add_argument_group("start")
    start.add_argument(
        "--init", type=a_path, metavar="FILE",
        help="start from these weights (a new run only): a file, or the name of a shipped model, e.g. gaussian-fast",
    )  # fmt: skip
    start.add_argument(
        "--init-parts", nargs="+", metavar="PART", choices=("encoder", "restorer", "decoder", "estimator"),
        help="take over these parts only: encoder, restorer, decoder, estimator (default: all)",
    )  # fmt: skip
    start.add_argument(
        "--scale-head",
        action="store_true",
        help="add a head to the weights of --init that says how far off each pixel may be, and train nothing but it: "
        "the restoration does not change by a bit",
    )
    start.add_argument(
        "--int8",
        action="store_true",
        help="make the int8 form of the weights of --init, for undegrade restore --draft: fine-tune encoder and "
        "restorer for it, a few minutes on a CPU",
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument("--recipe", metavar="R",
        help="paper: Adam, 400,000 steps; short: half an hour on a large GPU; cpu: the fast and wide variants on a CPU "
        "(default: short; of universal cpu)",
    )  # fmt: skip
    recipe.add_argument(
        "--steps", type=int, help="number of steps, over which the learning rate decays (default: the recipe's)"
    )
    recipe.add_argument("--batch", type=int, help="crops per step, over all processes (default: the recipe's)")
    recipe.add_argument("--patch", type=int, help="side of the crops in pixels (default: the recipe's)")
    recipe.add_argument("--lr", type=float, help="highest learning rate (default: the recipe's)")
    recipe.add_argument("--lambda-adv", type=float, help="weight of the adversarial term; 0: no discriminator")
    recipe.add_argument("--lambda-est", type=float, help="weight of the estimation term; 0: no estimate is learned")
    recipe.add_argument(
        "--latent-warmup-steps",
        type=int,
        metavar="STEPS",
        help="train everything except the restorer for the first STEPS",
    )
    recipe.add_argument(
        "--freeze-latent-from", type=int, metavar="STEP", help="freeze encoder, decoder and estimator from this step"
    )
    recipe.add_argument(
        "--by-image", action="store_true", default=None,
        help="weigh a decibel of each image alike, instead of each level of error: weak noise counts more",
    )  # fmt: skip
    recipe.add_argument("--seed", type=int, help="random seed")
    baselines = parser.add_argument_group("baselines of the paper")
    baseline = baselines.add_mutually_exclusive_group()
    baseline.add_argument(
        "--no-latent",
        action="store_true",
        help="the blind baseline: the restorer without a latent, trained with the restoration term only",
    )
    baseline.add_argument(
        "--two-stage",
        action="store_true",
        help="the two-stage baseline: the restorer conditioned on an estimate learned by supervision, without a latent",
    )
    baselines.add_argument(
        "--sigma", type=float, nargs=2, metavar=("LOW", "HIGH"),
        help="of gaussian: train on these noise levels; twice the same makes a specific model",
    )  # fmt: skip
    watching = parser.add_argument_group("watching")
    watching.add_argument(
        "--validate-every",
        type=int,
        default=1000,
        metavar="STEPS",
        help="steps between validations on --val (default: 1000)",
    )
    watching.add_argument(
        "--log-every", type=int, default=100, metavar="STEPS", help="steps between lines of the log (default: 100)"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", help="cpu, cuda, ... (default: cuda where there is one)")
    machine.add_argument(
        "--compile",
        choices=("auto", "off", "default", "reduce-overhead", "max-autotune"),
        default="auto",
        help="torch.compile mode; auto compiles on a GPU (default: auto)",
    )
    machine.add_argument(
        "--convolution",
        default="auto",
        metavar="METHOD",
        help="how to compute convolutions on a CPU: float32, bfloat16, winograd or amx; auto measures which is the "
        "quickest, and a run that continues keeps its method (default: auto)",
    )


def run(args: argparse.Namespace) -> int:
    from undegrade.tasks import task_named

    task_named(args.task)  # says a misspelt name before PyTorch is loaded, which takes seconds
    needs_torch("training")
    from undegrade.train.options import TrainOptions
    from undegrade.train.run import train

    train(TrainOptions(**{field.name: getattr(args, field.name) for field in fields(TrainOptions)}))
    return 0
