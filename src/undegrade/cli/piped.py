"""``-``: one picture from standard input, or to standard output (``undegrade restore - -o -``, ``estimate -``)."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from undegrade.cli import interrupts, streams
from undegrade.cli.colour import Style
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.restore_file import FileOptions, TaskSelector

STREAM = Path("-")
MAX_BYTES = 2**32
"""Most bytes that are taken: a picture of 500 million pixels has less, and a device has no end."""


def is_wanted(args: argparse.Namespace) -> bool:
    """Whether a standard stream is the input or the output."""
    return STREAM in (*args.inputs, args.output)


def check(args: argparse.Namespace) -> None:
    """Check that the arguments fit to one picture and its streams.

    Raises:
        UndegradeError: they do not.
    """
    from undegrade.image import Format
    from undegrade.image.picture import WRITTEN_SUFFIXES

    if args.ray is not None:
        raise UndegradeError("--ray restores folders on other machines, and - is a stream of this one; leave one out.")
    if len(args.inputs) > 1:
        raise UndegradeError(f"- stands for one picture, but there are {len(args.inputs)} inputs; give one of them.")
    takes, gives = args.inputs[0] == STREAM, args.output == STREAM
    format = Format.of_name(args.output)
    if not gives and (format is None or not format.is_written or args.output.is_dir()):
        raise UndegradeError(
            f"-o {args.output} is no name for the picture of standard input; end it in {WRITTEN_SUFFIXES}, or give "
            "-o - for standard output."
        )
    if not takes and args.inputs[0].is_dir():
        raise UndegradeError(f"-o - takes one picture, but {args.inputs[0]} is a folder; give one of its files.")
    for option, given, reason in (
        ("--name", args.name is not None, "the result has its name already"),
        ("--skip-existing", args.skip_existing, "a stream has no results that exist"),
        ("--json", args.json is not None, "records are of files"),
        ("--samples", bool(args.samples), "it writes two pictures"),
        ("--uncertainty", args.uncertainty, "it writes two pictures"),
        ("--shard", args.shard is not None, "it divides a folder"),
    ):
        if given:
            raise UndegradeError(f"{option} cannot be combined with -, since {reason}; leave it out.")
    if takes:
        _check_input()
    if gives and sys.stdout.isatty():
        raise UndegradeError("standard output is this terminal; add > restored.png, or give -o restored.png.")


def run(args: argparse.Namespace, options: FileOptions, select: TaskSelector) -> int:
    """Restore the picture; 0 if that succeeded, 1 if not.

    Args:
        args: checked by :func:`check`.
        options: how to restore it.
        select: see :func:`undegrade.files.restore_file.restore_file`.

    Raises:
        UndegradeError: standard input is too long.
        OSError: standard output cannot be written.
    """
    from undegrade.cli.reporting import line_of
    from undegrade.files.plan import Job
    from undegrade.files.restore_file import Status, restore_file
    from undegrade.image import Format

    takes, gives = args.inputs[0] == STREAM, args.output == STREAM
    with tempfile.TemporaryDirectory(prefix="undegrade-") as folder:
        # Files: decoders go back and forth, and nothing reaches the output before the picture is whole.
        source, output = Path(folder) / "input", Path(folder) / "output"
        if takes:
            with source.open("wb") as file:
                _receive(sys.stdin.buffer, file)
        job = Job(
            source if takes else args.inputs[0],
            output if gives else args.output,
            None if gives else Format.of_name(args.output),
        )
        outcome = restore_file(job, options, select)
        if outcome.status == Status.FAILED:
            interrupts.check()  # not the file's fault
            reason = (outcome.reason or "").replace(str(source), "-").replace(str(output), "-")
            head = "undegrade restore:"
            streams.say(f"{head} {args.inputs[0]}: {reason}", sys.stderr, head, Style.ERROR)
            return 1
        if gives:
            with output.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
    shown = dataclasses.replace(outcome, source=args.inputs[0], output=args.output)
    streams.say(line_of(shown), sys.stderr, str(shown.source), Style.NAME)
    return 0


@contextmanager
def received() -> Iterator[Path]:
    """The picture of standard input as a file, for a command that only reads.

    Raises:
        UndegradeError: standard input is a terminal, or too long.
    """
    _check_input()
    with tempfile.TemporaryDirectory(prefix="undegrade-") as folder:
        source = Path(folder) / "input"
        with source.open("wb") as file:
            _receive(sys.stdin.buffer, file)
        yield source


def _check_input() -> None:
    if sys.stdin.isatty():
        raise UndegradeError("there is no picture on standard input; add < photo.png, or give the name of a file.")


def _receive(stream: BinaryIO, file: BinaryIO) -> None:
    total = 0
    while block := stream.read(1 << 20):
        total += len(block)
        if total > MAX_BYTES:
            raise UndegradeError(
                f"standard input has more than {MAX_BYTES / 1e9:.1f} GB, which no picture has; give a picture."
            )
        file.write(block)
