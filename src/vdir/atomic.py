"""Files that appear whole or not at all: write beside the target, flush to disk, rename over it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new binary file, open for reading and writing, that becomes ``path`` when the block ends well.

    If the block raises, the temporary file is removed and whatever was at ``path`` stays untouched. A killed
    process leaves at worst a hidden ``.part`` file.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    # In the same folder: a rename is atomic only within one file system. Short: names are limited.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    # Not tempfile: its files are private (0600), and a picture should get the user's usual permissions.
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself must reach the disk as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
