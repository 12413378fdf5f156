"""The files of a batch, one after the other: each is claimed, left out if its result is there, and restored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from undegrade.atomic import remove_leftovers
from undegrade.files import claims, restore_file
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Outcome, Status
from undegrade.files.selector import Selector

Stamp = tuple[int, int]
"""Changes when a file is written anew: time in nanoseconds, bytes. No inode: some file systems number files anew."""


@dataclass(frozen=True)
class Turn:
    """A file of a batch.

    Attributes:
        index: its place in the batch, from 0.
        job: source and output.
        before: what was there as its result when the batch began; None for nothing.
    """

    index: int
    job: Job
    before: Stamp | None = None


@dataclass(frozen=True)
class How:
    """How the files of a batch are restored; can be sent to another process.

    Attributes:
        options: how each is restored.
        select: which model restores it.
        skip_existing: keep results that exist.
    """

    options: FileOptions
    select: Selector
    skip_existing: bool = False


class Told(Protocol):
    """Receives the progress of a batch."""

    def start(self, index: int) -> None:
        """A file is begun, also when it is begun again."""

    def within(self, index: int, fraction: float) -> None:
        """This fraction of it is done."""


def turns(jobs: Sequence[Job]) -> tuple[Turn, ...]:
    """The files of a batch that begins now."""
    return tuple(Turn(index, job, stamp(job.output)) for index, job in enumerate(jobs))


def stamp(path: Path) -> Stamp | None:
    """Of a file; None if there is none."""
    try:
        if not path.is_file():
            return None
        status = path.stat()
    except OSError:  # writing the result reports the reason
        return None
    return status.st_mtime_ns, status.st_size


def restore_turn(turn: Turn, how: How, progress: Callable[[float], None] | None = None) -> Outcome:
    """Restore one file of a batch, unless its result is there or another process is restoring it.

    A result that another run wrote since the batch began is kept, also without ``skip_existing``: two runs on one
    folder share the work.

    Args:
        turn: the file.
        how: how it is restored.
        progress: called with the fraction done.

    Returns:
        The outcome, SKIPPED or BUSY included; errors are in it.
    """
    job = turn.job
    if _is_done(turn, how):  # costs less than a claim
        return Outcome(job.source, job.output, Status.SKIPPED)
    with claims.claim(job.output) as mine:
        if not mine:
            return Outcome(job.source, job.output, Status.BUSY)
        if _is_done(turn, how):  # meanwhile
            return Outcome(job.source, job.output, Status.SKIPPED)
        return restore_file.restore_file(job, how.options, how.select, progress)


def in_turn(batch: Iterable[Turn], how: How, told: Told) -> Iterator[tuple[int, Outcome]]:
    """Restore the files one after the other in this process. Those that another run is at are tried again at the end.

    Yields:
        The place of each file and its outcome.
    """
    busy: list[Turn] = []

    def restored(turn: Turn) -> Outcome:
        told.start(turn.index)
        return restore_turn(turn, how, lambda fraction: told.within(turn.index, fraction))

    for turn in batch:
        outcome = restored(turn)
        if outcome.status == Status.BUSY:
            busy.append(turn)
        else:
            yield turn.index, outcome
    for turn in busy:
        yield turn.index, restored(turn)


def clean(folders: Iterable[Path]) -> None:
    """Remove what killed processes left in the folders of results."""
    for folder in folders:
        remove_leftovers(folder)
        claims.remove_dead(folder)


def _is_done(turn: Turn, how: How) -> bool:
    now = stamp(turn.job.output)
    return now is not None and (how.skip_existing or now != turn.before)
