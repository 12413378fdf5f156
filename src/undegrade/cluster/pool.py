"""Workers of Ray: one actor each, which keeps its models for all its files. Ray decides where they run."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Collection
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from undegrade.cluster.listing import Item
from undegrade.cluster.remote import RemoteHow, remove_dead_folders, restore_item
from undegrade.cluster.schedule import Call, WorkerDied
from undegrade.cluster.storage import first_line
from undegrade.errors import UndegradeError
from undegrade.files.restore_file import Outcome
from undegrade.files.workers import THREADS

_SECONDS = 10.0
"""In which a cluster must answer."""


class Restorer:
    """The actor."""

    def __init__(self, how: RemoteHow) -> None:
        self._how = how
        for name in THREADS:  # before the libraries are loaded; else each worker would take all cores of its machine
            os.environ.setdefault(name, str(how.select.threads or 1))

    def ready(self) -> None:
        """Load what the first picture needs, and remove what killed workers left on the machine.

        Raises:
            UndegradeError: see :meth:`undegrade.files.selector.Selector.check`.
        """
        remove_dead_folders()
        self._how.select.check()

    def restore(self, item: Item) -> Outcome:
        """See :func:`undegrade.cluster.remote.restore_item`."""
        return restore_item(item, self._how)


class RayPool:
    """Workers of a Ray cluster.

    Args:
        address: of the cluster, as Ray takes it; None for the one of ``RAY_ADDRESS`` or of this machine, and if there
            is none, for a new one on this machine.
        how: how the files are restored; its selector has the threads of a worker, which are its CPUs for Ray.
        gpus: of each worker; may be a fraction.

    Attributes:
        room: workers that the cluster has room for now.

    Raises:
        UndegradeError: Ray is not installed, there is no such cluster, or it has no GPU.
    """

    def __init__(self, address: str | None, how: RemoteHow, gpus: float = 0.0) -> None:
        if find_spec("ray") is None:
            raise UndegradeError("--ray needs Ray and fsspec; install them with: pip install 'undegrade[ray]'.")
        # Ray would send statistics about its use to its makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        try:
            _probe(address)
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # ConnectionError, RuntimeError, ValueError, ...
            raise UndegradeError(
                f"--ray {address or ''}: there is no connection to a cluster ({first_line(error)}); check the address."
            ) from error
        cpus = how.select.threads or 1
        self._actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(Restorer)
        self._how = how
        self._actors: dict[Call, Any] = {}
        found = ray.cluster_resources()
        self.room = int(found.get("GPU", 0) // gpus if gpus else found.get("CPU", 0) // cpus)

    def start(self) -> Call:
        """See :class:`undegrade.cluster.schedule.Pool`."""
        actor = self._actor.remote(self._how)
        call: Call = actor.ready.remote()
        self._actors[call] = actor
        return call

    def restore(self, worker: Any, item: Item) -> Call:
        """See :class:`undegrade.cluster.schedule.Pool`."""
        call: Call = worker.restore.remote(item)
        self._actors[call] = worker
        return call

    def wait(self, calls: Collection[Call], seconds: float) -> Call | None:
        """See :class:`undegrade.cluster.schedule.Pool`."""
        done, _ = self._ray.wait(list(calls), num_returns=1, timeout=seconds)
        return done[0] if done else None

    def result(self, call: Call) -> Any:
        """See :class:`undegrade.cluster.schedule.Pool`."""
        worker = self._actors.pop(call)
        try:
            value = self._ray.get(call)
        except Exception as error:  # Ray's own, or what the actor raised
            with suppress(Exception):  # it may be alive, but out of reach
                self._ray.kill(worker)
            cause = getattr(error, "cause", None)
            if isinstance(cause, UndegradeError):
                raise cause from error
            raise WorkerDied(first_line(error)) from error
        return worker if value is None else value

    def close(self) -> None:
        """End the workers, and the cluster if it was started for them."""
        self._ray.shutdown()


def _probe(address: str | None) -> None:
    """Connect to an address with a port: Ray itself would try for minutes.

    Raises:
        OSError: nothing answers.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^\[\]/]+?)\]?:(\d+)", address or "")
    if found is not None:
        with socket.create_connection((found[1], int(found[2])), timeout=_SECONDS):
            pass
