"""From a finished run to a weights file with its card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from undegrade.model.int8_tensors import stored
from undegrade.train.log import Log
from undegrade.train.trainer import Trainer
from undegrade.weights.card import Card, save_weights
from undegrade.weights.int8 import save_int8


def export(trainer: Trainer, folder: Path, about: dict[str, Any]) -> Path:
    """Write the averaged weights in half precision, with all that is known of the run.

    Args:
        trainer: finished.
        folder: of the run; the files go there.
        about: as given to :func:`undegrade.train.loop.run`.

    Returns:
        The safetensors file; its card lies beside it as JSON. Of a run that trained a scale head these are the weights
        that it began with, bit for bit, and the head; of one for int8, what the int8 graphs are filled with.
    """
    rows = Log(folder / "metrics.jsonl").rows()
    if trainer.architecture.scale_head:
        return save_weights(
            trainer.ema, folder, f"{about['task']}-{about['variant']}", _with_head(trainer, rows, about)
        )
    validated = (row for row in reversed(rows) if any(k.startswith("psnr/") for k in row))
    measured: dict[str, float] = next(validated, {})
    card = Card(
        task=about["task"],
        variant=about["variant"],
        architecture=trainer.architecture.to_dict(),
        data=about["data"],
        licence=about["licence"],
        steps=trainer.done,
        minutes=round(rows[-1]["seconds"] / 60, 1),
        hardware=about["hardware"],
        commit=about["commit"],
        recipe=trainer.recipe.to_dict(),
        pixels=about.get("pixels_before", 0) + rows[-1]["pixels"],
        started_from=about.get("started_from", ""),
        measured={f"validation {k}": v for k, v in measured.items() if k.startswith(("psnr/", "estimate_error/"))},
    )
    if trainer.recipe.int8:
        return save_int8(stored(trainer.ema), folder, card)
    return save_weights(trainer.ema, folder, f"{about['task']}-{about['variant']}", card)


def _with_head(trainer: Trainer, rows: Sequence[Mapping[str, float]], about: Mapping[str, Any]) -> Card:
    """The card of the weights that a scale head was added to: all that it says still holds."""
    card = Card.from_json(json.dumps(about["init_card"]))
    validated = (row for row in reversed(rows) if any(k.startswith("nll/") for k in row))
    found: Mapping[str, float] = next(validated, {})
    facts = {
        "sha256": card.restorer_sha256,
        "data": about["data"],
        "licence": about["licence"],
        "steps": trainer.done,
        "minutes": round(rows[-1]["seconds"] / 60, 1),
        "hardware": about["hardware"],
        "commit": about["commit"],
        "recipe": trainer.recipe.to_dict(),
        "pixels": rows[-1]["pixels"],
        "measured": {f"validation {k}": v for k, v in found.items() if k.startswith("nll/")},
    }
    # What was measured of the intervals of another head is void.
    return dataclasses.replace(card, scale_head=facts, intervals={})
