"""One call of ``undegrade train``: sources, validation and trainer from the options, the loop, the weights."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from undegrade.data.batches import MixedBatches, Photographs, Source, Synthetic
from undegrade.data.sidd import training_tiles
from undegrade.data.training_images import TrainingImages, read_folder
from undegrade.errors import UndegradeError
from undegrade.inference.torch_engine import usable
from undegrade.model.vdir import VDIR
from undegrade.reading import printable
from undegrade.train.cooldown import begin
from undegrade.train.cpu import denormals_as_zero, keep_memory
from undegrade.train.export import export
from undegrade.train.loop import Limits, run, summary
from undegrade.train.options import Plan, TrainOptions, plan
from undegrade.train.state import newest
from undegrade.train.trainer import PARTS, Trainer
from undegrade.train.validate import Validation, centre_crops, own_crops
from undegrade.weights.card import Card, load_weights
from undegrade.weights.int8 import origin as int8_origin
from undegrade.weights.names import weights_file


def train(options: TrainOptions) -> None:
    """Train, go on with a run, or cool one down; write weights and card where the recipe's last step is reached.

    Raises:
        UndegradeError: the options make no sense, or files cannot be read or written.
    """
    with denormals_as_zero():
        keep_memory()
        _train(options)


def _train(options: TrainOptions) -> None:
    wanted = plan(options)
    folder, recipe = options.out, wanted.recipe
    device = _start_processes(options.device)
    # These first: training images take minutes to read.
    new = not any(folder.glob("state-*"))
    start = None if options.init is None or not new else load_weights(weights_file(options.init))
    if (wanted.architecture.scale_head or recipe.int8) and new:
        _check_init(start, options, wanted)
    validation = _validation(options, wanted, device)
    if options.cooldown is not None:
        branch = begin(folder, recipe, options.cooldown)
        folder, recipe = branch.folder, branch.recipe
        wanted = replace(wanted, recipe=recipe)
    source, data = _source(options, wanted, device)
    mode = {"auto": "default" if device.type == "cuda" else None, "off": None}.get(options.compile, options.compile)
    trainer = Trainer(wanted.architecture, source, recipe, compile_mode=mode)
    about = {
        "task": wanted.task.name,
        "variant": wanted.variant,
        "recipe_name": wanted.recipe_name,
        "licence": options.licence,
        "data": data,
        "hardware": hardware(device, trainer.world),
        "torch": str(torch.__version__),
        "commit": commit(),
    } | _origin(start, options, folder, trainer)
    limits = Limits(
        minutes=options.minutes, stop_at=options.stop_at, pixels=options.pixels, log_every=options.log_every,
        validate_every=options.validate_every, save_minutes=options.save_minutes, compact=options.compact,
    )  # fmt: skip
    if options.cooldown is not None:
        limits = replace(limits, stop_at=None, pixels=Limits.pixels)
    # Rounded convolutions are torch's: other ways to compute them know nothing of the rounding.
    path = "float32" if recipe.int8 else options.convolution
    finished = run(trainer, folder, limits, validation, about, path=path)
    if trainer.rank == 0:
        print(summary(folder, recipe), file=sys.stderr)
        where = f"finished after {trainer.done} steps" if finished else f"stopped at step {trainer.done}"
        print(f"{where}; the state is in {printable(folder)}", file=sys.stderr)
        if finished:
            print(f"weights written to {printable(export(trainer, folder, about))}", file=sys.stderr)


def _source(options: TrainOptions, wanted: Plan, device: torch.device) -> tuple[Source, dict[str, Any]]:
    """Where the batches come from, and what the card says of it."""
    photographs = read_folder(options.data, wanted.architecture.channels, options.only or ())
    megapixels = sum(photograph.shape[0] * photograph.shape[1] for photograph in photographs) / 1e6
    crops = wanted.task.clean.crops(photographs, device, wanted.recipe.seed)
    source: Source = Synthetic(crops, wanted.degradation, wanted.recipe.grey)
    data: dict[str, Any] = {"images": len(photographs), "megapixels": round(megapixels, 1)}
    if options.only:
        data |= {"only": options.only}
    if options.sigma is not None:
        data |= {"sigma": options.sigma}
    if options.sidd is not None:
        pairs = TrainingImages(training_tiles(options.sidd, options.sidd_megapixels), device)
        source = MixedBatches(source, Photographs(pairs, wanted.architecture.params), options.sidd_share)
        data |= {"SIDD tiles": len(pairs), "SIDD megapixels": round(len(pairs.pixels) / 1e6, 1)}
        data |= {"SIDD share": options.sidd_share}
    return source, data


def _validation(options: TrainOptions, wanted: Plan, device: torch.device) -> Validation | None:
    if options.val is None:
        return None
    task, channels = wanted.task, wanted.architecture.channels
    side = task.validation_side - task.validation_side % max(d.scale for d in task.validation.values())
    crops = centre_crops(options.val, channels, side, device)
    own = own_crops(task, options.val, channels, side, device)
    return Validation(crops, task.validation, estimated=wanted.recipe.lambda_est > 0, own=own)


def _origin(start: tuple[VDIR, Card] | None, options: TrainOptions, folder: Path, trainer: Trainer) -> dict[str, Any]:
    """Start from other weights, if the options name some and the run is new. Returns which, also for a resumed run."""
    if any(folder.glob("state-*")):
        _, meta = newest(folder)
        return {name: meta[name] for name in ("started_from", "pixels_before", "cooldown", "init_card") if name in meta}
    if start is None:
        return {}
    weights, card = start
    taken = trainer.start_from(weights, options.init_parts or PARTS)
    if taken == 0:
        raise UndegradeError(f"no tensor of {options.init} fits into this model; start from weights of its kind.")
    print(f"{taken} tensors taken from {printable(options.init)}", file=sys.stderr)
    origin = {"started_from": f"{card.name} {card.sha256[:12]}"}
    if options.scale_head:  # whose pixels are those of the head alone, but whose weights keep their card
        return origin | {"init_card": asdict(card)}
    if trainer.recipe.int8:  # which belongs to these weights, with a scale head or without
        return {"started_from": int8_origin(card)}
    return origin | {"pixels_before": card.pixels_seen}


def _check_init(start: tuple[VDIR, Card] | None, options: TrainOptions, wanted: Plan) -> None:
    """Whether a scale head can be added to the weights of ``--init``, or they can be fine-tuned for int8."""
    if start is None:
        what = "an int8 form is made of" if wanted.recipe.int8 else "a scale head is added to"
        raise UndegradeError(f"{what} finished weights; give them with --init.")
    model, card = start
    if (
        replace(model.architecture, scale_head=wanted.architecture.scale_head) != wanted.architecture
        or card.task != wanted.task.name
    ):
        raise UndegradeError(
            f"{options.init}: these weights are for {card.name}, not {wanted.task.name}-{wanted.variant} of this "
            "version; change task and variant, or give other weights."
        )


def _start_processes(device: str | None) -> torch.device:
    """The device to train on; under torchrun also joins the processes."""
    cuda = torch.cuda.is_available()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda and device != "cpu" else "gloo")
        if cuda and device is None:
            device = f"cuda:{int(os.environ['LOCAL_RANK'])}"
            torch.cuda.set_device(device)
    return usable(device or ("cuda" if cuda else "cpu"))


def hardware(device: torch.device, processes: int) -> str:
    """What the run trains on, in words."""
    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    threads = processes * torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' * (threads > 1)}"


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
