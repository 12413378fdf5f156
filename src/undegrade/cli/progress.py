"""A progress bar for a batch, with the time left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from undegrade.files.plan import Job

BIG = 4_000_000
"""A single picture gets a progress bar if it has at least this many pixels."""


class Progress:
    """One bar for the whole batch, weighted by pixels. No bar if the output is no terminal or the work is short.

    Files are known by their place in the batch; several can be at work.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._bar: Any = None
        self._fractions: dict[int, float] = {}
        if not (jobs and sys.stderr.isatty()):
            return
        self._weights = _weights(jobs)
        if len(jobs) > 1 or max(self._weights) >= BIG:
            from tqdm import tqdm

            self._bar = tqdm(
                total=sum(self._weights),
                leave=False,
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {elapsed} < {remaining}",
            )

    def start(self, index: int) -> None:
        """A file begins, or begins again."""
        if self._bar is not None:
            self.within(index, 0.0)
            self._bar.set_description_str(f"{len(self._fractions)} of {len(self._weights)}")

    def within(self, index: int, fraction: float) -> None:
        """Update: this fraction of a file is done."""
        if self._bar is not None:
            self._bar.update((fraction - self._fractions.get(index, 0.0)) * self._weights[index])
            self._fractions[index] = fraction

    def done(self, index: int, counted: bool) -> None:
        """A file is done. One without work is not counted, because it would distort the time left."""
        if self._bar is None:
            return
        if not counted:
            self._bar.total -= self._weights[index]
        self.within(index, float(counted))

    def aside(self, stream: TextIO) -> AbstractContextManager[Any]:
        """A context for writing to ``stream`` while the bar is shown."""
        if self._bar is None:
            return nullcontext()
        mode: AbstractContextManager[Any] = self._bar.external_write_mode(file=stream)
        return mode

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _weights(jobs: Sequence[Job]) -> list[float]:
    """The number of pixels of each picture, from its header; the mean of the others if it cannot be read."""
    from undegrade.image.kind import stored_size

    known: list[float | None] = []
    for job in jobs:
        try:
            width, height = stored_size(job.source)
            known.append(float(width * height))
        except Exception:  # any problem is reported when the file is restored
            known.append(None)
    sizes = [size for size in known if size is not None]
    mean = sum(sizes) / len(sizes) if sizes else 1.0
    return [mean if size is None else size for size in known]
