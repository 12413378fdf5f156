"""The size of the tiles, and the loop over those of an image. It continues with smaller ones when memory runs out."""

from __future__ import annotations

import math
from collections.abc import Callable

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, to_float
from undegrade.inference.engine import Engine, Window, out_of_memory
from undegrade.inference.options import RestoreOptions
from undegrade.inference.tiles import Tile, split, tiles

LEAST_TILE = 32
"""Smallest side of a tile that a budget of memory leads to."""


def largest_side(engine: Engine, options: RestoreOptions) -> int:
    """The largest side of a tile, in input pixels, a multiple of the stride.

    Raises:
        UndegradeError: the memory that the options allow is too little.
    """
    tile = options.tile
    if tile is None:
        halo = 2 * engine.reaches.restore
        memory = options.memory or engine.usual_memory
        tile = int((memory / engine.bytes_per_pixel) ** 0.5) - halo
        if tile < LEAST_TILE:  # nearly all of the work would be done for the halos
            least = engine.bytes_per_pixel * (LEAST_TILE + halo + 1) ** 2
            raise UndegradeError(
                f"{memory / 1e9:g} GB of memory are too little for this model; give at least "
                f"{math.ceil(least / 1e7) / 100:g} GB, or leave it out."
            )
    return max(tile, engine.stride) // engine.stride * engine.stride


def over_tiles(x: Image, side: int, halo: int, engine: Engine, work: Callable[[Tile, Window], None]) -> None:
    """Call ``work`` for every tile of an image; when memory runs out, continue with smaller tiles.

    Args:
        x: (H, W, C), any view.
        side: largest side of a tile, a multiple of the stride.
        halo: pixels of context around a tile, a multiple of the stride.
        engine: that does the work; its stride is the tiles'.
        work: called with each tile and its window as floats, (h, w, C).

    Raises:
        UndegradeError: there is not enough memory for the smallest tile.
    """
    height, width = x.shape[:2]
    stride = engine.stride
    pending = list(tiles(height, width, side, halo, stride))[::-1]
    while pending:
        tile = pending.pop()
        rows, columns = tile
        try:
            work(tile, to_float(x[rows.low : rows.high, columns.low : columns.high]))
            continue
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            pieces = split(tile, height, width, halo, stride)
            if len(pieces) == 1:
                raise UndegradeError(
                    "there is not enough memory for even the smallest tile; close other programs, or use the fast "
                    "variant or another device."
                ) from error
        # Not inside the except block: there the error keeps the tensors of the failed tile alive.
        engine.release()
        rest = [piece for tile in pending for piece in reversed(split(tile, height, width, halo, stride))]
        pending = rest + pieces[::-1]
