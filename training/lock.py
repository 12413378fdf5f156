"""The relay's folder, and which relay is at work there: one lock file, held by it and by whatever it starts."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from undegrade.native import cache_folder


def folder() -> Path:
    """Of the relay: a folder for each run, ``relay.log``, ``lock``."""
    return cache_folder() / "relay"


def take_lock(wait: float) -> int | None:
    """The lock file, open and locked, with this process's number in it; None where another has it for ``wait`` s."""
    folder().mkdir(parents=True, exist_ok=True)
    handle = os.open(folder() / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(handle)
                return None
            time.sleep(0.1)
            continue
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        os.set_inheritable(handle, True)
        return handle


def running() -> int | None:
    """The process number of the relay at work, or None."""
    try:
        number = int((folder() / "lock").read_text() or 0)
        with (folder() / "lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(number, 0)  # else only what it had started still saves
                return number
    except (OSError, ValueError):
        pass
    return None


def await_stopped(number: int, seconds: float = 10.0) -> bool:
    """Whether a process sleeps since SIGSTOP, which on a busy machine it does only when its turn comes (Linux)."""
    deadline = time.monotonic() + seconds
    while not is_stopped(number):
        if time.monotonic() > deadline or not Path(f"/proc/{number}").exists():
            return False
        time.sleep(0.05)
    return True


def is_stopped(number: int) -> bool:
    """Whether a process sleeps since SIGSTOP (Linux; elsewhere not known)."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
