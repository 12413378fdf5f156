"""Colour on a terminal that has it, unless NO_COLOR is set (https://no-color.org): names of files, warnings, errors."""

from __future__ import annotations

import enum
import os
from typing import TextIO


class Style(enum.StrEnum):
    """What is coloured, by the code that starts it (ECMA-48, SGR)."""

    NAME = "1"
    """Bold."""
    WARNING = "33"
    """Yellow."""
    ERROR = "1;31"
    """Bold red."""


def has_colour(stream: TextIO) -> bool:
    """Whether a stream is shown in colour. FORCE_COLOR asks for it where no terminal is seen."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("TERM", "dumb") == "dumb":  # not set on Windows, whose terminals must be asked first
        return False
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def painted(text: str, style: Style) -> str:
    """A text between the codes that start and end a style."""
    return f"\x1b[{style}m{text}\x1b[0m"
