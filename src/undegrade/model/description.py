"""What the rest of the program needs to know of a restorer p(x|y, c)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undegrade.model.restorer_module import RestorerModule


@dataclass(frozen=True)
class RestorerDescription:
    """One restorer.

    Attributes:
        name: as in :class:`undegrade.model.architecture.Architecture` and on weight cards.
        summary: what it is made of, for people; no full stop.
        build: (channels, scale, cond_channels) -> a module that maps y, (B, channels, H, W), and the condition,
            (B, cond_channels, ceil(H / 4), ceil(W / 4)), to xhat, (B, channels, H scale, W scale); with 0 of them the
            condition is ignored.
        scales: output pixels per input pixel along each side that it can do.
        bytes_per_pixel: peak of memory while restoring, per input pixel of a window, at scale 1, by the engine that
            takes more; measured on the CPU by ``benchmarks/window.py``.
        tile: default side of a tile at scale 1, in pixels, beyond which little gets faster, only larger; the wider the
            reach, the larger the halo and with it the tile that is worth its memory. At other scales windows take as
            much memory.
    """

    name: str
    summary: str
    build: Callable[[int, int, int], RestorerModule]
    scales: tuple[int, ...]
    bytes_per_pixel: int
    tile: int = 512
