"""Decides what is done to a picture when the user gives no task: the universal model restores it, or it is left alone.

The model's own reading decides. A picture without noise and without compression is left alone: restoring what is clean
loses some of its finest texture. The header of a JPEG has its say: below :data:`REPAIR_BELOW` the file was compressed
visibly, whatever can be seen of it.

Super-resolution is never selected, because it changes the size of the picture; the user must request it.
``reproduce/task_choice.py`` measures how often the rule is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from undegrade.degrade.damage import Found
from undegrade.inference.arrays import Image
from undegrade.inference.look import Look
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline

UNIVERSAL = "universal"
"""The task that is not told what happened."""
NOISE = 1.5
"""Lowest noise level, in 8-bit levels, that is removed."""
COMPRESSED = 92.0
"""A picture with a lower estimated JPEG quality is restored."""
REPAIR_BELOW = 85
"""A JPEG with a lower quality in its header is restored."""
LEAST_SIDE = 16
"""A picture with a shorter side, in pixels, shows too little to tell damage from what it shows."""


@dataclass(frozen=True)
class Choice:
    """What is done to a picture.

    Attributes:
        pipeline: restores it; None to leave the picture alone.
        reason: in words, without a full stop; empty if the user gave the task.
        reader: the pipeline that looked at the picture; None if none did.
        look: what it found, for :meth:`Pipeline.run`.
    """

    pipeline: Pipeline | None
    reason: str = ""
    reader: Pipeline | None = None
    look: Look | None = None


def select_task(
    image: Image,
    universal: Pipeline,
    options: RestoreOptions,
    quality: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Choice:
    """Look at a picture and decide.

    Args:
        image: (H, W) or (H, W, 3).
        universal: the pipeline of :data:`UNIVERSAL`.
        options: with which it would be restored.
        quality: from the header, if the file is a JPEG and its quality is known.
        progress: called with the fraction done.
    """
    if min(image.shape[:2]) < LEAST_SIDE:
        return Choice(None, f"left alone: a side below {LEAST_SIDE} pixels shows too little")
    look = universal.look(image, options, progress)
    found = found_in(universal, look)
    if found.noise >= NOISE:
        reason = f"a noise level of {found.noise:.1f}" + (
            f" and a JPEG quality of about {found.quality:.0f}" if found.quality < COMPRESSED else ""
        )
    elif found.quality < COMPRESSED:
        reason = f"it looks like a JPEG of quality {found.quality:.0f}"
    elif quality is not None and quality < REPAIR_BELOW:
        reason = f"the JPEG quality in the header is {quality}"
    else:
        return Choice(None, "left alone: no noise and no compression were found", universal, look)
    return Choice(universal, reason, universal, look)


def found_in(universal: Pipeline, look: Look) -> Found:
    """The estimates of the universal model for a whole picture."""
    assert look.estimates is not None  # the task has an estimator
    assert universal.quantity is not None
    return Found(*look.estimates.in_units(universal.quantity)[0].tolist())
