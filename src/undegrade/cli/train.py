"""``undegrade train``: train one variant of one task, or go on with a run."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.degrade import Degradation
    from undegrade.tasks import Task
    from undegrade.tasks.recipe import Recipe

HELP = "train a model; the same command continues a run that was stopped or killed"


_RECIPE_OPTIONS = (
    "steps", "batch", "patch", "lr", "lambda_adv", "lambda_est", "latent_warmup_steps", "freeze_latent_from", "seed",
)  # fmt: skip
"""Options that replace the recipe's field of the same name."""


EXAMPLES = """examples:
  undegrade train gaussian --variant fast --recipe cpu --data photos --val held-out --out runs/gaussian-fast
  undegrade train gaussian --variant fast --recipe cpu --data photos --out runs/tuned --init gaussian-fast.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="which task, e.g. gaussian")
    parser.add_argument("--variant", metavar="V", help="restorer of the task, e.g. fast (default: the task's first)")
    parser.add_argument("--recipe", help="a named recipe of the task (default: its first)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="clean training images, searched below")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="PREFIX",
        help="of the training images take those alone whose file names start with one of these",
    )  # fmt: skip
    parser.add_argument(
        "--licence",
        default="not stated",
        metavar="TEXT",
        help="of the training images, for the weights' card",
    )
    parser.add_argument("--val", type=Path, metavar="DIR", help="held-out clean images to watch the run on")
    parser.add_argument(
        "--sidd", type=Path, metavar="DIR", help="also train on the pairs of SIDD-Medium sRGB below this folder"
    )
    parser.add_argument(
        "--sidd-share", type=float, default=0.5, metavar="S", help="of every batch that is theirs (default: 0.5)"
    )
    parser.add_argument(
        "--sidd-megapixels",
        type=float,
        default=320.0,
        metavar="M",
        help="how much of them to hold in memory, on the device, at 6 bytes per pixel (default: 320, which is 2 GB)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder: states, log, samples")
    parser.add_argument("--init", type=Path, metavar="FILE", help="start from these weights (a new run only)")
    parser.add_argument(
        "--init-parts", nargs="+", metavar="PART", choices=("encoder", "restorer", "decoder", "estimator"),
        help="take over these parts only (default: all)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, help="length of the recipe, over which the rate decays")
    parser.add_argument("--batch", type=int, help="images per step, over all processes")
    parser.add_argument("--patch", type=int, help="side of the crops")
    parser.add_argument("--lr", type=float, help="learning rate")
    parser.add_argument("--lambda-adv", type=float, help="weight of the adversarial term; 0: no discriminator")
    parser.add_argument("--lambda-est", type=float, help="weight of the estimation term; 0: no estimate is learned")
    baseline = parser.add_mutually_exclusive_group()
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
    parser.add_argument(
        "--sigma", type=float, nargs=2, metavar=("LOW", "HIGH"),
        help="of gaussian: train on these noise levels; twice the same makes a specific model",
    )  # fmt: skip
    parser.add_argument(
        "--latent-warmup-steps",
        type=int,
        metavar="STEPS",
        help="train everything except the restorer for the first STEPS",
    )
    parser.add_argument("--freeze-latent-from", type=int, metavar="STEP", help="from here on only the restorer learns")
    parser.add_argument("--seed", type=int, help="of everything random")
    parser.add_argument("--stop-at", type=int, metavar="STEP", help="stop cleanly at this step, to continue later")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop cleanly after this long")
    parser.add_argument("--validate-every", type=int, default=1000, metavar="STEPS", help="default: 1000")
    parser.add_argument("--log-every", type=int, default=100, metavar="STEPS", help="default: 100")
    parser.add_argument("--save-minutes", type=float, default=5.0, metavar="M", help="between states (default: 5)")
    parser.add_argument(
        "--compact",
        action="store_true",
        help="states a third the size, which continue well but not bit for bit",
    )
    parser.add_argument("--device", help="cpu, cuda, ... (default: cuda where there is one)")
    parser.add_argument(
        "--compile",
        choices=("auto", "off", "default", "reduce-overhead", "max-autotune"),
        default="auto",
        help="torch.compile mode; auto compiles on a GPU (default: auto)",
    )


def run(args: argparse.Namespace) -> int:
    from undegrade.train.cpu import denormals_as_zero

    with denormals_as_zero():
        return _train(args)


def _train(args: argparse.Namespace) -> int:
    import torch

    from undegrade.data.batches import MixedBatches, Photographs, Source, Synthetic
    from undegrade.data.sidd import training_tiles
    from undegrade.data.training_images import TrainingImages, read_folder
    from undegrade.model.architecture import Conditioning
    from undegrade.tasks import TASKS
    from undegrade.train.export import export
    from undegrade.train.loop import Limits, run, summary
    from undegrade.train.trainer import PARTS, Trainer
    from undegrade.train.validate import Validation, centre_crops, own_crops

    if args.task not in TASKS:
        raise UndegradeError(f"there is no task {args.task!r}; choose one of {', '.join(TASKS)}.")
    task = TASKS[args.task]
    variant = args.variant or next(iter(task.variants))
    if variant not in task.variants:
        raise UndegradeError(f"{task.name} has no variant {variant!r}; choose one of {', '.join(task.variants)}.")
    recipes = task.recipes[variant]
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise UndegradeError(f"{task.name} {variant} has no recipe {name!r}; choose one of {', '.join(recipes)}.")
    changes = (
        "steps",
        "batch",
        "patch",
        "lr",
        "lambda_adv",
        "lambda_est",
        "latent_warmup_steps",
        "freeze_latent_from",
        "seed",
    )
    recipe = replace(recipes[name], **{k: getattr(args, k) for k in changes if getattr(args, k) is not None})
    architecture = task.variants[variant]
    if args.no_latent:
        # Nothing but the restorer learns, from the first step on.
        architecture = replace(architecture, conditioning=Conditioning.NONE)
        recipe = replace(recipe, latent_warmup_steps=0, freeze_latent_from=0, lambda_adv=0.0, lambda_est=0.0)
        variant = f"{variant}-no-latent"
    if args.two_stage:
        if recipe.lambda_est == 0:
            raise UndegradeError(
                "a two-stage model needs an estimate to condition its restorer on; give --lambda-est above 0."
            )
        architecture = replace(architecture, conditioning=Conditioning.ESTIMATE)
        # One kind of step from the first to the last; nothing is asked of the latent itself.
        recipe = replace(recipe, latent_warmup_steps=0, freeze_latent_from=None, lambda_adv=0.0, beta=0.0)
        variant = f"{variant}-two-stage"
    degradation = task.degradation if args.sigma is None else _between(task, *args.sigma)
    if args.sidd is not None:
        _check_sidd(args, task, recipe)

    device = _start_processes(args.device)
    photographs = read_folder(args.data, architecture.channels, args.only)
    megapixels = sum(photograph.shape[0] * photograph.shape[1] for photograph in photographs) / 1e6
    data: dict[str, Any] = {"images": len(photographs), "megapixels": round(megapixels, 1)}
    if args.only:
        data |= {"only": args.only}
    source: Source = Synthetic(task.clean.crops(photographs, device, recipe.seed), degradation, recipe.grey)
    if args.sigma is not None:
        data |= {"sigma": args.sigma}
    if args.sidd is not None:
        pairs = TrainingImages(training_tiles(args.sidd, args.sidd_megapixels), device)
        source = MixedBatches(source, Photographs(pairs, architecture.params), args.sidd_share)
        data |= {"SIDD tiles": len(pairs), "SIDD megapixels": round(len(pairs.pixels) / 1e6, 1)}
        data |= {"SIDD share": args.sidd_share}
    mode = {"auto": "default" if device.type == "cuda" else None, "off": None}.get(args.compile, args.compile)
    trainer = Trainer(architecture, source, recipe, compile_mode=mode)
    validation = None
    if args.val is not None:
        side = task.validation_side - task.validation_side % max(d.scale for d in task.validation.values())
        crops = centre_crops(args.val, architecture.channels, side, device)
        own = own_crops(task, args.val, architecture.channels, side, device)
        validation = Validation(crops, task.validation, estimated=recipe.lambda_est > 0, own=own)
    about = {
        "task": task.name,
        "variant": variant,
        "recipe_name": name,
        "licence": args.licence,
        "data": data,
        "hardware": hardware(device, trainer.world),
        "torch": str(torch.__version__),
        "commit": commit(),
    }
    if args.init is not None and not any(args.out.glob("state-*")):
        from undegrade.weights.card import load_weights

        weights, _ = load_weights(args.init)
        taken = trainer.start_from(weights, args.init_parts or PARTS)
        print(f"{taken} tensors taken from {args.init}", file=sys.stderr)
    limits = Limits(args.minutes, args.stop_at, args.log_every, args.validate_every, args.save_minutes, args.compact)
    finished = run(trainer, args.out, limits, validation, about)
    if trainer.rank == 0:
        print(summary(args.out, recipe), file=sys.stderr)
        where = f"finished after {trainer.done} steps" if finished else f"stopped at step {trainer.done}"
        print(f"{where}; the state is in {args.out}", file=sys.stderr)
        if finished:
            print(f"weights written to {export(trainer, args.out, about)}", file=sys.stderr)
    return 0


def _check_sidd(args: argparse.Namespace, task: Task, recipe: Recipe) -> None:
    """Whether pairs of photographs make sense."""
    if not task.blocks:
        raise UndegradeError(f"--sidd is for tasks of photographs, which {task.name} is not; leave it out.")
    if recipe.lambda_est > 0:
        raise UndegradeError(
            "what the cameras of SIDD did is not known and cannot be learned; leave --lambda-est at 0."
        )
    if not 0 <= args.sidd_share <= 1:
        raise UndegradeError(f"--sidd-share {args.sidd_share:g} is no share; give a number between 0 and 1.")


def _between(task: Task, low: float, high: float) -> Degradation:
    """The task's noise, but of these levels."""
    from undegrade.degrade import GaussianNoise

    if not isinstance(task.degradation, GaussianNoise):
        raise UndegradeError(f"--sigma is for white noise, which {task.name} is not about; leave it out.")
    if not 0 <= low <= high:
        raise UndegradeError(
            f"--sigma {low:g} {high:g} is no range of noise levels; give the lower one first, 0 or more."
        )
    return replace(task.degradation, sigma=(low, high))


def _start_processes(device: str | None) -> Any:
    """The device to train on; under torchrun also joins the processes."""
    import torch
    import torch.distributed as dist

    cuda = torch.cuda.is_available()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda and device != "cpu" else "gloo")
        if cuda and device is None:
            device = f"cuda:{int(os.environ['LOCAL_RANK'])}"
            torch.cuda.set_device(device)
    return torch.device(device or ("cuda" if cuda else "cpu"))


def hardware(device: Any, processes: int) -> str:
    """What the run trains on, in words."""
    import torch

    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    return f"{platform.machine()} CPU, {processes * torch.get_num_threads()} threads"


def commit() -> str:
    """The commit of the code that trains, or "unknown" outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
