"""Which task a picture needs, when nobody says: a rule that looks at the picture, and says why.

1. Noise everywhere? The estimator's map is read at its tenth percentile, the quietest places. White noise is there
   too, at nearly its full level; texture, which also looks like noise, is not.
2. If the quietest places show at least :data:`NOISE` levels, and at least :data:`EVEN` of the median, it is noise, and
   the gaussian task removes it.
3. Saved as a JPEG once? The quality is the lower of the two that the pixels show and the file's header tells; the
   pixels know of an earlier saving. Under :data:`QUALITY`, the jpeg task repairs it.
4. Otherwise the picture is left alone: restoring a clean picture costs some of its finest texture.

Enlarging is never chosen: it changes the picture's size, and only a person knows whether that is wanted.
``reproduce/choice.py`` measures how often the rule is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vdir.arrays import Image
from vdir.errors import VdirError
from vdir.pipeline import Pipeline

NOISE = 2.0
"""8-bit levels in the quietest places from which on there is noise to remove."""
EVEN = 0.5
"""Share of the median that the quietest places show at least, if it is noise and no texture."""
QUALITY = 85
"""JPEG quality under which there are artifacts worth the repair."""


@dataclass(frozen=True)
class Choice:
    """What is done with a picture.

    Attributes:
        pipeline: restores it; None to leave the picture alone.
        reason: why, for people, without a full stop; empty where the task was given.
    """

    pipeline: Pipeline | None
    reason: str = ""


def choose(
    image: Image, load: Callable[[str], Pipeline], tile: int | None = None, quality: int | None = None
) -> Choice:
    """Apply the rule.

    Args:
        image: (H, W) or (H, W, 3).
        load: gives a task's pipeline by its name, or raises a VdirError where there is none; asked only for those that
            the rule needs.
        tile: see :class:`Pipeline`.
        quality: of the file, if it is a JPEG and its header tells.
    """
    gaussian = load("gaussian")
    levels = gaussian.survey(image, tile=tile).map[0]
    quiet, median = np.percentile(levels, (10, 50))
    if quiet >= max(NOISE, EVEN * median):
        return Choice(gaussian, f"task gaussian, since even its quietest places have a noise level of {quiet:.1f}")
    jpeg = _jpeg(load)
    if jpeg is not None:
        seen = float(jpeg.estimate(image, tile=tile)[0])
        if min(seen, quality or 100) < QUALITY:
            where = "its pixels look like" if quality is None or seen < quality else "its header tells"
            return Choice(jpeg, f"task jpeg, since {where} a JPEG quality of {min(seen, quality or 100):.0f}")
    if quiet < NOISE:
        return Choice(
            None, f"left alone: its quietest places have a noise level of {max(quiet, 0):.1f}, under {NOISE:g}"
        )
    return Choice(
        None, f"left alone: what looks like noise (level {median:.1f}) is texture, since the quietest places have "
        f"{quiet:.1f}"
    )  # fmt: skip


def _jpeg(load: Callable[[str], Pipeline]) -> Pipeline | None:
    try:
        return load("jpeg")
    except VdirError:  # no weights for it, or not of the wanted variant
        return None
