"""Decides what is done to a picture when the user gives no task: the universal model restores it, or it is left alone.

The model's own reading decides:

1. Noise: the median over the picture is at least :data:`NOISE` levels, and its quieter places have at least
   :data:`QUIET_NOISE`. Noise is nearly everywhere; dithers, screentones and fine texture, which look like it, are not.
2. Compression: the JPEG quality that is read is below :data:`COMPRESSED`; or the file is a JPEG with a lower quality in
   its header than :data:`REPAIR_BELOW`, whatever can be seen of it. There the file's quantisation steps keep the result
   close to the original (:mod:`undegrade.inference.jpeg_projection`).

Otherwise the picture is left alone: restoring what is clean loses some of its finest texture. So are tiny pictures,
which show too little, and pictures of few colours: noise and lossy formats leave many.

Super-resolution is never selected, because it changes the size of the picture; the user must request it. Then the same
rule says whether the small picture is restored first.
``reproduce/task_choice.py`` measures how often the rule is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from undegrade.degrade.noise_grain_quality import Found
from undegrade.inference.arrays import Image, centre, is_grey
from undegrade.inference.jpeg_projection import NOISY, RESAVE_LIMIT
from undegrade.inference.look import Look
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline

UNIVERSAL = "universal"
"""The task for every kind of degradation."""
NOISE = NOISY
"""Lowest noise level, in 8-bit levels, that is removed."""
QUIET, QUIET_NOISE = 20, 1.0
"""The percentile of the noise levels over the picture that must reach this level too."""
COMPRESSED = 80.0
"""A picture with a lower estimated JPEG quality is restored."""
REPAIR_BELOW = RESAVE_LIMIT
"""A JPEG with a lower quality in its header is restored."""
FEW_COLOURS = 0.01
"""Fewer colours than this share of the pixels are those of graphics."""
_MIDDLE = 512
LEAST_SIDE = 16
"""A picture with a shorter side, in pixels, shows too little to separate its degradation from its content."""


@dataclass(frozen=True)
class Choice:
    """What is done to a picture.

    Attributes:
        pipeline: restores it; None to leave the picture alone.
        reason: in words, without a full stop; empty if the user gave the task.
        reader: the pipeline that looked at the picture; None if none did.
        look: what it found, for :meth:`Pipeline.run`.
        first: what is done before, on the small picture (:mod:`undegrade.inference.clean_first`); None for nothing.
    """

    pipeline: Pipeline | None
    reason: str = ""
    reader: Pipeline | None = None
    look: Look | None = None
    first: Choice | None = None


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
    if _has_few_colours(image):
        return Choice(None, "left alone: it has few colours, as graphics have", universal, look)
    if found.noise >= NOISE and _quiet_noise(universal, look) >= QUIET_NOISE:
        reason = f"a noise level of {found.noise:.1f}" + (
            f" and a JPEG quality of about {found.quality:.0f}" if found.quality < COMPRESSED else ""
        )
    elif found.quality < COMPRESSED:
        reason = f"it looks like a JPEG of quality {found.quality:.0f}"
    elif quality is not None and quality < REPAIR_BELOW:
        # After the reading: it can tell of an earlier, coarser saving.
        reason = f"the JPEG quality in the header is {quality}"
    else:
        return Choice(None, "left alone: no noise and no compression were found", universal, look)
    return Choice(universal, reason, universal, look)


def found_in(universal: Pipeline, look: Look) -> Found:
    """The estimates of the universal model for a whole picture."""
    assert look.numbers is not None  # the task has an estimator
    return Found(*look.numbers[0].tolist())


def _quiet_noise(universal: Pipeline, look: Look) -> float:
    """The noise level of the quieter places of a picture, in 8-bit levels."""
    assert look.estimates is not None
    assert universal.quantity is not None
    learned = np.percentile(look.estimates.drawn, QUIET, axis=(1, 2))
    return Found(*universal.quantity.decode(learned).tolist()).noise


def _has_few_colours(image: Image) -> bool:
    """Whether a picture of 8 bits is plain, or a colour picture with the few colours of graphics."""
    if image.dtype != np.uint8:
        return False
    x = np.atleast_3d(centre(image, _MIDDLE))[..., :3].astype(np.uint32)
    if x.shape[2] < 3 or is_grey(x):  # 256 greys are few, whatever happened to them
        return bool((image == image.flat[0]).all())
    codes = np.sort(x[..., 0] << 16 | x[..., 1] << 8 | x[..., 2], axis=None)  # np.unique takes far longer
    colours = 1 + np.count_nonzero(codes[1:] != codes[:-1])
    few: bool = colours < FEW_COLOURS * x.shape[0] * x.shape[1]
    return few
