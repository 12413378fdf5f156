"""Who is at work on a result: two runs on one folder do not restore the same picture twice.

A claim is a hidden file beside the result, ``.NAME.undegrade-claim``. Its owner holds a lock on it; the system lets go
of the lock when the owner ends, for any reason, so that the claim of a dead process is taken over at once. Where the
file system has no locks, the owner renews the claim's time, and a claim that is older than :data:`OLD` seconds is dead.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from undegrade.atomic import lock, own_names

OLD = 180.0
"""Seconds after which a claim without a lock is dead."""
RENEW = 30.0
"""Seconds between renewals."""

_TRIES = 100
"""How often the folder of a claim is made again, while others remove it."""
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_CLAIM = re.compile(r"\..*\.undegrade-claim", re.DOTALL)


def claim_path(output: Path) -> Path:
    """Of the claim on a result; short enough for every file system if the name of the result is."""
    name = output.name.encode("utf-8", "surrogateescape")[:200].decode("utf-8", "surrogateescape")
    return output.with_name(f".{name}.undegrade-claim")


@contextmanager
def claim(output: Path) -> Iterator[bool]:
    """Claim a result for the time of the block: True, or False if another process is at it.

    The folder of the result is made; if it is still empty at the end, it is removed again. Where no claim can be made,
    in a folder that cannot be written to, it is True: writing the result says why.

    Args:
        output: path of the result.
    """
    path = claim_path(output)
    made: list[Path] = []
    try:
        try:
            descriptor, locked = _take(path, made)
            is_claimed = True
        except OSError:
            descriptor, locked, is_claimed = None, False, False
        if descriptor is None:
            yield not is_claimed
            return
        try:
            own_names[path] = None
            with _renewed(descriptor, locked):
                yield True
        finally:
            _give_up(path, descriptor, locked)
            own_names.pop(path, None)
    finally:
        for folder in made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def remove_dead(folder: Path) -> int:
    """Remove the claims that killed processes left in a folder.

    Args:
        folder: searched without its subfolders; nothing is removed if it cannot be read.

    Returns:
        The number of removed files.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (_CLAIM.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)):
                continue
            with suppress(OSError):
                descriptor = os.open(entry.path, _FLAGS)
                locked = _held(descriptor, made=False)
                if locked is None or not _is_same(descriptor, Path(entry.path)):
                    os.close(descriptor)
                else:
                    _give_up(Path(entry.path), descriptor, locked)
                    removed += 1
    return removed


def _take(path: Path, made: list[Path]) -> tuple[int | None, bool]:
    """The open claim and whether it is locked; None if another process has it. ``made`` gets the new folders."""
    missing = 0
    while True:
        try:
            descriptor, new = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                descriptor, new = os.open(path, _FLAGS), False
            except FileNotFoundError:  # given up a moment ago
                continue
        except FileNotFoundError:  # the folder: it is not there yet, or was removed by who made it
            missing += 1
            if missing > _TRIES:
                raise
            with suppress(FileNotFoundError):
                _make_folders(path.parent, made)
            continue
        locked = _held(descriptor, new)
        if locked and not _is_same(descriptor, path):  # given up after it was opened
            os.close(descriptor)
            continue
        if locked is None:
            os.close(descriptor)
            return None, False
        os.utime(descriptor)
        return descriptor, locked


def _held(descriptor: int, made: bool) -> bool | None:
    """Whether the claim is now locked by this process; False if it is this process's without a lock, None if not."""
    held = lock(descriptor)
    if held is not None:
        return True if held else None
    return False if made or time.time() - os.fstat(descriptor).st_mtime > OLD else None


def _give_up(path: Path, descriptor: int, locked: bool) -> None:
    if not locked:
        os.close(descriptor)  # Windows, which has no such locks, cannot remove an open file
    with suppress(OSError):
        path.unlink()  # before the lock goes: nobody else can hold this file then
    if locked:
        os.close(descriptor)


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        if each not in made:
            made.insert(0, each)  # the deepest first, as they are removed


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


@contextmanager
def _renewed(descriptor: int, locked: bool) -> Iterator[None]:
    """Renew the claim's time while the block runs, unless it is locked."""
    if locked:
        yield
        return
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(descriptor, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()


def _renew(descriptor: int, over: threading.Event) -> None:
    while not over.wait(RENEW):
        with suppress(OSError):
            os.utime(descriptor)
