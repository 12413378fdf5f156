"""What a worker does with one file: fetch it, restore it as a file of its own machine, and put the result."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from undegrade.atomic import lock
from undegrade.cluster.listing import Item
from undegrade.cluster.storage import Place, first_line
from undegrade.files import restore_file
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Outcome, Status, std_path
from undegrade.files.selector import Selector

BYTES_PER_PIXEL = 16
"""A file with more bytes for each allowed pixel is not fetched: 16-bit colour with transparency has 8."""

_FOLDER = "undegrade-worker-"


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


def restore_item(item: Item, how: RemoteHow, folder: Path) -> Outcome:
    """Restore one file.

    Args:
        item: the file.
        how: where it is and how it is restored.
        folder: on this machine, of this worker alone.

    Returns:
        The outcome, with addresses. Exceptions are caught and become its reason.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        here, there = Path(name, "in"), Path(name, "out")
        here.mkdir()
        job = Job(here / PurePosixPath(item.source).name, there / PurePosixPath(item.output).name, item.format)
        outcome = _restored(item, how, job)
        if outcome.reason is not None:
            outcome.reason = outcome.reason.replace(f"{job.source}: ", "").replace(f"{name}/", "")
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
    if outcome.status not in (Status.RESTORED, Status.LEFT):
        return outcome
    std = std_path(job.output)
    try:
        # The result last: where it is, all of it is.
        for file in (std, job.output):
            if file.exists():
                how.output.put(file, str(PurePosixPath(item.output).with_name(file.name)))
    except Exception as error:
        reason = f"its result cannot be put into {how.output.url} ({first_line(error)}); check space and access."
        return dataclasses.replace(outcome, status=Status.FAILED, reason=reason)
    return outcome


class WorkFolder:
    """A folder for the files that a worker has on its machine; those of workers that were killed are removed.

    Attributes:
        path: of the folder.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        self.path = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=parent))
        # The lock goes with the process, however that ends.
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        lock(self._lock)
        for other in parent.glob(f"{_FOLDER}*/lock"):
            if other.parent != self.path:
                _remove_if_dead(other)


def _remove_if_dead(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:  # somebody else's, or gone
        return
    try:
        if lock(descriptor):
            shutil.rmtree(file.parent, ignore_errors=True)
    finally:
        os.close(descriptor)
