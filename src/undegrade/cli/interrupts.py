"""Ctrl-C on the command line: the first stops the current file and says how to go on, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130
_received: list[int] = []
_at_end: list[bool] = []


def received() -> bool:
    """Whether Ctrl-C was pressed, even if the exception has been lost, e.g. in a library that was being imported."""
    return bool(_received)


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if _received:
        raise KeyboardInterrupt


@contextmanager
def watching() -> Iterator[None]:
    """Note each Ctrl-C. The handler of a program that calls ``main`` with its own stays."""
    _received.clear()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN if _at_end else signal.default_int_handler)


def ignore_at_end() -> None:
    """Ignore Ctrl-C when the command is through: the process has nothing left to do but to end."""
    _at_end.append(True)


def _note(number: int, frame: FrameType | None) -> None:
    if _received:
        from undegrade.atomic import remove_own

        remove_own()
        os._exit(EXIT_CODE)
    _received.append(number)
    raise KeyboardInterrupt
