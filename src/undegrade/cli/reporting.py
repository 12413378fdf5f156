"""Output of ``undegrade restore``: lines on the terminal, JSON records, and a progress bar with the time left."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from undegrade.cli import streams
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.plan import Job, Plan
    from undegrade.files.restore_file import Outcome

BIG = 4_000_000
"""A single picture gets a progress bar if it has at least this many pixels."""


class Report:
    """Prints the result of each file, writes its record, and keeps the progress bar on a terminal intact.

    Attributes:
        total: number of files, including folders that cannot be searched.
        failures: one entry per failed file, with the reason.
        progress: the progress bar; to be updated by the caller.
    """

    def __init__(self, plan: Plan, records: TextIO | None) -> None:
        self._plan = plan
        self._records = records
        self._counts: Counter[str] = Counter()
        self.total = len(plan.jobs) + len(plan.unread)
        self.failures: list[str] = []
        self.progress = Progress(plan.jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.progress.close()
        if self._records is not None and self._records is not sys.stdout:
            with suppress(OSError):  # every record was flushed, or its failure was reported
                self._records.close()

    def add(self, outcome: Outcome) -> None:
        """Report one file: restored, left alone, skipped or failed.

        Raises:
            UndegradeError: its record cannot be written.
            BrokenPipeError: the reader of the output has closed it.
        """
        if outcome.output is not None:
            self.progress.done(counted=outcome.status in ("restored", "left"))
        self._counts[outcome.status] += 1
        if outcome.status in ("restored", "left"):
            self._say(_line(outcome), self._out)
        elif outcome.status == "failed":
            self.failures.append(f"{outcome.source}: {outcome.reason}")
            self.complain(self.failures[-1])
        self._record(outcome)

    def complain(self, sentence: str) -> None:
        """Print an error message."""
        self._say(f"undegrade restore: {sentence}", sys.stderr)

    def interrupted(self, skip_existing: bool) -> None:
        """Report that the user stopped the batch, and how to continue."""
        self.progress.close()
        done = self._counts["restored"] + self._counts["left"] + self._counts["skipped"]
        rest = "the same command" if skip_existing else "the same command with --skip-existing"
        self._say("", sys.stderr)  # the terminal has written ^C
        self._list_failures()
        self.complain(f"interrupted, {done} of {self.total} done; {rest} goes on.")

    def summary(self) -> None:
        """Print the totals of a batch. A single file needs none."""
        self.progress.close()
        skipped = self._counts["skipped"]
        if skipped == self.total:
            results = "the result exists" if skipped == 1 else f"all {skipped} results exist"
            self._say(f"{results} already; nothing was done.", self._out)
            return
        if self.total == 1:
            return
        self._list_failures()
        parts = [
            (self._counts["restored"], "restored"),
            (self._counts["left"], "left alone"),
            (skipped, "skipped (result exists)"),
            (len(self.failures), "failed"),
            (self._plan.results, "left out (result of another input)"),
            (self._plan.ignored, "ignored (name is not a picture's)"),
        ]
        self._say("; ".join(f"{count} {what}" for count, what in parts if count), self._out)

    def _list_failures(self) -> None:
        if self.failures:
            self.complain(f"{len(self.failures)} of {self.total} files failed:")
            for failure in self.failures:
                self._say(f"  {failure}", sys.stderr)

    def _record(self, outcome: Outcome) -> None:
        if self._records is None:
            return
        try:
            self._say(json.dumps(outcome.to_record(), allow_nan=False), self._records)
        except BrokenPipeError:
            raise
        except OSError as error:
            if self._records is sys.stdout:
                streams.discard()
            raise UndegradeError(
                f"the records cannot be written ({error.strerror}); free some space and continue with --skip-existing."
            ) from error

    @property
    def _out(self) -> TextIO:
        return sys.stderr if self._records is sys.stdout else sys.stdout

    def _say(self, line: str, stream: TextIO) -> None:
        with self.progress.aside(stream):
            streams.say(line, stream)


def open_records(path: Path, jobs: Sequence[Job]) -> TextIO:
    """Open the file of records for appending: a batch in two runs has all records in one file.

    Raises:
        UndegradeError: the file cannot be written, or it is a picture.
    """
    from undegrade.files.identity import identity
    from undegrade.image import Format

    if str(path) == "-":
        return sys.stdout
    if Format.of_name(path) is not None or identity(path) in {identity(job.source) for job in jobs}:
        raise UndegradeError(f"--json {path} is a picture's name; give another name, such as records.jsonl.")
    try:
        file = path.open("a", encoding="ascii", newline="\n")
        if path.is_file() and path.stat().st_size > 0:
            with path.open("rb") as written:
                written.seek(-1, os.SEEK_END)
                if written.read() != b"\n":  # an incomplete record after a crash
                    file.write("\n")
    except OSError as error:
        raise UndegradeError(f"--json {path}: cannot be written ({error.strerror}); give another file.") from error
    return file


def _line(outcome: Outcome) -> str:
    """The line on the terminal for a file that was restored or left alone."""
    colours = "grey" if outcome.channels == 1 else "colour"
    kind = f"{outcome.bits}-bit {colours} {(outcome.format or '').upper()}"
    if outcome.quality is not None:
        kind += f" of quality {outcome.quality}"
    if outcome.notes:
        kind += f" ({'; '.join(outcome.notes)})"
    found = "" if outcome.estimate is None else f"; estimated {outcome.estimate.words}"
    if outcome.status == "left":
        return f"{outcome.source}: {outcome.width} x {outcome.height}, {kind}; {outcome.choice} -> {outcome.output}"
    done = "restored" if outcome.strength != 0 else "unchanged (strength 0)"
    weights = f" with {outcome.task}-{outcome.variant}" if outcome.variant is not None else ""
    why = f" ({outcome.choice})" if outcome.choice is not None else ""
    return (
        f"{outcome.source}: {outcome.width} x {outcome.height}, {kind}{found}; {done}{weights}{why} "
        f"in {outcome.seconds:.1f} s -> {outcome.output}"
    )


class Progress:
    """One bar for the whole batch, weighted by pixels. No bar if the output is no terminal or the work is short."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._bar: Any = None
        self._index = -1
        if not sys.stderr.isatty():
            return
        self._weights = _weights(jobs)
        if len(jobs) > 1 or max(self._weights) >= BIG:
            from tqdm import tqdm

            self._bar = tqdm(
                total=sum(self._weights),
                leave=False,
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {elapsed} < {remaining}",
            )

    def start(self) -> None:
        """The next file begins."""
        self._index += 1
        if self._bar is not None:
            self._from = self._bar.n
            self._bar.set_description_str(f"{self._index + 1} of {len(self._weights)}")

    def within(self, fraction: float) -> None:
        """Update: this fraction of the current file is done."""
        if self._bar is not None:
            self._bar.update(self._from + fraction * self._weights[self._index] - self._bar.n)

    def done(self, counted: bool) -> None:
        """The file is done. A file without work is not counted, because it would distort the time left."""
        if self._bar is None:
            return
        if not counted:
            self._bar.total -= self._weights[self._index]
        self.within(float(counted))

    def aside(self, stream: TextIO) -> AbstractContextManager[Any]:
        """A context for writing to ``stream`` while the bar is shown."""
        if self._bar is None:
            return nullcontext()
        mode: AbstractContextManager[Any] = self._bar.external_write_mode(file=stream)
        return mode

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _weights(jobs: Sequence[Job]) -> list[float]:
    """The number of pixels of each picture, from its header; the mean of the others if it cannot be read."""
    import warnings

    from PIL import Image

    known: list[float | None] = []
    for job in jobs:
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(job.source) as picture:
                known.append(float(picture.width * picture.height))
        except Exception:  # any problem is reported when the file is restored
            known.append(None)
    sizes = [size for size in known if size is not None]
    mean = sum(sizes) / len(sizes) if sizes else 1.0
    return [mean if size is None else size for size in known]
