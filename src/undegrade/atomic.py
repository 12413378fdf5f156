"""Files that appear whole or not at all: write beside the target, flush to disk, rename over it.

The temporary file is locked as long as it is written. The system drops the lock with the process, however it
ends, so that an unlocked temporary is known to be nobody's: :func:`remove_leftovers`.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_OURS = re.compile(r"\.undegrade-[0-9a-f]{16}\.part")
_HOUR = 3600


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new binary file, open for reading and writing, that becomes ``path`` when the block ends well.

    If the block raises, the temporary file is removed and whatever was at ``path`` stays untouched. A killed
    process leaves at worst a hidden ``.undegrade-*.part`` file.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    temporary, descriptor = _create(path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":  # under the lock, so that nobody takes it for a leftover
                temporary.replace(path)
        if os.name != "posix":  # Windows renames no open file
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


def remove_leftovers(folder: Path) -> int:
    """Remove the temporary files that killed processes left in a folder, and none that is being written.

    Args:
        folder: looked through without what is below; one that cannot be read has nothing to remove.

    Returns:
        How many were removed.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                removed += _remove_if_abandoned(Path(entry.path))
    return removed


def _create(folder: Path) -> tuple[Path, int]:
    """A new temporary file, open and, where the file system knows locks, locked."""
    while True:
        # In the same folder: a rename is atomic only within one file system. Short: names are limited.
        temporary = folder / f".undegrade-{secrets.token_hex(8)}.part"
        # Not tempfile: its files are private (0600), and a picture should get the user's usual permissions.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        # Between creation and lock another process may have taken the file for a leftover: then another one.
        if _lock(descriptor) is not False and temporary.exists():
            return temporary, descriptor
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def _remove_if_abandoned(temporary: Path) -> bool:
    with suppress(OSError):
        if sys.platform == "win32":
            # Windows removes no file that is open; the age covers the moment between closing and renaming.
            if time.time() - temporary.stat().st_mtime > _HOUR:
                temporary.unlink()
                return True
            return False
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
        try:
            # A file system without locks keeps its leftovers: nothing tells them from files being written.
            if _lock(descriptor):
                # By name, and names are not used twice: had it been renamed by now, there would be none.
                temporary.unlink()
                return True
        finally:
            os.close(descriptor)
    return False


def _lock(descriptor: int) -> bool | None:
    """Take a file for this process until it is closed; False if another one has it, None if nobody can."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
