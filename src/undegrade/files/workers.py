"""The files of a batch in several processes of this machine.

The processes are spawned, not forked: forks of a process with threads hang. Each has its own models, and gets one file
at a time over a pipe. One that dies (killed, or out of memory) is replaced; its file is tried once more at the end and
then recorded as failed. When this process ends, for any reason, so do they.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from types import FrameType

from undegrade.atomic import remove_own
from undegrade.errors import UndegradeError
from undegrade.files.batch import How, Told, Turn, clean, restore_turn
from undegrade.files.claims import remove_of
from undegrade.files.restore_file import Outcome, Status
from undegrade.inference.machine import give_large_arrays_back

GRACE = 3.0
"""Seconds in which a process must stop its file before it is ended."""
STARTS = 3
"""How many processes in a row may end while they start."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY")
"""Environment variables by which libraries are told how many threads to use."""

_READY = "ready"


@dataclass
class _Worker:
    """A process; the file that it is at, and whether it has started."""

    process: SpawnProcess
    pipe: connection.Connection
    turn: Turn | None = None
    is_ready: bool = False


class Workers:
    """The processes of a batch.

    Args:
        batch: the files, in order.
        how: how they are restored; its selector has the threads of each process.
        count: of the processes, at least 1.
        told: is told how far each file is.
        tell: is told, for the user, if the system has no room for so many.
    """

    def __init__(
        self, batch: Sequence[Turn], how: How, count: int, told: Told, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._how, self._count, self._told, self._tell = how, count, told, tell
        self._waiting = deque(batch)
        self._busy: deque[Turn] = deque()
        self._deaths: Counter[int] = Counter()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._is_last_look = False

    def run(self) -> Iterator[tuple[int, Outcome]]:
        """Restore the files.

        Yields:
            The place of each file and its outcome, as soon as it is done.

        Raises:
            UndegradeError: the processes cannot be started.
        """
        try:
            while self._has_work():
                self._start_missing()
                self._give()
                ready = connection.wait([worker.pipe for worker in self._workers])
                for worker in [w for w in self._workers if w.pipe in ready]:
                    outcome = self._heard(worker)
                    if outcome is not None:
                        yield outcome
        finally:
            self._stop()

    def _has_work(self) -> bool:
        if not self._waiting and self._busy and not self._is_last_look:
            # Another run was at them a while ago.
            self._is_last_look = True
            self._waiting.extend(self._busy)
        return bool(self._waiting) or any(worker.turn is not None for worker in self._workers)

    def _start_missing(self) -> None:
        wanted = min(self._count, len(self._waiting) + sum(worker.turn is not None for worker in self._workers))
        while len(self._workers) < wanted:
            try:
                self._workers.append(self._start())
            except OSError as error:  # no more processes, open files or memory
                reason = error.strerror or error
                if not self._workers:
                    raise UndegradeError(
                        f"no process of --jobs can be started ({reason}); leave out --jobs."
                    ) from error
                self._tell(f"{len(self._workers)} of {self._count} processes can be started ({reason}); they go on.")
                self._count = len(self._workers)
                return

    def _start(self) -> _Worker:
        if os.name == "posix":  # Windows has none
            resource_tracker.ensure_running()  # it would let SIGINT through while it is started
        with _signals_later(), _environment(self._how.select.threads):
            ours, theirs = multiprocessing.Pipe()
            try:
                process = multiprocessing.get_context("spawn").Process(
                    target=_work, args=(theirs, self._how), daemon=True
                )
                process.start()
            except OSError:
                ours.close()
                raise
            finally:
                theirs.close()  # else its end would not be seen
        return _Worker(process, ours)

    def _give(self) -> None:
        for worker in self._workers:
            if worker.is_ready and worker.turn is None and self._waiting:
                worker.turn = self._waiting.popleft()
                self._told.start(worker.turn.index)
                with suppress(OSError):  # it has died, which is noticed in reading
                    worker.pipe.send(worker.turn)

    def _heard(self, worker: _Worker) -> tuple[int, Outcome] | None:
        """Take one message; the outcome if it is the last of a file."""
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            return self._died(worker)
        turn = worker.turn
        if said == _READY:
            worker.is_ready, self._failed_starts = True, 0
        elif turn is None:
            raise AssertionError(f"a worker without a file said {said!r}")
        elif isinstance(said, float):
            self._told.within(turn.index, said)
        else:
            worker.turn = None
            if said.status != Status.BUSY or self._is_last_look:
                return turn.index, said
            self._busy.append(turn)
        return None

    def _died(self, worker: _Worker) -> tuple[int, Outcome] | None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        how = _cause(worker.process.exitcode)
        turn = worker.turn
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise UndegradeError(f"the processes of --jobs end while they start ({how}); leave out --jobs.")
        if turn is None:
            return None
        _clean(worker)
        self._deaths[turn.index] += 1
        if self._deaths[turn.index] == 1:
            self._waiting.append(turn)
            return None
        reason = f"its process ended twice ({how}), perhaps out of memory; give fewer --jobs or less --memory."
        return turn.index, Outcome(turn.job.source, turn.job.output, reason=reason)

    def _stop(self) -> None:
        """End the processes. A file that one is at is stopped, and what it has written of it is removed."""
        for worker in self._workers:
            if not worker.is_ready:
                worker.process.kill()  # it holds nothing yet
            elif worker.turn is not None:
                _interrupt(worker.process)
            worker.pipe.close()  # one that waits ends
        until = time.monotonic() + GRACE
        for worker in self._workers:
            worker.process.join(max(until - time.monotonic(), 0.0))
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
        for worker in self._workers:
            _clean(worker)
        self._workers.clear()


def _clean(worker: _Worker) -> None:
    """Remove what a process that has ended has left of its file."""
    if worker.turn is not None:
        output = worker.turn.job.output
        if worker.process.pid is not None:
            remove_of(worker.process.pid, output)
        clean([output.parent])


def _work(pipe: connection.Connection, how: How) -> None:
    """A process: takes files until the pipe is closed or Ctrl-C is pressed."""
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopped:  # a second one must not disturb the cleaning up after the first
            stopped.append(number)
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, stop)
        _let_signals_through()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        give_large_arrays_back()
        pipe.send(_READY)
        while True:
            turn: Turn = pipe.recv()
            outcome = restore_turn(turn, how, lambda fraction: pipe.send(float(fraction)))
            if stopped:  # a library can lose the exception
                return
            pipe.send(outcome)
    except (KeyboardInterrupt, EOFError, OSError):  # it is to end, or the other process has ended
        return
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a child
    parent.join()
    remove_own()
    os._exit(1)


def _interrupt(process: SpawnProcess) -> None:
    if os.name == "posix" and process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
    else:
        process.terminate()


def _cause(code: int | None) -> str:
    """Why a process ended, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


@contextmanager
def _signals_later() -> Iterator[None]:
    """Ctrl-C acts after the block; a process that is started in it begins with the signal held back."""
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_signals_through() -> None:
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    """Libraries of a process that is started in the block use this many threads, unless the user has said so."""
    new = [name for name in THREADS if threads is not None and name not in os.environ]
    os.environ.update({name: str(threads) for name in new})
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
