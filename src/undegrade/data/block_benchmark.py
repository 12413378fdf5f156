"""Benchmarks of camera noise that their owners distribute as MATLAB files, cut into blocks.

Some include the ground truth and are measured here. For the others the owner keeps it: restored blocks are written in
the layout of the owner's own scripts, and the user submits them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Restore = Callable[[NDArray[np.float32]], NDArray[Any]]
"""y -> xhat: (H, W, 3), values of [0, 1], not clipped."""


class Pair(NamedTuple):
    """One block: its name, x and y, (H, W, 3), 8-bit."""

    name: str
    clean: NDArray[np.uint8]
    noisy: NDArray[np.uint8]


@dataclass(frozen=True)
class Blocks(ABC):
    """A benchmark in blocks.

    Attributes:
        name: as in the paper's tables.
        table: of the paper.
        files: what a folder must hold.
        count: number of blocks.
        offered: where the owner offers it, in words.
    """

    name: str
    table: str
    files: tuple[str, ...]
    count: int
    offered: str

    def find(self, data_dir: Path) -> Path | None:
        """The folder that holds all of :attr:`files`: ``data_dir`` itself, or up to two folders below."""
        folders = (data_dir, *sorted(data_dir.glob("*/")), *sorted(data_dir.glob("*/*/")))
        return next((f for f in folders if all((f / name).exists() for name in self.files)), None)

    def missing(self, data_dir: Path) -> str:
        """A sentence for when it is not found."""
        return f"{self.name} is not below {data_dir}: get {' and '.join(self.files)} from {self.offered}."


@dataclass(frozen=True)
class MeasuredBlocks(Blocks):
    """Blocks whose ground truth is public."""

    @abstractmethod
    def pairs(self, folder: Path) -> Iterator[Pair]:
        """The blocks, in the owner's order.

        Raises:
            UndegradeError: a file cannot be read or is something else, or a library is missing.
        """


@dataclass(frozen=True)
class SubmittedBlocks(Blocks):
    """Blocks whose ground truth is kept by the owner."""

    @abstractmethod
    def submit(self, folder: Path, out: Path, restore: Restore, method: str) -> Iterator[int]:
        """Restore all blocks and write the files to submit, below ``out``.

        Args:
            folder: as :meth:`find` gives it.
            out: created if necessary.
            restore: is given one block at a time.
            method: what to call it where the layout has a place for that.

        Yields:
            How many blocks are done, after each. Nothing is complete before the last one.

        Raises:
            UndegradeError: a file cannot be read or written or is something else, or a library is missing.
        """

    @property
    @abstractmethod
    def sent(self) -> str:
        """What is to be sent in, and where, in words."""
