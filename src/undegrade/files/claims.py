"""Which process restores a file: two runs on one folder do not restore the same picture twice.

A claim is a hidden file beside the result, ``.NAME.undegrade-claim``. Its owner holds a lock on it; the system lets go
of the lock when the owner ends, for any reason, so that the claim of a dead process is taken over at once. Where the
file system has no locks, the claim says whose it is, and one that is older than :data:`OLD` seconds is dead. Its owner
renews its time, also that of a locked one: another machine or user may not see the lock (a network file system locks
only what may be written). Ages are measured by the clock of the file system, which may be another machine's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from undegrade.atomic import lock, own_names, remove_named
from undegrade.reading import NotRegular, open_regular

OLD = 180.0
"""Seconds after which a claim without a lock is dead."""
RENEW = 30.0
"""Seconds between renewals."""

_TRIES = 100
"""How often the folder of a claim is made again, while others remove it, and a claim is looked at that is gone on the
server of a network file system."""
_LOST, _WAIT = 20, 0.01
"""How often a claim that was just made is locked, and seconds in between: who looks for dead ones holds the lock for a
moment."""
_LONGEST = 200
"""Bytes of a result's name that fit into the name of its claim."""
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_CLAIM = re.compile(r"\..*\.undegrade-claim", re.DOTALL)


@dataclass(frozen=True)
class _Claim:
    """A claim of this process: its file, open, whether that is locked, and what it says if it is not."""

    path: Path
    descriptor: int
    locked: bool
    owner: bytes


def claim_path(output: Path) -> Path:
    """Of the claim on a result; short enough for every file system if the name of the result is."""
    name = output.name.encode("utf-8", "surrogateescape")
    if len(name) > _LONGEST:  # what was cut off must still tell two results apart
        digest = hashlib.sha256(name).hexdigest()[:16].encode()
        name = name[: _LONGEST - 17] + b"-" + digest
    return output.with_name(f".{name.decode('utf-8', 'surrogateescape')}.undegrade-claim")


@contextmanager
def claim(output: Path) -> Iterator[bool]:
    """Claim a result for the time of the block: True, or False if another process has claimed it.

    The folder of the result is made; if it is still empty at the end, it is removed again. Where no claim can be made,
    in a folder that cannot be written to, it is True: writing the result says why.

    Args:
        output: path of the result.
    """
    path = claim_path(output)
    made: list[Path] = []
    try:
        try:
            mine, is_free = _take(path, made), False
        except OSError:
            mine, is_free = None, True
        if mine is None:
            yield is_free
            return
        try:
            own_names[path] = None
            with _renewed(mine):
                yield True
        finally:
            _give_up(mine)
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
    return remove_named(folder, _CLAIM, lambda path, _: _remove_if_dead(path))


def remove_of(process: int, output: Path) -> None:
    """Remove the claim of a process of this machine that has ended. Where there are locks, :func:`remove_dead` does it.

    Args:
        process: its number.
        output: path of the result that it was at.
    """
    path = claim_path(output)
    with suppress(OSError):
        if _owner(path).startswith(_owner_of(process)):
            path.unlink()


def _take(path: Path, made: list[Path]) -> _Claim | None:
    """The claim; None if another process has it. ``made`` gets the new folders."""
    missing = lost = stale = 0
    while True:
        try:
            descriptor, new = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                descriptor, new = _opened(path), False
            except FileNotFoundError:  # given up a moment ago
                continue
            except PermissionError:
                if _age(path) < OLD:
                    return None
                raise
            except OSError as error:
                if error.errno != errno.ESTALE or stale == _TRIES:
                    raise
                stale += 1
                continue
        except FileNotFoundError:  # the folder: it is not there yet, or was removed by who made it
            missing += 1
            if missing > _TRIES:
                raise
            with suppress(FileNotFoundError):
                _make_folders(path.parent, made)
            continue
        locked = lock(descriptor)
        if locked is None and new:
            owner = _owner_of(os.getpid()) + secrets.token_hex(8).encode()
            try:
                os.write(descriptor, owner)
            except OSError:  # the disk is full
                owner = b""
            mine = _Claim(path, descriptor, False, owner)
            if _is_ours(mine) or stale == _TRIES:
                return mine
            stale += 1
        elif locked:
            if not new and _is_renewed(path):
                os.close(descriptor)
                return None
            if _is_same(descriptor, path):
                with suppress(OSError):  # another user's
                    os.ftruncate(descriptor, 0)  # whose it was, if that had no locks
                    os.utime(path)
                return _Claim(path, descriptor, True, b"")
        os.close(descriptor)
        if locked is False:
            lost += 1 if new or lost else 0
            if not 0 < lost < _LOST:
                return None
            time.sleep(_WAIT)
        elif locked is None and not new and not _remove_if_old(path):
            return None
        # else it was given up after it was opened, or removed before it was locked, since it looked dead


def _opened(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)
    except PermissionError:  # another user's, which can be locked nevertheless
        return os.open(path, _FLAGS & ~os.O_RDWR | os.O_RDONLY)


def _remove_if_dead(path: Path) -> bool:
    descriptor = _opened(path)
    try:
        locked = lock(descriptor)
        if locked and not _is_renewed(path) and _is_same(descriptor, path):
            path.unlink()  # before the lock goes: nobody else can hold this file then
            return True
    finally:
        os.close(descriptor)
    return locked is None and _remove_if_old(path)


def _remove_if_old(path: Path) -> bool:
    """Remove a claim without a lock if it is dead; True also if it is gone.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        owner = _owner(path)
        if _age(path) <= OLD or _owner(path) != owner:  # else another process has taken it over meanwhile
            return False
        path.unlink()
    except FileNotFoundError:
        pass
    return True


def _give_up(mine: _Claim) -> None:
    if not mine.locked:
        os.close(mine.descriptor)  # Windows, which has no such locks, cannot remove an open file
    with suppress(OSError):
        if _is_ours(mine):  # it may have been taken for dead
            mine.path.unlink()  # before the lock goes: nobody else can hold this file then
    if mine.locked:
        os.close(mine.descriptor)


def _is_ours(mine: _Claim) -> bool:
    try:
        return _is_same(mine.descriptor, mine.path) if mine.locked else _owner(mine.path) == mine.owner
    except FileNotFoundError:
        return False


def _is_renewed(path: Path) -> bool:
    """Whether a claim was made without a lock and is not dead; False also if it is gone."""
    try:
        return bool(_owner(path)) and _age(path) <= OLD
    except FileNotFoundError:
        return False


def _owner(path: Path) -> bytes:
    """What a claim without a lock says; empty for one that says nothing, or may not be read."""
    try:
        with open_regular(path) as file:
            return file.read(1000)
    except (PermissionError, NotRegular):
        return b""


def _owner_of(process: int) -> bytes:
    """How the claims of a process of this machine begin."""
    return f"{socket.gethostname()} {process} ".encode()


def _age(path: Path) -> float:
    """Seconds since a claim was made or renewed, by the clock of its file system."""
    return _now(path.parent) - path.stat().st_mtime


def _now(folder: Path) -> float:
    """The time that the file system gives to a new file; this machine's time where none can be made."""
    probe = folder / f".undegrade-{secrets.token_hex(8)}.part"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
    except OSError:
        return time.time()


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
def _renewed(mine: _Claim) -> Iterator[None]:
    """Renew the claim's time while the block runs."""
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(mine, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()


def _renew(mine: _Claim, over: threading.Event) -> None:
    while not over.wait(RENEW):
        with suppress(OSError):
            if _is_ours(mine):
                os.utime(mine.path)  # by its name: Windows takes no open file
