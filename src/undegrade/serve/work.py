"""The worker process: the only one that opens pictures. Started by :mod:`undegrade.serve.pool`.

It reads requests as lines of JSON from standard input and answers with lines of JSON on standard output; pictures pass
as files in the service's private folder. One job at a time; between two tiles it looks for what cannot wait: the
cancelling of a job, and parts of pictures at another strength.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from undegrade.errors import UndegradeError

REPORTS = 0.15
"""Seconds between two reports of progress."""

Message = dict[str, Any]

_FULL = "there is not enough memory for this picture; allow more with --max-memory."


class Cancelled(BaseException):
    """The job is not wanted any more. Not an Exception: what restores files turns those into outcomes."""


class Worker:
    """Takes requests from a stream and does them.

    Args:
        jobs: what does them.
        answers: where the answers go.
    """

    def __init__(self, jobs: Any, answers: BinaryIO) -> None:
        self._jobs, self._answers = jobs, answers
        self._ahead: deque[Message] = deque()
        self._urgent: deque[Message] = deque()
        self._cancelled: set[int] = set()
        self._news = threading.Condition()

    def listen(self, requests: BinaryIO) -> None:
        """Sort requests as they come, until the server is gone; for a thread of its own."""
        for line in requests:
            message = json.loads(line)
            with self._news:
                if "cancel" in message:
                    self._cancelled.add(message["cancel"])
                else:
                    (self._urgent if message["do"] == "part" else self._ahead).append(message)
                self._news.notify()
        os._exit(0)  # in the midst of a job, too

    def work(self) -> None:
        """Do one request after another, for ever."""
        while True:
            with self._news:
                while not self._urgent and not self._ahead:
                    self._news.wait()
                message = (self._urgent or self._ahead).popleft()
            self._do(message, self._checkpoint(message["job"]))

    def say(self, job: int, event: str, **values: Any) -> None:
        """One line to the server."""
        self._answers.write(json.dumps({"job": job, "event": event, **values}).encode() + b"\n")
        self._answers.flush()

    def _do(self, message: Message, progress: Callable[[float], None]) -> None:
        job = message["job"]
        try:
            if job in self._cancelled:
                raise Cancelled
            result = getattr(self._jobs, message["do"])(message, progress, lambda **values: self.say(job, **values))
            self.say(job, "done", result=result)
        except Cancelled:
            self.say(job, "cancelled")
        except UndegradeError as error:
            from undegrade.files.restore_file import NO_MEMORY
            from undegrade.image.codec import TOO_LARGE

            full = any(words in str(error) for words in (NO_MEMORY, TOO_LARGE))  # the remedy is another one here
            self.say(job, "failed", reason=_FULL if full else without_paths(str(error), message))
        except Exception as error:  # one picture must not stop the others
            from undegrade.inference.engine import out_of_memory

            if out_of_memory(error):
                reason = _FULL
            else:
                reason = (
                    f"unexpected {type(error).__name__}: {without_paths(str(error), message)[:200]}; please report it."
                )
            self.say(job, "failed", reason=reason)
        self._cancelled.discard(job)

    def _checkpoint(self, job: int) -> Callable[[float], None]:
        """Called between tiles: report, do what cannot wait, stop if nobody waits any more."""
        told = 0.0

        def progress(fraction: float) -> None:
            nonlocal told
            while job not in self._cancelled and self._urgent:
                urgent = self._urgent.popleft()
                self._do(urgent, lambda _: None)
            if job in self._cancelled:  # after what was done in between, too
                raise Cancelled
            now = time.monotonic()
            if now - told >= REPORTS or fraction >= 1:
                told = now
                self.say(job, "progress", fraction=round(fraction, 4))

        return progress


def without_paths(sentence: str, message: Message) -> str:
    """A sentence without the names of the service's own files."""
    for name in ("source", "output", "folder"):
        if path := message.get(name):
            sentence = sentence.replace(f"{path}: ", "").replace(str(path), "the picture")
    return sentence.replace(f"{message.get('folder', '')}/", "")


def limit_memory(most: int) -> None:
    """Let allocations beyond ``most`` bytes fail, on Linux; elsewhere the system does not know such a limit."""
    if sys.platform == "linux":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))


def main() -> None:
    """Standard input and output are the server's; everything that libraries print goes to standard error."""
    settings = json.loads(sys.argv[1])
    # Ctrl-C in a terminal reaches every process: the server decides when this one ends.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    limit_memory(settings["memory"])
    from undegrade.serve.jobs import Jobs

    worker = Worker(Jobs(Path(settings["folder"]), settings["pixels"], settings["device"]), answers)
    threading.Thread(target=worker.listen, args=(requests,), daemon=True).start()
    try:
        worker.say(0, "ready", models=worker._jobs.models())
    except UndegradeError as error:
        worker.say(0, "failed", reason=str(error))
        return
    worker.work()


if __name__ == "__main__":
    main()
