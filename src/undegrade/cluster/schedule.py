"""Gives items to workers, which may start and end at any time. Ray itself is in :mod:`undegrade.cluster.pool`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Iterator
from typing import Any, Protocol

from undegrade.cluster.listing import Item
from undegrade.errors import UndegradeError
from undegrade.files.restore_file import Outcome, Status

LATER = 1000
"""Most failed items that wait for their second try until all others are done."""
PATIENCE = 30.0
"""Seconds without any worker after which a message says what is waited for."""

Call = Hashable
"""Stands for a result that is not there yet."""


class WorkerDied(Exception):
    """A worker has ended, or cannot be reached; its text says how."""


class Pool(Protocol):
    """Workers on other machines."""

    def start(self) -> Call:
        """Start a worker; the result of the call is the worker."""

    def restore(self, worker: Any, item: Item) -> Call:
        """Give an item to a worker that has none; the result of the call is the outcome."""

    def wait(self, calls: Collection[Call], seconds: float) -> Call | None:
        """One of the calls whose result is there; None if there is none after so many seconds."""

    def result(self, call: Call) -> Any:
        """The result of a call.

        Raises:
            WorkerDied: there will be none.
            UndegradeError: the worker cannot work.
        """


class Schedule:
    """Has the items of a listing restored.

    A worker has at most one item, and an item is taken from the listing only for a worker that is free: memory does not
    grow with the batch. What fails is tried once more, when the listing is through; what fails again is reported. A
    worker that dies is replaced, and its item counts as failed.

    Args:
        listing: the items; outcomes among them are passed on.
        pool: the workers.
        count: of the workers.
        shown: the names of an item's source and result, for people.
        tell: called with a message that says what is waited for.
    """

    def __init__(
        self,
        listing: Iterable[Item | Outcome],
        pool: Pool,
        count: int,
        shown: Callable[[Item], tuple[str, str]],
        tell: Callable[[str], None],
    ) -> None:
        self._ahead = iter(listing)
        self._pool, self._count, self._shown, self._tell = pool, count, shown, tell
        self._is_listed = False
        self._again: deque[Item] = deque()
        self._second: set[Item] = set()
        self._idle: list[Any] = []
        self._starting: set[Call] = set()
        self._at_work: dict[Call, tuple[Any, Item]] = {}
        self._failed_starts = 0
        self._left: set[str] = set()

    @property
    def unclean(self) -> set[str]:
        """Folders of results, below the output, in which workers have ended amid a file, or are at work now."""
        return self._left | {_folder(item) for _, item in self._at_work.values()}

    def run(self) -> Generator[Outcome]:
        """Restore the items.

        Yields:
            The outcomes, as they come.

        Raises:
            UndegradeError: no worker can start.
        """
        self._starting = {self._pool.start() for _ in range(self._count)}
        is_patient = True
        while True:
            yield from self._give()
            if self._idle and not self._at_work:  # an idle worker found nothing
                return
            call = self._pool.wait([*self._at_work, *self._starting], PATIENCE)
            if call in self._starting:
                self._starting.discard(call)
                self._started(call)
            elif call is not None:
                yield from self._ended(call)
            elif is_patient and not (self._idle or self._at_work):
                self._tell("no worker has started yet; the cluster has no room for one, or is starting machines.")
                is_patient = False

    def _give(self) -> Iterator[Outcome]:
        while self._idle and (found := self._next()) is not None:
            if isinstance(found, Outcome):
                yield found
            else:
                worker = self._idle.pop()
                self._at_work[self._pool.restore(worker, found)] = worker, found

    def _next(self) -> Item | Outcome | None:
        if not self._is_listed and len(self._again) < LATER:
            if (found := next(self._ahead, None)) is not None:
                return found
            self._is_listed = True
        if not self._again:
            return None
        item = self._again.popleft()
        self._second.add(item)
        return item

    def _started(self, call: Call) -> None:
        try:
            self._idle.append(self._pool.result(call))
            self._failed_starts = 0
        except (WorkerDied, UndegradeError) as error:
            self._failed_starts += 1
            if self._failed_starts > self._count:
                raise UndegradeError(f"the workers cannot start ({error}); look at the machines.") from error
            self._starting.add(self._pool.start())

    def _ended(self, call: Call) -> Iterator[Outcome]:
        worker, item = self._at_work.pop(call)
        try:
            outcome: Outcome = self._pool.result(call)
            self._idle.append(worker)
        except WorkerDied as error:
            self._starting.add(self._pool.start())
            self._left.add(_folder(item))
            reason = f"its worker ended ({error}); give the workers more memory, or look at the file."
            outcome = Outcome(*self._shown(item), reason=reason)
        if outcome.status == Status.FAILED and item not in self._second:
            self._again.append(item)
        else:
            self._second.discard(item)
            yield outcome


def _folder(item: Item) -> str:
    return item.output.rpartition("/")[0]
