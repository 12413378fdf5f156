"""Restores one picture file. Errors are returned in the outcome, never raised."""

from __future__ import annotations

import dataclasses
import enum
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from undegrade import image
from undegrade.errors import UndegradeError
from undegrade.files.estimate import Estimate, estimate_of, in_words
from undegrade.files.plan import Job
from undegrade.files.uncertainty import UncertaintyRecord, uncertainty_path, write_uncertainty
from undegrade.image import Picture
from undegrade.inference import clean_first, jpeg_projection
from undegrade.inference.arrays import Image, from_float
from undegrade.inference.engine import out_of_memory
from undegrade.inference.one_image import in_two_steps
from undegrade.inference.options import RestoreOptions
from undegrade.inference.ranges import find_range
from undegrade.inference.select_task import Choice


@dataclass(frozen=True)
class FileOptions:
    """How files are restored.

    Attributes:
        restore: options for the pictures; with samples, the standard deviation is written to :func:`std_path`, with
            uncertainty the widths of intervals to :func:`undegrade.files.uncertainty.uncertainty_path`.
        max_pixels: larger pictures are refused.
        strip_metadata: leave out metadata such as place and camera; the colour profile stays.
    """

    restore: RestoreOptions = field(default_factory=RestoreOptions)
    max_pixels: int = image.MAX_PIXELS
    strip_metadata: bool = False


NO_MEMORY = "there is not enough memory; close other programs, cut the picture up, or use another device."
STD_PEAK = 16 / 255
"""The standard deviation that is shown white, for images in [0, 1]."""


def std_path(output: Path) -> Path:
    """Path of the standard deviation over samples, next to the result: ``photo.jpg`` -> ``photo-std.png``.

    It is 16-bit grey; 65535 means :data:`STD_PEAK` (16 8-bit levels) or more.
    """
    return output.with_name(f"{output.stem}-std.png")


def beside(output: Path, options: RestoreOptions) -> list[Path]:
    """Paths of the pictures that these options write next to a result."""
    asked = {std_path: options.samples > 0, uncertainty_path: options.uncertainty}
    return [naming(output) for naming, wanted in asked.items() if wanted]


def ever_beside(output: Path) -> list[Path]:
    """Paths of the pictures that any options write next to a result."""
    return [std_path(output), uncertainty_path(output)]


@dataclass(frozen=True)
class First:
    """What was done to a picture before it was enlarged.

    Attributes:
        task, variant, weights_sha256, estimate: of the model that did it, as in :class:`Outcome`.
        choice: why.
    """

    task: str
    variant: str | None
    weights_sha256: str | None
    estimate: Estimate | None
    choice: str

    @property
    def words(self) -> str:
        """For people."""
        model = self.task if self.variant is None else f"{self.task}-{self.variant}"
        return f"first cleaned by {model}: {self.choice}; --keep-degradation leaves that out"


class Status(enum.StrEnum):
    """The final state of a file. LEFT: copied without restoration. BUSY: another run is restoring it."""

    RESTORED = "restored"
    LEFT = "left"
    SKIPPED = "skipped"
    BUSY = "busy"
    FAILED = "failed"


@dataclass
class Outcome:
    """The result for one file. Unknown values are None, e.g. the width of a file that cannot be read.

    Attributes:
        source: path of the file, as given or found; a text if it is a URL.
        output: path of its result, also if it was not written; a text if it is a URL.
        status: see :class:`Status`.
        reason: why it failed: a sentence without the file's name.
        choice: why this task was selected, or why the picture was left alone; None if the user gave the task.
        width: of the upright source, in pixels.
        height: of the upright source, in pixels.
        channels: of the source, 1 for grey or 3 for colour, without transparency.
        bits: per channel: 8 or 16, or the depth of the file in between (10 or 12 in an AVIF).
        format: of the source by its content, e.g. ``"jpeg"``.
        notes: remarks from reading the file, e.g. that a broken colour profile was dropped; each is one sentence
            without a full stop.
        quality: of a JPEG: the quality factor whose luminance quantisation table is closest to the file's.
        task: the task that restored it.
        variant: of the task, e.g. ``"fast"``.
        weights_sha256: of the weights file.
        estimate: the estimated degradation, if the task has an estimator.
        level: what replaced the estimate; None if nothing did.
        seconds: time for reading, restoring and writing.
        uncertainty: how far off the result may be, if that was asked for.
        first: what was removed before the picture was enlarged; None if nothing was.
    """

    source: Path | str
    output: Path | str | None
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
    strength: float = 1.0
    level: float | None = None
    uncertainty: UncertaintyRecord | None = None
    first: First | None = None

    def to_record(self) -> dict[str, Any]:
        """The attributes by name, as JSON values: paths as strings, the estimate as an object."""
        record = dataclasses.asdict(self)
        record["source"] = str(self.source)
        record["output"] = None if self.output is None else str(self.output)
        record["seconds"] = round(self.seconds, 3)
        return record


Progress = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""
TaskSelector = Callable[[Image, int | None, Progress | None], Choice]
"""Selects the pipeline, or none, for the pixels of a file, (H, W) or (H, W, 3), and the quality in the header of a
JPEG. Its progress is that of the look at them."""


def restore_file(job: Job, options: FileOptions, select: TaskSelector, progress: Progress | None = None) -> Outcome:
    """Restore one file.

    Args:
        job: source and output; the output's folder is created if necessary.
        options: how to restore it.
        select: called after the picture is read; returns its pipeline.
        progress: called with the fraction done.

    Returns:
        The outcome. Exceptions are caught and become its reason.
    """
    outcome = Outcome(job.source, job.output)
    started = time.perf_counter()
    try:
        outcome.status = _restore(job, options, select, progress, outcome)
    except Exception as error:  # an error in one file must not stop the others
        outcome.reason = _reason(error).removeprefix(f"{job.source}: ")
    outcome.seconds = time.perf_counter() - started
    return outcome


def _restore(
    job: Job, options: FileOptions, select: TaskSelector, progress: Progress | None, outcome: Outcome
) -> Status:
    """Restore a file; fills in ``outcome`` step by step, as far as it gets."""
    picture = image.read(job.source, options.max_pixels)
    if options.strip_metadata:  # before check_fits: metadata that is dropped need not fit the format
        picture = dataclasses.replace(picture, metadata=picture.metadata.stripped())
    outcome.height, outcome.width = picture.pixels.shape[:2]
    outcome.channels = 1 if picture.pixels.ndim == 2 else 3
    outcome.bits, outcome.format, outcome.quality = picture.bits, str(picture.format), picture.quality
    outcome.notes = tuple(picture.notes)
    format = job.format or picture.format.of_result
    if not picture.format.is_written and format is image.Format.PNG:
        outcome.notes += (f"{picture.format.upper()} is only read, the result is a PNG",)
    outcome.strength, outcome.level = options.restore.strength, options.restore.level
    image.check_fits(job.output, picture, format)
    black_and_white = find_range(picture.visible, options.restore.white)
    if not black_and_white.is_full:
        outcome.notes += (black_and_white.note,)
    looking, restoring = in_two_steps(progress)
    choice = select(picture.visible, picture.quality, looking)
    outcome.choice = choice.reason or None
    pipeline, look, choice = choice.pipeline, choice.look, dataclasses.replace(choice, look=None)
    look = None if look is None else look.without_maps()
    if look is not None and choice.reader is not None:
        outcome.estimate = estimate_of(choice.reader, look)
    if pipeline is None:
        _leave(job, options, picture, format)
        return Status.LEFT
    scale = pipeline.task.degradation.scale
    if scale > 1:
        image.check_fits(job.output, picture, format, scale)
    outcome.task = pipeline.task.name
    if pipeline.engine.int8:
        outcome.notes += ("a draft, computed in int8",)
    if pipeline.card is not None:
        outcome.variant, outcome.weights_sha256 = pipeline.card.variant, pipeline.card.sha256
    if (
        format is picture.format
        and jpeg_projection.is_better_left(pipeline, picture, options.restore)
        and not options.strip_metadata
    ):
        # Decide before the restoration, which takes most of the time.
        if look is None and pipeline.quantity is not None:
            look = pipeline.look(picture.visible, options.restore, looking)
        if look is not None:
            outcome.estimate = estimate_of(pipeline, look)
        values = None if outcome.estimate is None else outcome.estimate.values
        if jpeg_projection.applies(pipeline, picture, values, options.restore):
            outcome.choice = (
                f"left alone: saving a JPEG of quality {picture.quality} again costs more than the restoration gains; "
                "write PNG to restore it"
            )
            _leave(job, options, picture, format)
            return Status.LEFT
    restore = options.restore
    if choice.first is not None:
        if restore.uncertainty:
            restore, outcome.notes = clean_first.after(restore), (*outcome.notes, clean_first.NOT_SURE)
        cleaning, restoring = clean_first.in_steps(restoring)
        picture, outcome.first = _cleaned(picture, choice.first, options, cleaning)
    has_looked = look is not None or choice.first is not None
    found = jpeg_projection.restored(pipeline, picture, restore, restoring if has_looked else progress, look)
    outcome.estimate = in_words(pipeline, found.estimate, found.spread)
    _make_folder(job.output.parent)
    try:
        if found.std is not None:
            white = from_float(found.std / np.float32(STD_PEAK), np.dtype(np.uint16))
            image.write(std_path(job.output), Picture(white), image.Format.PNG)
        if found.scale is not None:
            outcome.uncertainty = write_uncertainty(job.output, found)
        elif options.restore.uncertainty:  # what is there is of an earlier result
            uncertainty_path(job.output).unlink(missing_ok=True)
        # The last: where it is, all of it is.
        if options.restore.strength == 0:
            _write_as_it_was(job, options, picture, format)
        else:
            image.write(job.output, picture.with_pixels(found.image), format)
    except BaseException:
        outcome.uncertainty = None
        with suppress(OSError):
            _remove_beside(job, options)
        raise
    return Status.RESTORED


def _cleaned(picture: Picture, first: Choice, options: FileOptions, progress: Progress | None) -> tuple[Picture, First]:
    """The picture without the degradation that is not to be enlarged, and what was done."""
    pipeline = first.pipeline
    assert pipeline is not None  # see Choice.first
    card = pipeline.card
    picture, found = clean_first.cleaned(picture, first, options.restore, progress)
    estimate = in_words(pipeline, found.estimate, found.spread)
    variant, sha256 = (None, None) if card is None else (card.variant, card.sha256)
    return picture, First(pipeline.task.name, variant, sha256, estimate, first.reason)


def _remove_beside(job: Job, options: FileOptions) -> None:
    """Remove the pictures next to a result: without it, or of an earlier one, they say nothing."""
    for path in beside(job.output, options.restore):
        path.unlink(missing_ok=True)


def _leave(job: Job, options: FileOptions, picture: Picture, format: image.Format) -> None:
    """Write the picture unchanged, and nothing beside it."""
    _make_folder(job.output.parent)
    _remove_beside(job, options)
    _write_as_it_was(job, options, picture, format)


def _write_as_it_was(job: Job, options: FileOptions, picture: Picture, format: image.Format) -> None:
    """Byte for byte, unless in another format or without metadata."""
    if format is not picture.format or options.strip_metadata:
        image.write(job.output, picture, format)
    else:
        image.copy(job.source, job.output)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UndegradeError(f"{folder}: the folder cannot be created ({error.strerror}); use another -o.") from error


def _reason(error: Exception) -> str:
    """A sentence for an exception: what is wrong, and what to do."""
    if isinstance(error, UndegradeError):
        return str(error)
    if out_of_memory(error):
        if (torch := sys.modules.get("torch")) is not None:
            torch.cuda.empty_cache()  # free memory for the next file; does nothing without a GPU
        # Not for want of a smaller tile: where a tile needs too much, it has been halved already.
        return NO_MEMORY
    if isinstance(error, OSError):
        return f"the system reports an error ({error.strerror or error}); check file, folder and permissions."
    lines = str(error).strip().splitlines()
    return f"unexpected {type(error).__name__}{f': {lines[0][:200]}' if lines else ''}; please report it."
