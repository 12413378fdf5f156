"""The worker process and the queue before it, as the server sees them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.serve.limits import Limits

GRACE = 15.0
"""Seconds in which the worker must heed that a job is cancelled, before it is ended: several tiles on a busy machine.
Who cancelled does not wait for it."""
RESTART = 1.0
"""Seconds between two starts of a worker that cannot start."""
LINE = 1 << 24
"""Most bytes of one answer."""

Message = dict[str, Any]


class Full(Exception):
    """The queue is full.

    Attributes:
        wait: seconds after which there is room, about.
    """

    def __init__(self, wait: int) -> None:
        super().__init__(f"the queue is full; try again in {wait} s.")
        self.wait = wait


class Job:
    """One request to the worker."""

    def __init__(self, number: int, message: Message, tell: Callable[[Message], None] | None) -> None:
        self.number, self.message, self.tell = number, message | {"job": number}, tell
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[dict[str, Any]] = loop.create_future()
        """Its result, for who asked."""
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the worker has nothing more to do with it."""

    def fail(self, reason: str) -> None:
        """End it, unless it has ended."""
        if not self.ended.done():
            self.ended.set_exception(UndegradeError(reason))


class Pool:
    """One worker process, started again when it dies, and a bounded queue of jobs before it.

    Args:
        folder: of the pictures.
        limits: of the service.
        device: see :func:`undegrade.inference.load.load_pipeline`.

    Attributes:
        models: what the worker can do, as it said when it started; empty until then.
        process: the worker; None while there is none.
        restarts: how often a worker died.
    """

    def __init__(self, folder: Path, limits: Limits, device: str | None = None) -> None:
        self._folder, self._limits, self._device = folder, limits, device
        self.models: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process | None = None
        self.restarts = 0
        self._numbers = itertools.count(1)
        self._waiting: deque[Job] = deque()
        self._sent: dict[int, Job] = {}
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._took = 3.0
        self._tasks: list[asyncio.Task[None]] = []
        self._reason: str | None = None

    async def start(self) -> None:
        """Start the worker, without waiting for it."""
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._pump())]

    async def stop(self) -> None:
        """End the worker and all jobs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in [*self._waiting, *self._sent.values()]:
            job.fail("the service has stopped; start it again.")
        if self.process is not None and self.process.returncode is None:
            self._kill()
            await self.process.wait()

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def wait(self) -> int:
        """Seconds after which there is room in the queue, about."""
        return max(round(self._took), 1)

    @property
    def is_ready(self) -> bool:
        """Whether a worker is there."""
        return self._ready.is_set()

    async def ready(self) -> None:
        """Wait until a worker is there.

        Raises:
            UndegradeError: it cannot start.
        """
        while not self._ready.is_set():
            if self._reason is not None:
                raise UndegradeError(self._reason)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), 0.2)

    async def run(self, message: Message, tell: Callable[[Message], None] | None = None) -> dict[str, Any]:
        """Do a job when its turn comes. If this call is cancelled, so is the job.

        Args:
            message: its kind (``do``) and what that needs.
            tell: called with what the worker says meanwhile.

        Raises:
            Full: too many jobs wait.
            UndegradeError: it failed; the message is one sentence about the picture.
        """
        if len(self._waiting) >= self._limits.queue:
            raise Full(self.wait)
        job = Job(next(self._numbers), message, tell)
        self._waiting.append(job)
        self._news.set()
        return await self._ending(job)

    async def at_once(self, message: Message) -> dict[str, Any]:
        """A small job that is done between two tiles of another.

        Raises:
            UndegradeError: it failed, or no worker is there.
        """
        if not self._ready.is_set():
            raise UndegradeError("the worker starts; try again in a moment.")
        job = Job(next(self._numbers), message, None)
        await self._send(job)
        return await self._ending(job)

    async def _ending(self, job: Job) -> dict[str, Any]:
        try:
            return await asyncio.shield(job.ended)
        except asyncio.CancelledError:
            if job in self._waiting:
                self._waiting.remove(job)
            elif job.number in self._sent:
                self._write({"cancel": job.number})
            job.ended.cancel()
            raise

    async def _pump(self) -> None:
        """Give the worker one job after another."""
        while True:
            await self._ready.wait()
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            job = self._waiting.popleft()
            began = asyncio.get_running_loop().time()
            await self._send(job)
            await self._until_ended(job)
            self._took = 0.7 * self._took + 0.3 * (asyncio.get_running_loop().time() - began)

    async def _until_ended(self, job: Job) -> None:
        """Wait for the worker to be free again; end it if it takes too long, or does not heed that nobody waits."""
        either: set[asyncio.Future[Any]] = {job.gone, job.ended}
        await asyncio.wait(either, timeout=self._limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        if job.ended.done():
            await asyncio.wait({job.gone}, timeout=GRACE)
        if not job.gone.done():
            job.fail(f"the picture took longer than {self._limits.seconds:g} s; allow more with --max-seconds.")
            self._kill()
            await asyncio.wait({job.gone})

    async def _send(self, job: Job) -> None:
        self._sent[job.number] = job
        self._write(job.message)

    def _write(self, message: Message) -> None:
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError, RuntimeError):  # it has died: its end is noticed where its answers are read
                self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def _kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()

    async def _keep(self) -> None:
        """Keep a worker there, and pass on what it says."""
        settings = {
            "folder": str(self._folder), "memory": self._limits.memory, "pixels": self._limits.pixels,
            "device": self._device,
        }  # fmt: skip
        said: str | None = None
        while True:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "undegrade.serve.work", json.dumps(settings), limit=LINE,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=os.environ | {"TMPDIR": str(self._folder)},
            )  # fmt: skip
            try:
                assert self.process.stdout is not None
                while line := await self.process.stdout.readline():
                    self._heard(json.loads(line))
                code = await self.process.wait()
            finally:
                self._kill()
            started = self._ready.is_set()
            self._ready.clear()
            for job in list(self._sent.values()):
                job.fail(
                    f"the worker ended while it worked on this picture ({_how(code)}); see whether the file is sound, "
                    "or allow more with --max-memory."
                )
                job.gone.set_result(None)
            self._sent.clear()
            self.restarts += 1
            if not started:
                self._reason = self._reason or f"the worker cannot start ({_how(code)}); see the lines above."
                if self._reason != said:  # once, not at every try
                    said = self._reason
                    with suppress(OSError):
                        print(f"undegrade serve: {said}", file=sys.stderr, flush=True)
                await asyncio.sleep(RESTART)

    def _heard(self, answer: Message) -> None:
        number, event = answer["job"], answer["event"]
        if number == 0:
            if event == "ready":
                self.models, self._reason = answer["models"], None
                self._ready.set()
            else:
                self._reason = answer["reason"]
            return
        job = self._sent.get(number)
        if job is None:
            return
        if event not in ("done", "failed", "cancelled"):
            if job.tell is not None and not job.ended.done():
                job.tell(answer)
            return
        del self._sent[number]
        job.gone.set_result(None)
        if job.ended.done():
            return
        if event == "done":
            job.ended.set_result(answer["result"])
        else:
            job.fail(answer.get("reason", "it was cancelled."))


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
