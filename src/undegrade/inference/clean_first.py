"""Before a picture is enlarged, noise and compression are removed from it: enlarged, they would be seen the more.

The universal model looks at the small picture, as it does where no task is given, and restores it where it finds
something (:mod:`undegrade.inference.select_task`). What it restores is then enlarged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from undegrade.image import Picture
from undegrade.inference import jpeg_projection
from undegrade.inference.arrays import Image
from undegrade.inference.calls import Progress
from undegrade.inference.options import Restoration, RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import Choice, select_task

NOT_SURE = "how far off the pixels may be is not known, since something was removed before enlarging"
"""What is said where intervals were asked for."""
_CLEANED = 0.5
"""The part of a restoration that cleaning takes."""


def choose(
    pipeline: Pipeline,
    image: Image,
    universal: Callable[[], Pipeline],
    options: RestoreOptions,
    quality: int | None = None,
    progress: Progress | None = None,
    *,
    keep_degradation: bool = False,
) -> Choice:
    """The choice of a task that the user gave; where it enlarges, with what is done before.

    Args:
        pipeline: of the task.
        image: (H, W) or (H, W, 3).
        universal: loads the pipeline of the universal model; called only where it is needed.
        options: with which the picture is enlarged.
        quality: from the header, if the file is a JPEG and its quality is known.
        progress: called with the fraction of the look done.
        keep_degradation: enlarge the picture as it is.
    """
    if keep_degradation or pipeline.architecture.scale == 1:
        return Choice(pipeline)
    first = select_task(image, universal(), before(options), quality, progress)
    return Choice(pipeline, first=None if first.pipeline is None else first)


def before(options: RestoreOptions) -> RestoreOptions:
    """The options of the restoration before: its samples or errors are not what is asked for."""
    return RestoreOptions(
        self_ensemble=options.self_ensemble, tile=options.tile, memory=options.memory, white=options.white
    )


def cleaned(
    picture: Picture, first: Choice, options: RestoreOptions, progress: Progress | None = None
) -> tuple[Picture, Restoration[Image]]:
    """A picture without the degradation that was found, and its restoration.

    Args:
        picture: the small one.
        first: :attr:`Choice.first`.
        options: with which the picture is enlarged.
        progress: called with the fraction done.
    """
    assert first.pipeline is not None  # or there is nothing to do first
    found = jpeg_projection.restored(first.pipeline, picture, before(options), progress, first.look)
    return replace(picture.with_pixels(found.image), coding=None, quality=None, file=None), found


def after(options: RestoreOptions) -> RestoreOptions:
    """The options of the enlargement after it, without intervals: they would know nothing of the errors of cleaning."""
    return replace(options, uncertainty=False)


def in_steps(restoring: Progress | None) -> tuple[Progress | None, Progress | None]:
    """The progress of cleaning and of enlarging, both parts of that of a restoration."""
    if restoring is None:
        return None, None
    return (
        lambda fraction: restoring(_CLEANED * fraction),
        lambda fraction: restoring(_CLEANED + (1 - _CLEANED) * fraction),
    )
