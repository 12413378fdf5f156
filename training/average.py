"""The mean of weights that were trained from the same start, for cores that cannot share one training.

    python training/average.py ONE.safetensors OTHER.safetensors ... --start NAME_OR_FILE --out FOLDER

Each is a run of its own (another ``--seed``), on a core of its own, from the weights of ``--start``. Near a trained
start such runs end in one basin: their mean is less noisy than each, like weights that learned from larger batches. The
card counts the pixels of all. Measure the mean like any other weights before it is shipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import torch

from undegrade.errors import UndegradeError
from undegrade.weights.card import Card, load_weights, read_weights, save_weights
from undegrade.weights.names import weights_file


def average(files: Sequence[Path], start: Path | str, folder: Path) -> Path:
    """Write the mean, in half precision, with its card.

    Args:
        files: weights with their cards, at least two.
        start: the weights that all of them were trained from: a file, or the name of a shipped model.
        folder: created if necessary.

    Raises:
        UndegradeError: there is only one file, their architectures differ, or one began with other weights.
    """
    if len(files) < 2:
        raise UndegradeError("one file has no mean; give at least two.")
    models, cards = zip(*map(load_weights, files), strict=True)
    begun = read_weights(weights_file(start)).card
    for file, card in zip(files, cards, strict=True):
        if card.name != begun.name or card.architecture != cards[0].architecture or card.scale_head:
            raise UndegradeError(f"{file}: not a {begun.name} of the others' architecture; average what is alike.")
        if not card.started_from.endswith(begun.sha256[:12]):
            raise UndegradeError(f"{file}: did not begin with {start}; average what has the same start.")
    tensors = [model.state_dict() for model in models]
    with torch.no_grad():
        mean = {name: torch.stack([t[name].double() for t in tensors]).mean(0).float() for name in tensors[0]}
    models[0].load_state_dict(mean)
    return save_weights(models[0], folder, begun.name, _card(cards, begun))


def _card(cards: Sequence[Card], begun: Card) -> Card:
    """Of the mean: what is the same for all, and sums."""
    return dataclasses.replace(
        cards[0],
        steps=sum(card.steps for card in cards),
        minutes=round(sum(card.minutes for card in cards), 1),
        pixels=begun.pixels_seen + sum(card.pixels_seen - begun.pixels_seen for card in cards),
        measured={},
        intervals={},
        notes=f"The mean of {len(cards)} trainings from the same start; steps and minutes are those of all.",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help="safetensors files with their cards")
    parser.add_argument("--start", required=True, help="what all were trained from")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    args = parser.parse_args()
    print(average(args.weights, args.start, args.out))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"average.py: {error}")
