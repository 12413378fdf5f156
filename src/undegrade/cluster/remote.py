"""What a worker does with one file: fetch it, restore it as a file of its own machine, and put the result."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from undegrade.atomic import lock
from undegrade.cluster.listing import Item
from undegrade.cluster.storage import Place, first_line
from undegrade.files import restore_file
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Outcome, Status, beside
from undegrade.files.selector import Selector
from undegrade.files.uncertainty import uncertainty_path

BYTES_PER_PIXEL = 16
"""A file with more bytes for each allowed pixel is not fetched: 16-bit colour with transparency has 8."""

_FOLDER, _LOCK = "undegrade-worker-", "lock"


@dataclass(frozen=True)
class RemoteHow:
    """How the files of a batch are restored; can be sent to another machine.

    Attributes:
        source: the folder of the items' sources.
        output: the folder of their results.
        options: how each is restored.
        select: which model restores it.
    """

    source: Place
    output: Place
    options: FileOptions
    select: Selector


def restore_item(item: Item, how: RemoteHow, parent: Path | None = None) -> Outcome:
    """Restore one file.

    Args:
        item: the file.
        how: where it is and how it is restored.
        parent: see :func:`work_folder`.

    Returns:
        The outcome, with addresses. Exceptions are caught and become its reason.
    """
    started = time.perf_counter()
    try:
        with work_folder(parent) as folder:
            here, there = folder / "in", folder / "out"
            here.mkdir()
            job = Job(here / PurePosixPath(item.source).name, there / PurePosixPath(item.output).name, item.format)
            outcome = _restored(item, how, job)
            if outcome.reason is not None:
                outcome.reason = outcome.reason.replace(f"{job.source}: ", "").replace(f"{folder}/", "")
    except OSError as error:
        reason = f"its worker has no room for it ({first_line(error)}); free some space there, or set TMPDIR."
        outcome = Outcome(item.source, item.output, reason=reason)
    return dataclasses.replace(
        outcome,
        source=how.source.shown(item.source),
        output=how.output.shown(item.output),
        seconds=time.perf_counter() - started,
    )


def _restored(item: Item, how: RemoteHow, job: Job) -> Outcome:
    most = BYTES_PER_PIXEL * how.options.max_pixels
    if item.size is not None and item.size > most:
        reason = f"it has {item.size / 1e6:.0f} MB, more than a picture of {how.options.max_pixels / 1e6:g} megapixels."
        return Outcome(job.source, job.output, reason=reason)
    try:
        how.source.get(item.source, job.source)
    except Exception as error:  # each store has errors of its own
        reason = f"it cannot be fetched ({first_line(error)}); check that it is there and may be read."
        return Outcome(job.source, job.output, reason=reason)
    outcome = restore_file.restore_file(job, how.options, how.select)
    if outcome.uncertainty is not None:
        name = str(PurePosixPath(item.output).with_name(uncertainty_path(job.output).name))
        outcome.uncertainty = dataclasses.replace(outcome.uncertainty, file=how.output.shown(name))
    if outcome.status not in (Status.RESTORED, Status.LEFT):
        return outcome
    try:
        # The result last: where it is, all of it is.
        for file in (*beside(job.output, how.options.restore), job.output):
            name = str(PurePosixPath(item.output).with_name(file.name))
            if file.exists():
                how.output.put(file, name)
            else:  # of an earlier run; this one has left the picture alone
                how.output.remove(name)
    except Exception as error:
        reason = f"its result cannot be put into {how.output.url} ({first_line(error)}); check space and access."
        return dataclasses.replace(outcome, status=Status.FAILED, reason=reason)
    return outcome


@contextmanager
def work_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder on this machine for the time of the block.

    Args:
        parent: where it is made; None for the system's place for temporary files.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=parent))
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        # Else another worker has taken it for a dead one's, and removes it or has removed it.
        if lock(descriptor) is not False and (folder / _LOCK).exists():
            break
        os.close(descriptor)
    try:
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def remove_dead_folders(parent: Path | None = None) -> None:
    """Remove the work folders of workers that were killed: the lock goes with the process, however that ends."""
    for file in Path(parent or tempfile.gettempdir()).glob(f"{_FOLDER}*/{_LOCK}"):
        with suppress(OSError):  # somebody else's, or gone
            descriptor = os.open(file, os.O_RDWR)
            try:
                if lock(descriptor):
                    shutil.rmtree(file.parent, ignore_errors=True)
            finally:
                os.close(descriptor)
