"""``undegrade models``: the shipped models, what each is for, and how well it does."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from undegrade.cli import streams

if TYPE_CHECKING:
    from undegrade.tasks import Task
    from undegrade.weights.card import Card

HELP = "list the shipped models: what each is for, its size, its numbers, what it was trained on"


EXAMPLES = """examples:
  undegrade models                                       in words
  undegrade models --json                                every measured number, for programs
"""


@dataclass(frozen=True)
class Model:
    """A shipped model, for people and for programs.

    Attributes:
        name, task, variant: as the other commands take them.
        summary: what it is for, one sentence.
        estimates: what its estimator reads, e.g. ``"noise level"``; None where it was not trained.
        scale: output pixels per input pixel along each side.
        bytes: of the weights file.
        parameters: of encoder and restorer, which restoring needs.
        measured: numbers by name, e.g. ``{"CBSD68 sigma 50 psnr": 27.88}``; PSNR in dB.
        images, megapixels: that it was trained on.
        pixels_seen: in training, at least.
        minutes: of the last training.
        hardware: of the last training, in words.
        licence: of the weights.
        images_licence: of the training images.
        sha256: of the weights file.
        notes: on the training, in words.
    """

    name: str
    task: str
    variant: str
    summary: str
    estimates: str | None
    scale: int
    bytes: int
    parameters: int
    measured: dict[str, Any]
    images: int
    megapixels: float
    pixels_seen: int
    minutes: float
    hardware: str
    licence: str
    images_licence: str
    sha256: str
    notes: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list with everything on the cards")


def run(args: argparse.Namespace) -> int:
    """Print the models; return 0."""
    from undegrade.tasks import TASKS
    from undegrade.weights.card import shipped_cards
    from undegrade.weights.licence import LICENCE

    cards = shipped_cards()
    models = [_model(card, TASKS[card.task]) for card in cards]
    if args.json:
        print(json.dumps([asdict(model) for model in models], indent=2, ensure_ascii=False))
        return 0
    for model in models:
        for line in _lines(model, TASKS[model.task]):
            streams.say(line, sys.stdout)
    streams.say(f"Licence of the weights: {LICENCE}", sys.stdout)
    for licence in dict.fromkeys(model.images_licence for model in models):
        names = ", ".join(model.name for model in models if model.images_licence == licence)
        streams.say(f"Licences of the images that {names} saw in training: {licence}", sys.stdout)
    streams.say(f"Folder of the weights files: {files('undegrade') / 'weights'}", sys.stdout)
    return 0


def _model(card: Card, task: Task) -> Model:
    from undegrade.inference.graphs import PARTS
    from undegrade.weights.card import find_weights, read_weights
    from undegrade.weights.licence import licence

    file = find_weights(card.task, (card.variant,))
    weights = read_weights(file)
    restoring = (*PARTS["encode"], *PARTS["restore"])
    trained = card.recipe.get("lambda_est", 1.0) > 0
    return Model(
        name=card.name,
        task=card.task,
        variant=card.variant,
        summary=task.summary,
        estimates=task.degradation.quantity.name if trained else None,
        scale=weights.architecture.scale,
        bytes=len(file.read_bytes()),
        parameters=sum(tensor.size for name, tensor in weights.tensors.items() if name.startswith(restoring)),
        measured={name: value for name, value in card.measured.items() if not name.startswith("validation ")},
        images=card.data.get("images", 0),
        megapixels=card.data.get("megapixels", 0.0),
        pixels_seen=card.pixels_seen,
        minutes=card.minutes,
        hardware=card.hardware,
        licence=licence(card),
        images_licence=card.licence,
        sha256=card.sha256,
        notes=card.notes,
    )


def _lines(model: Model, task: Task) -> list[str]:
    """A model in words; the first line is its name and what it is for."""
    estimates = f", estimates the {model.estimates}" if model.estimates else ""
    return [
        f"{model.name}: {model.summary}",
        f"  {model.bytes / 1e6:.1f} MB, {model.parameters:,} parameters{estimates}",
        f"  {main_numbers(model, task)}",
        f"  trained on {model.images} images of {model.megapixels:g} megapixels; saw "
        f"{model.pixels_seen / 1e9:.1f} billion pixels or more",
        "",
    ]


def main_numbers(model: Model, task: Task) -> str:
    """PSNR in every case of the first benchmark of its task that it was measured on."""
    for dataset in dict.fromkeys(b.dataset.name for b in task.benchmarks):
        cases = dict.fromkeys(b.case for b in task.benchmarks if b.dataset.name == dataset)
        found = {case: model.measured.get(f"{dataset} {case} psnr") for case in cases}
        known = [f"{case} {value:.2f}" for case, value in found.items() if isinstance(value, int | float)]
        if known:
            return f"PSNR on {dataset} (dB): {'; '.join(known)}"
    return "not measured yet"
