"""Output of ``undegrade restore``: lines on the terminal and JSON records."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from undegrade.cli import interrupts, streams
from undegrade.cli.colour import Style
from undegrade.cli.progress import Progress
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.plan import Job
    from undegrade.files.restore_file import Outcome

_COMMAND = "undegrade restore:"
LISTED = 1000
"""Most failures that are listed again at the end."""


class Report:
    """Prints the result of each file, writes its record, and keeps the progress bar on a terminal intact.

    Args:
        records: takes one line of JSON for each file; None for no records.
        jobs: the files of the batch, for the progress bar; none where they are not known beforehand.
        total: number of files, including folders that cannot be searched; None where it is not known.

    Attributes:
        total: as given.
        failures: the reasons of the files that failed, the first :data:`LISTED` of them.
        failed: how many failed.
        progress: the progress bar; to be updated by the caller.
    """

    def __init__(self, records: TextIO | None, jobs: Sequence[Job] = (), total: int | None = None) -> None:
        self._records = records
        self._counts: Counter[str] = Counter()
        self.total = total
        self.failures: list[str] = []
        self.progress = Progress(jobs)

    @property
    def failed(self) -> int:
        return self._counts["failed"]

    @property
    def has_begun(self) -> bool:
        """Whether any file has been reported."""
        return bool(self._counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.progress.close()
        with suppress(OSError):  # every record was flushed, or its failure was reported
            self._close_records()

    def add(self, outcome: Outcome, index: int | None = None) -> None:
        """Report one file: restored, left alone, skipped, in the hands of another run, or failed.

        Args:
            outcome: of the file.
            index: its place among the jobs; None for what is none of them.

        Raises:
            UndegradeError: its record cannot be written.
            BrokenPipeError: the reader of the output has closed it.
        """
        if index is not None:
            self.progress.done(index, counted=outcome.status in ("restored", "left"))
        self._counts[outcome.status] += 1
        if outcome.status in ("restored", "left"):
            self._say(line_of(outcome), self._out, str(outcome.source), Style.NAME)
        elif outcome.status == "busy":
            line = f"{outcome.source}: left out, another run is restoring it"
            self._say(line, self._out, str(outcome.source), Style.NAME)
        elif outcome.status == "failed":
            failure = f"{outcome.source}: {outcome.reason}"
            if len(self.failures) < LISTED:
                self.failures.append(failure)
            self.complain(failure)
        self._record(outcome)

    def complain(self, sentence: str) -> None:
        """Print an error message."""
        self._say(f"{_COMMAND} {sentence}", sys.stderr, _COMMAND, Style.ERROR)

    def interrupted(self, skip_existing: bool) -> None:
        """Report that the user stopped the batch, and how to continue."""
        self.progress.close()
        done = self._counts["restored"] + self._counts["left"] + self._counts["skipped"]
        rest = "the same command" if skip_existing else "the same command with --skip-existing"
        self._say("", sys.stderr)  # the terminal has written ^C
        self._list_failures()
        self.complain(f"interrupted, {done}{'' if self.total is None else f' of {self.total}'} done; {rest} goes on.")

    def summary(self, totals: Totals) -> None:
        """Print the totals of a batch. A single file needs none."""
        self.progress.close()
        total, skipped = sum(self._counts.values()), self._counts["skipped"]
        if skipped == total and (total or not totals.others):
            results_exist = "the result exists" if skipped == 1 else f"all {skipped} results exist"
            self._say(f"{results_exist} already; nothing was done.", self._out)
            return
        if self.total == 1 and not totals.others:
            return
        self._list_failures()
        from undegrade.files.ignored import in_words

        parts = [
            (self._counts["restored"], "restored"),
            (self._counts["left"], "left alone"),
            (skipped, "skipped (result exists)"),
            (self._counts["busy"], "left out (another run is restoring it)"),
            (self.failed, "failed"),
            (totals.results, "left out (result of another input)"),
            (totals.others, "in other shards"),
            (totals.ignored.total(), f"ignored ({in_words(totals.ignored)})"),
        ]
        self._say("; ".join(f"{count} {what}" for count, what in parts if count), self._out)

    def close_records(self) -> None:
        """Write the last of the records.

        Raises:
            UndegradeError: they cannot be written.
        """
        with _recording(self._records):
            self._close_records()

    def _close_records(self) -> None:
        if self._records is not None and self._records is not sys.stdout:
            self._records.close()

    def _list_failures(self) -> None:
        if self.failed:
            files = f"file{'s' * (self.failed > 1)}" if self.total is None else f"of {self.total} files"
            self.complain(f"{self.failed} {files} failed:")
            for failure in self.failures:
                self._say(f"  {failure}", sys.stderr)
            if self.failed > len(self.failures):
                self._say(f"  and {self.failed - len(self.failures)} more, see the records", sys.stderr)

    def _record(self, outcome: Outcome) -> None:
        if self._records is not None:
            with self.progress.aside(self._records):
                write_record(outcome.to_record(), self._records)

    @property
    def _out(self) -> TextIO:
        return sys.stderr if self._records is sys.stdout else sys.stdout

    def _say(self, line: str, stream: TextIO, head: str = "", style: Style | None = None) -> None:
        with self.progress.aside(stream):
            streams.say(line, stream, head, style)


class Totals(Protocol):
    """Files that a batch left out, at its end."""

    @property
    def results(self) -> int:
        """They are results of other inputs."""

    @property
    def ignored(self) -> Counter[str]:
        """Their names are not those of pictures, by suffix."""

    @property
    def others(self) -> int:
        """They are in other shards."""


def report_all(
    outcomes: Generator[tuple[int | None, Outcome]], report: Report, skip_existing: bool, totals: Totals
) -> int:
    """Report the outcomes as they come, and the totals.

    Args:
        outcomes: of the files, with their places among the jobs; closed at the end, also at Ctrl-C.
        report: open.
        skip_existing: whether the user gave it.
        totals: of the files that were left out.

    Returns:
        The exit code.
    """
    try:
        with closing(outcomes):
            for index, outcome in outcomes:
                if outcome.status == "failed":
                    interrupts.check()  # not the file's fault
                report.add(outcome, index)
                interrupts.check()
        report.close_records()
        report.summary(totals)
    except KeyboardInterrupt:
        report.interrupted(skip_existing)
        return interrupts.EXIT_CODE
    except UndegradeError as error:  # of the batch: those of a file are in its outcome
        report.complain(str(error))
        return 1 if report.has_begun else 2
    return 1 if report.failed else 0


def write_record(record: dict[str, Any], records: TextIO) -> None:
    """Write a record as one line of JSON.

    Raises:
        UndegradeError: it cannot be written.
    """
    with _recording(records):
        streams.say(json.dumps(record, allow_nan=False), records)


@contextmanager
def _recording(records: TextIO | None) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if records is sys.stdout:
            streams.discard()
        raise UndegradeError(
            f"the records cannot be written ({error.strerror or error}); free some space and give the same command "
            "again; undegrade restore goes on with --skip-existing."
        ) from error


def open_records(path: Path, sources: Iterable[Path]) -> TextIO:
    """Open the file of records for appending: a batch in two runs has all records in one file.

    Args:
        path: of the file; ``-`` for stdout.
        sources: the pictures of the batch, none of which it may be.

    Raises:
        UndegradeError: the file cannot be written, or it is a picture.
    """
    from undegrade.files.identity import identity
    from undegrade.image import Format

    if str(path) == "-":
        return sys.stdout
    if Format.of_name(path) is not None or identity(path) in set(map(identity, sources)):
        raise UndegradeError(f"--json {path} is a picture's name; give another name, such as records.jsonl.")
    try:
        file = open(path, "a", encoding="ascii", newline="\n", opener=_opener)  # noqa: SIM115 (closed by Report)
        if path.is_file() and path.stat().st_size > 0:
            with path.open("rb") as written:
                written.seek(-1, os.SEEK_END)
                if written.read() != b"\n":  # an incomplete record after a crash
                    file.write("\n")
    except OSError as error:
        raise UndegradeError(f"--json {path}: cannot be written ({error.strerror}); give another file.") from error
    return file


def _opener(path: str, flags: int) -> int:
    """A pipe that nobody reads is an error, where ``open`` would wait for ever."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    if os.name == "posix":
        os.set_blocking(descriptor, True)
    return descriptor


def line_of(outcome: Outcome) -> str:
    """The line on the terminal for a file that was restored or left alone."""
    colours = "grey" if outcome.channels == 1 else "colour"
    kind = f"{outcome.bits}-bit {colours} {(outcome.format or '').upper()}"
    if outcome.quality is not None:
        kind += f" of quality {outcome.quality}"
    if outcome.notes:
        kind += f" ({'; '.join(outcome.notes)})"
    found = "" if outcome.estimate is None else f"; estimated {outcome.estimate.words}"
    if outcome.level is not None and outcome.estimate is not None:
        found += f", set to {outcome.level:g}"
    if outcome.status == "left":
        return f"{outcome.source}: {outcome.width} x {outcome.height}, {kind}; {outcome.choice} -> {outcome.output}"
    done = "restored" if outcome.strength != 0 else "unchanged (strength 0)"
    weights = f" with {outcome.task}-{outcome.variant}" if outcome.variant is not None else ""
    why = f" ({outcome.choice})" if outcome.choice is not None else ""
    why += f" ({outcome.first.words})" if outcome.first is not None else ""
    sure = "" if outcome.uncertainty is None else f"; {outcome.uncertainty.words}"
    return (
        f"{outcome.source}: {outcome.width} x {outcome.height}, {kind}{found}; {done}{weights}{why} "
        f"in {outcome.seconds:.1f} s{sure} -> {outcome.output}"
    )
