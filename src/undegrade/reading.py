"""Reads files that may hold anything: regular files only, of bounded size, and JSON that keeps to a schema.

A pipe would wait for ever, a device such as ``/dev/zero`` has no end, and a sparse file of a terabyte takes no room.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

MAX_JSON = 4_000_000
"""Largest size of a card, manifest or record in bytes."""
WEB_ADDRESS = "this is a web address; download the picture, and give the file"
_LONGEST = 120
_NO_FILE = "it is a pipe, socket or device, not a file"

Check = Callable[[Any], str | None]
"""Returns what a value must be, in words, if it is not that."""


class NotRegular(OSError):
    """Neither a file nor a link to one, or larger than any file of its kind. ``strerror`` says what it is."""

    def __init__(self, what: str) -> None:
        super().__init__(None, what)
        self.strerror = what

    def __str__(self) -> str:
        return str(self.strerror)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        NotRegular: a pipe, socket or device.
        OSError: it cannot be opened.
        ValueError: the name holds a zero byte.
    """
    # Without O_NONBLOCK, opening a named pipe waits until somebody writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise NotRegular(_NO_FILE) from error
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise NotRegular(_NO_FILE)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def is_web_address(path: str | os.PathLike[str]) -> bool:
    """Whether a name of a file is the address of a page or picture on the web. A ``Path`` has lost one slash."""
    return re.match(r"https?:/", os.fspath(path), re.IGNORECASE) is not None


def read_regular(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises:
        NotRegular: it is larger, or a pipe, socket or device.
        OSError: it cannot be read.
        ValueError: the name holds a zero byte.
    """
    with open_regular(path) as file:
        content = file.read(most + 1) if os.fstat(file.fileno()).st_size <= most else b""
        if len(content) > most or (not content and os.fstat(file.fileno()).st_size > most):
            raise NotRegular(f"it is larger than {most / 1e6:g} MB")
        return content


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text. NaN and Infinity are not JSON.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error


def json_text(values: Any) -> str:
    """The inverse of :func:`parse_json`: a line for each value, but one for each list of numbers."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    # Within a string there is no line break.
    return re.sub(r"\[\n[-+.\dEe,\s]+\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text) + "\n"


def check_fields(values: Any, required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> None:
    """Whether a JSON value is an object with exactly these fields.

    Raises:
        ValueError: which field is missing, unknown or wrong, and what it must be.
    """
    known = {**required, **(optional or {})}
    if not isinstance(values, dict):
        raise ValueError(f"it is {shown(values)} instead of an object with the fields {', '.join(sorted(known))}")
    missing, unknown = sorted(set(required) - set(values)), sorted(set(values) - set(known))
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    if unknown:
        raise ValueError(f"it has the unknown field {shown(unknown[0])}")
    for name, value in values.items():
        wanted = known[name](value)
        if wanted is not None:
            raise ValueError(f"its {name} is {shown(value)} instead of {wanted}")


def shown(value: Any) -> str:
    """A value for a message: on one line, printable, and not long."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)} entries"
    text = repr(value)[: 4 * _LONGEST]
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def printable(name: object) -> str:
    """A name of a file for a message: what cannot be printed is escaped, newlines too."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(name))


def text(value: Any) -> str | None:
    """Any text."""
    return None if isinstance(value, str) else "text"


def name(value: Any) -> str | None:
    """A word that is safe in a file name and on a terminal."""
    fits = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", value) is not None
    return None if fits else "a name of letters, digits, dots and hyphens"


def mapping(value: Any) -> str | None:
    """An object."""
    return None if isinstance(value, dict) else "an object"


def whole(least: int, most: int) -> Check:
    """An integer of a range."""
    return lambda v: (
        None
        if isinstance(v, int) and not isinstance(v, bool) and least <= v <= most
        else f"a whole number of {least} to {most}"
    )


def number(least: float, most: float) -> Check:
    """A finite number of a range."""
    return lambda v: (
        None
        if isinstance(v, int | float) and not isinstance(v, bool) and least <= v <= most
        else f"a number of {least:g} to {most:g}"
    )


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"it holds {constant}, which is not JSON")
