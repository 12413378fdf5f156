"""One picture file restored into another, and what came of it: whatever happens, an answer and no exception."""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vdir import image
from vdir.batch import Job
from vdir.engine import out_of_memory
from vdir.errors import VdirError
from vdir.image import Picture
from vdir.pipeline import Pipeline, Restoration


@dataclass(frozen=True)
class Options:
    """How files are restored.

    Attributes:
        self_ensemble: average over eight flips and rotations.
        tile: largest side of a tile in input pixels; None for the default.
        max_pixels: larger pictures are refused.
        strip_metadata: leave out what a file tells beside its picture, as place and camera; its colours stay.
    """

    self_ensemble: bool = False
    tile: int | None = None
    max_pixels: int = image.MAX_PIXELS
    strip_metadata: bool = False


class Status(enum.StrEnum):
    """What came of a file."""

    RESTORED = "restored"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Estimate:
    """What a picture suffered from: ``values`` of the quantity ``name``, in ``unit``."""

    name: str
    unit: str
    values: tuple[float, ...]


@dataclass
class Outcome:
    """What came of one file. What was not learnt is None: of a file that cannot be read, there is no width.

    Attributes:
        source: the file, as it was named or found.
        output: where its result is, or would have been.
        status: what came of it.
        reason: why it failed: a sentence without the file's name.
        width: of the source in pixels, upright.
        height: likewise.
        channels: of the source, 1 for grey or 3 for colour, not counting transparency.
        bits: per channel: 8 or 16, or what the file says in between (an AVIF's 10 or 12).
        format: of the source by its content, e.g. ``"jpeg"``.
        task: what was repaired.
        variant: ``"full"`` or ``"fast"``.
        weights_sha256: of the weights file.
        estimate: the damage that was found, where the task has an estimator.
        seconds: from before reading until after writing.
    """

    source: Path
    output: Path | None
    status: Status = Status.FAILED
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    bits: int | None = None
    format: str | None = None
    task: str | None = None
    variant: str | None = None
    weights_sha256: str | None = None
    estimate: Estimate | None = None
    seconds: float = 0.0

    def to_record(self) -> dict[str, Any]:
        """The attributes by name, JSON-able: paths as strings, the estimate as an object."""
        record = dataclasses.asdict(self)
        record["source"] = str(self.source)
        record["output"] = None if self.output is None else str(self.output)
        record["seconds"] = round(self.seconds, 3)
        return record


Chooser = Callable[[Picture], Pipeline]
"""Which pipeline a picture gets."""


def restore_file(
    job: Job, options: Options, choose: Chooser, progress: Callable[[float], None] | None = None
) -> Outcome:
    """Restore one file.

    Args:
        job: from where and to where; the output's folder is made if need be.
        options: how.
        choose: is asked for the pipeline once the picture is read.
        progress: called with the fraction done.

    Returns:
        What came of it. Every exception that a file can provoke has become the outcome's reason.
    """
    outcome = Outcome(job.source, job.output)
    started = time.perf_counter()
    try:
        _restore(job, options, choose, progress, outcome)
        outcome.status = Status.RESTORED
    except Exception as error:  # one file, whatever is wrong with it, must not stop the others
        outcome.reason = _reason(error).removeprefix(f"{job.source}: ")
    outcome.seconds = time.perf_counter() - started
    return outcome


def _restore(
    job: Job, options: Options, choose: Chooser, progress: Callable[[float], None] | None, outcome: Outcome
) -> None:
    """The work itself; ``outcome`` is told what is learnt on the way."""
    picture = image.read(job.source, options.max_pixels)
    if options.strip_metadata:  # now, so that it is not asked whether the format can hold them
        picture = dataclasses.replace(picture, metadata=picture.metadata.stripped())
    outcome.height, outcome.width = picture.pixels.shape[:2]
    outcome.channels = 1 if picture.pixels.ndim == 2 else 3
    outcome.bits, outcome.format = picture.bits, str(picture.format)
    image.check_fits(job.output, picture, job.format or picture.format)
    pipeline = choose(picture)
    outcome.task = pipeline.task.name
    if pipeline.card is not None:
        outcome.variant, outcome.weights_sha256 = pipeline.card.variant, pipeline.card.sha256
    found = pipeline(picture.pixels, self_ensemble=options.self_ensemble, tile=options.tile, progress=progress)
    outcome.estimate = _estimate(pipeline, found)
    folder = job.output.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VdirError(f"{folder}: cannot be made a folder ({error.strerror}); use another -o.") from error
    image.write(job.output, picture.with_pixels(found.image), job.format)


def _estimate(pipeline: Pipeline, found: Restoration) -> Estimate | None:
    if found.estimate is None or pipeline.task.degradation is None:
        return None
    quantity = pipeline.task.degradation.quantity
    return Estimate(quantity.name, quantity.unit, tuple(float(value) for value in found.estimate))


def _reason(error: Exception) -> str:
    """A sentence for an exception: what is wrong, and what to do."""
    if isinstance(error, VdirError):
        return str(error)
    if out_of_memory(error):
        torch.cuda.empty_cache()  # what the next file may need; nothing to do without a GPU
        return "not enough memory; use a smaller --tile."
    if isinstance(error, OSError):
        return f"the system refuses ({error.strerror or error}); check the file, the folder and their rights."
    lines = str(error).strip().splitlines()
    return f"unexpected {type(error).__name__}{f': {lines[0][:200]}' if lines else ''}; please report it."
