"""Writes files whole or not at all: write a temporary file, flush it to disk, rename it to the target.

The temporary file is locked while it is written. The system releases the lock when the process ends, for any reason.
A temporary file without a lock therefore belongs to no process, and :func:`remove_leftovers` removes it. Some network
file systems keep locks within one machine: names therefore say of which machine they are.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_OURS = re.compile(r"\.undegrade-(?:([0-9a-f]{8})-)?[0-9a-f]{16}\.part")
_HOUR = 3600
_DAY = 24 * _HOUR
own_names: dict[Path, None] = {}
"""Files of this process that :func:`remove_own` removes, the last one first."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new binary file, open for reading and writing, that becomes ``path`` when the block ends without an error.

    If the block raises, the temporary file is removed and ``path`` is not changed. A killed process leaves at most
    a hidden ``.undegrade-*.part`` file.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    names: list[Path] = []
    try:
        temporary, descriptor = _create(path.parent, names)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":  # while the lock is held: no other process removes it as a leftover
                temporary.replace(path)
        if os.name != "posix":  # Windows cannot rename an open file
            temporary.replace(path)
    except BaseException:  # also an interruption between creating the file and the next line
        for name in names:
            name.unlink(missing_ok=True)
        raise
    finally:
        for name in names:
            own_names.pop(name, None)
    if os.name == "posix":  # flush the rename to disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: Path) -> int:
    """Remove the temporary files that killed processes left in a folder. Files that are being written stay.

    Those of other machines go when they are a day old: their locks may not be seen from here.

    Args:
        folder: searched without its subfolders; nothing is removed if it cannot be read.

    Returns:
        The number of removed files.
    """

    def remove(path: Path, found: re.Match[str]) -> bool:
        return _remove_if_abandoned(path, 0 if found[1] in (None, _machine()) else _DAY)

    return remove_named(folder, _OURS, remove)


def remove_named(folder: Path, names: re.Pattern[str], remove: Callable[[Path, re.Match[str]], bool]) -> int:
    """Remove files of certain names from a folder.

    Args:
        folder: searched without its subfolders; nothing is removed if it cannot be read.
        names: of the files, as a whole.
        remove: removes one if it may go; says whether it did. An OSError leaves the file.

    Returns:
        The number of removed files.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = names.fullmatch(entry.name)
            if found is not None and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    removed += remove(Path(entry.path), found)
    return removed


def remove_own() -> None:
    """Remove the temporary files and claims of this process; for its sudden end."""
    # A claim after what is written under it: as soon as it is gone, another process may write the same.
    for name in reversed(list(own_names)):
        with suppress(OSError):
            name.unlink(missing_ok=True)


def _create(folder: Path, names: list[Path]) -> tuple[Path, int]:
    """A new temporary file, open, and locked if the file system supports locks. ``names`` gets what was tried."""
    while True:
        # In the same folder, because a rename is atomic only within one file system. Short, because names are limited.
        temporary = folder / f".undegrade-{_machine()}-{secrets.token_hex(8)}.part"
        names.append(temporary)
        own_names[temporary] = None
        # Not tempfile: its files are private (0600), but a picture should get the user's default permissions.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        # Another process may have removed the file as a leftover before it was locked: then try again.
        if lock(descriptor) is not False and temporary.exists():
            return temporary, descriptor
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def _machine() -> str:
    """This machine in the names of temporary files."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_if_abandoned(temporary: Path, least_age: int) -> bool:
    with suppress(OSError):
        if least_age and time.time() - temporary.stat().st_mtime < least_age:
            return False
        if sys.platform == "win32":
            # Windows cannot remove an open file. The age limit protects a file that is closed but not yet renamed.
            if time.time() - temporary.stat().st_mtime > _HOUR:
                temporary.unlink()
                return True
            return False
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
        try:
            # Without locks, leftovers stay: they cannot be distinguished from files being written.
            if lock(descriptor):
                # Names are random and used once: if the file was renamed meanwhile, this name no longer exists.
                temporary.unlink()
                return True
        finally:
            os.close(descriptor)
    return False


def lock(descriptor: int) -> bool | None:
    """Lock a file until it is closed. False if another process holds the lock, None if locks are not supported."""
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
