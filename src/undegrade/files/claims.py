"""Who is at work on a result: two runs on one folder do not restore the same picture twice.

A claim is a hidden file beside the result, ``.NAME.claim``. Its owner holds a lock on it; the system lets go of the
lock when the owner ends, for any reason, so that the claim of a dead process is taken over at once. Where the file
system has no locks, the owner renews the claim's time, and a claim that is older than :data:`OLD` seconds is dead.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from undegrade.atomic import lock

OLD = 180.0
"""Seconds after which a claim without a lock is dead."""
RENEW = 30.0
"""Seconds between renewals."""


def claim_path(output: Path) -> Path:
    """Of the claim on a result; short enough for every file system if the name of the result is."""
    name = output.name.encode("utf-8", "surrogateescape")[:200].decode("utf-8", "surrogateescape")
    return output.with_name(f".{name}.claim")


@contextmanager
def claim(output: Path) -> Iterator[bool]:
    """Claim a result for the time of the block: True, or False if another process is at it.

    Where no claim can be made, in a folder that cannot be written to, it is True: writing the result says why.

    Args:
        output: path of the result; its folder exists.
    """
    path = claim_path(output)
    try:
        descriptor, locked = _take(path)
    except OSError:
        yield True
        return
    if descriptor is None:
        yield False
        return
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(descriptor, over), daemon=True)
    if not locked:
        renewing.start()
    try:
        yield True
    finally:
        over.set()
        if not locked:
            renewing.join()
        with suppress(OSError):
            path.unlink()  # before the lock goes: nobody else can hold this file then
        os.close(descriptor)


def _take(path: Path) -> tuple[int | None, bool]:
    """The open claim and whether it is locked; None if another process has it."""
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        try:
            descriptor, made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                descriptor, made = os.open(path, flags), False
            except FileNotFoundError:  # given up a moment ago
                continue
        held = lock(descriptor)
        if held and not _is_same(descriptor, path):  # given up after it was opened
            os.close(descriptor)
            continue
        dead = held is None and time.time() - os.fstat(descriptor).st_mtime > OLD
        if held or (held is None and (made or dead)):
            os.utime(descriptor)
            return descriptor, bool(held)
        os.close(descriptor)
        return None, False


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _renew(descriptor: int, over: threading.Event) -> None:
    while not over.wait(RENEW):
        with suppress(OSError):
            os.utime(descriptor)
