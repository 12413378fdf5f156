"""From a finished run to a weights file with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undegrade.train.log import Log
from undegrade.train.trainer import Trainer
from undegrade.weights.card import Card, save_weights


def export(trainer: Trainer, folder: Path, about: dict[str, Any]) -> Path:
    """Write the averaged weights in half precision, with all that is known of the run.

    Args:
        trainer: finished.
        folder: of the run; the files go there.
        about: as given to :func:`undegrade.train.loop.run`.

    Returns:
        The safetensors file; its card lies beside it as JSON.
    """
    rows = Log(folder / "metrics.jsonl").rows()
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
    return save_weights(trainer.ema, folder, f"{about['task']}-{about['variant']}", card)
