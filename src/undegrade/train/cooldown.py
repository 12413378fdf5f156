"""From a run without end to weights: a branch of it whose rate falls to the floor.

A run at a constant rate never has its best weights; a short fall of the rate brings them (warm-up, stable, decay).
The branch starts as a copy of the run's newest state, in a folder below the run's; the run itself goes on from where
it was.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.tasks.recipe import Decay, Recipe
from undegrade.train.log import Log
from undegrade.train.state import branch, newest

DECAY = Decay.SQUARE_ROOT
"""Measured by ``training/cooldowns.py``: see docs/notebook.md."""


@dataclass(frozen=True)
class Branch:
    """A cooldown, begun or going on.

    Attributes:
        folder: of its states, log and, in the end, weights.
        recipe: the run's, with the fall of the rate.
    """

    folder: Path
    recipe: Recipe


def begin(run: Path, recipe: Recipe, minutes: float, decay: Decay = DECAY) -> Branch:
    """Branch off a run's newest state, or go on with a branch that was killed.

    Args:
        run: its folder.
        recipe: the run's.
        minutes: about how long, at the rate of the run's log; the steps are fixed from here on.
        decay: the shape of the fall.

    Raises:
        UndegradeError: there is no state, or it has been cooled down already.
    """
    unfinished = [f for f in sorted(run.glob("cooldown-????????")) if not any(f.glob("*.safetensors"))]
    if unfinished:
        folder = unfinished[-1]
    else:
        step, meta = newest(run)
        rates = [row["images_per_s"] for row in Log(run / "metrics.jsonl").rows()[-20:]]
        per_second = statistics.median(rates) / recipe.batch if rates else step / max(meta["seconds"], 1e-9)
        folder = run / f"cooldown-{step:08d}"
        if folder.exists():
            raise UndegradeError(f"step {step} has been cooled down already in {folder}; train on first.")
        steps = max(round(60 * minutes * per_second), 1)
        fixed = {"start": step, "steps": steps, "decay": str(decay), "pixels": meta["pixels"]}
        branch(run, folder, {"cooldown": fixed})
    _, meta = newest(folder)
    fixed = meta["cooldown"]
    return Branch(folder, recipe.cooldown(fixed["start"], fixed["steps"], Decay(fixed["decay"])))
