"""Standard output and standard error, which may be closed, full, or read by a program that ends early."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

from undegrade.cli.colour import Style, has_colour, painted
from undegrade.reading import printable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def ensure() -> None:
    """Replace a standard stream that is closed by one that discards everything.

    A closed descriptor 1 or 2 would be given to the next file that is opened, and messages would be written into it.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            # Not closed: it lives as long as the process, and so does the descriptor.
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def say(line: str, stream: TextIO, head: str = "", style: Style | None = None) -> None:
    """Print one line, so that file names in it cannot control the terminal or look like other lines.

    Args:
        line: what is printed.
        stream: where.
        head: the start of the line, which is coloured if the stream is a terminal with colours.
        style: of the head.

    Raises:
        OSError: standard output cannot be written. A failure of standard error is ignored.
    """
    shown, start = printable(line), printable(head)
    if style is not None and shown.startswith(start) and has_colour(stream):
        shown = painted(start, style) + shown.removeprefix(start)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except (OSError, ValueError):
        if stream is not sys.stderr:
            raise


def is_full(error: OSError) -> bool:
    """Whether writing failed because the disk is full."""
    return error.errno in _FULL


def discard() -> None:
    """From here on, standard output discards everything: else Python complains when it ends."""
    with suppress(OSError, ValueError, AttributeError):
        empty = os.open(os.devnull, os.O_WRONLY)
        os.dup2(empty, sys.stdout.fileno())
        os.close(empty)


def finished(code: int) -> int:
    """The exit code, after the last of the output is written: 1 instead of 0 if it cannot be."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard()
        return code or 1
    except (OSError, ValueError) as error:
        discard()
        say(f"undegrade: the output cannot be written ({getattr(error, 'strerror', None) or error}).", sys.stderr)
        return code or 1
    return code
