"""One picture file restored into another, and what came of it: whatever happens, an answer and no exception."""

from __future__ import annotations

import dataclasses
import enum
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from undegrade import image
from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.files import jpeg_projection
from undegrade.files.plan import Job
from undegrade.files.select_task import Choice
from undegrade.image import Picture
from undegrade.inference.arrays import from_float
from undegrade.inference.engine import out_of_memory
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline


@dataclass(frozen=True)
class FileOptions:
    """How files are restored.

    Attributes:
        restore: of the pictures in them; with samples, their standard deviation is written beside the result, see
            :func:`std_path`.
        max_pixels: larger pictures are refused.
        strip_metadata: leave out what a file says beside its picture, such as place and camera; its colours stay.
    """

    restore: RestoreOptions = field(default_factory=RestoreOptions)
    max_pixels: int = image.MAX_PIXELS
    strip_metadata: bool = False


STD_PEAK = 16 / 255
"""The standard deviation that is white in its picture."""


def std_path(output: Path) -> Path:
    """Where the standard deviation over samples goes: ``photo.jpg`` -> ``photo-std.png``, beside the result.

    16-bit grey; 65535 stands for :data:`STD_PEAK`, 16 8-bit levels, and everything above.
    """
    return output.with_name(f"{output.stem}-std.png")


class Status(enum.StrEnum):
    """What came of a file."""

    RESTORED = "restored"
    LEFT = "left"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Estimate:
    """What a picture suffered from: ``values`` of the quantity ``name`` in ``unit``, their ``spread``, and words."""

    name: str
    unit: str
    values: tuple[float, ...]
    spread: tuple[float, ...]
    words: str


@dataclass
class Outcome:
    """What came of one file. What was not learnt is None: of a file that cannot be read, there is no width.

    Attributes:
        source: the file, as it was named or found.
        output: where its result is, or would have been.
        status: what came of it.
        reason: why it failed: a sentence without the file's name.
        choice: why this task, or why it was left alone; None where the task was given.
        width: of the source in pixels, upright.
        height: likewise.
        channels: of the source, 1 for grey or 3 for colour, not counting transparency.
        bits: per channel: 8 or 16, or what the file says in between (an AVIF's 10 or 12).
        format: of the source by its content, e.g. ``"jpeg"``.
        notes: what was noticed while the file was read, e.g. that its colour profile is broken and was left out; one
            sentence without a full stop each.
        quality: of a JPEG: the quality factor whose table of luminance steps is nearest to the file's.
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
    choice: str | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    bits: int | None = None
    format: str | None = None
    quality: int | None = None
    notes: tuple[str, ...] = ()
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


TaskSelector = Callable[[Picture], Choice]
"""Which pipeline a picture gets, if any."""


def restore_file(
    job: Job, options: FileOptions, select: TaskSelector, progress: Callable[[float], None] | None = None
) -> Outcome:
    """Restore one file.

    Args:
        job: from where and to where; the output's folder is made if need be.
        options: how.
        select: is asked for the pipeline once the picture is read.
        progress: called with the fraction done.

    Returns:
        What came of it. Every exception that a file can provoke has become the outcome's reason.
    """
    outcome = Outcome(job.source, job.output)
    started = time.perf_counter()
    try:
        outcome.status = _restore(job, options, select, progress, outcome)
    except Exception as error:  # one file, whatever is wrong with it, must not stop the others
        outcome.reason = _reason(error).removeprefix(f"{job.source}: ")
    outcome.seconds = time.perf_counter() - started
    return outcome


def _restore(
    job: Job, options: FileOptions, select: TaskSelector, progress: Callable[[float], None] | None, outcome: Outcome
) -> Status:
    """The work itself; ``outcome`` is told what is learnt on the way."""
    picture = image.read(job.source, options.max_pixels)
    if options.strip_metadata:  # now, so that it is not asked whether the format can hold them
        picture = dataclasses.replace(picture, metadata=picture.metadata.stripped())
    outcome.height, outcome.width = picture.pixels.shape[:2]
    outcome.channels = 1 if picture.pixels.ndim == 2 else 3
    outcome.bits, outcome.format, outcome.quality = picture.bits, str(picture.format), picture.quality
    outcome.notes = tuple(picture.notes)
    image.check_fits(job.output, picture, job.format or picture.format)
    choice = select(picture)
    outcome.choice = choice.reason or None
    pipeline = choice.pipeline
    if pipeline is None:
        _leave(job, options, picture)
        return Status.LEFT
    scale = pipeline.task.degradation.scale
    if scale > 1:
        image.check_fits(job.output, picture, job.format or picture.format, scale)
    outcome.task = pipeline.task.name
    if pipeline.card is not None:
        outcome.variant, outcome.weights_sha256 = pipeline.card.variant, pipeline.card.sha256
    again = job.format in (None, picture.format)
    if again and jpeg_projection.is_better_left(pipeline, picture, options.restore) and not options.strip_metadata:
        # Without restoring it, which is most of the work.
        o = options.restore
        known = None
        if pipeline.quantity is not None:
            known = pipeline.estimate_map(picture.pixels, tile=o.tile, memory=o.memory)
        if jpeg_projection.applies(pipeline, picture, None if known is None else known.estimate, o):
            if known is not None:
                outcome.estimate = estimate_of(pipeline, known.estimate, known.spread)
            outcome.choice = (
                f"left alone: to save a JPEG of quality {picture.quality} as a JPEG again costs more than the repair "
                "gains; write PNG to have it repaired"
            )
            _leave(job, options, picture)
            return Status.LEFT
    found = pipeline.run(picture.pixels, options.restore, progress)
    outcome.estimate = estimate_of(pipeline, found.estimate, found.spread)
    if jpeg_projection.applies(pipeline, picture, found.estimate, options.restore):
        assert picture.coding is not None  # applies() says so
        jpeg_projection.project(found.image, picture.pixels, picture.coding, room=max(options.restore.strength, 1.0))
    _make_folder(job.output.parent)
    if found.std is not None:
        white = from_float(found.std / np.float32(STD_PEAK), np.dtype(np.uint16))
        image.write(std_path(job.output), Picture(white), image.Format.PNG)
    image.write(job.output, picture.with_pixels(found.image), job.format)
    return Status.RESTORED


def _leave(job: Job, options: FileOptions, picture: Picture) -> None:
    """The result is the picture as it is: byte for byte, unless another format or less metadata is wanted."""
    _make_folder(job.output.parent)
    if job.format not in (None, picture.format) or options.strip_metadata:
        image.write(job.output, picture, job.format)
        return
    with job.source.open("rb") as source, replacing(job.output) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UndegradeError(f"{folder}: cannot be made a folder ({error.strerror}); use another -o.") from error


def estimate_of(
    pipeline: Pipeline, estimate: npt.NDArray[np.float64] | None, spread: npt.NDArray[np.float64] | None
) -> Estimate | None:
    """A pipeline's estimate with its name and unit; None where the task has none."""
    quantity = pipeline.quantity
    if estimate is None or spread is None or quantity is None:
        return None
    values = tuple(map(float, estimate))
    return Estimate(quantity.name, quantity.unit, values, tuple(map(float, spread)), quantity.words(values))


def _reason(error: Exception) -> str:
    """A sentence for an exception: what is wrong, and what to do."""
    if isinstance(error, UndegradeError):
        return str(error)
    if out_of_memory(error):
        torch.cuda.empty_cache()  # what the next file may need; nothing to do without a GPU
        return "not enough memory; use a smaller --tile."
    if isinstance(error, OSError):
        return f"the system refuses ({error.strerror or error}); check the file, the folder and their rights."
    lines = str(error).strip().splitlines()
    return f"unexpected {type(error).__name__}{f': {lines[0][:200]}' if lines else ''}; please report it."
