"""The loop over an image's tiles, and what happens when memory runs out on the way."""

from __future__ import annotations

from collections.abc import Callable

import torch

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, to_float
from undegrade.inference.engine import Window, out_of_memory
from undegrade.inference.tiles import Tile, split, tiles


def over_tiles(
    x: Image, side: int, halo: int, stride: int, device: torch.device, work: Callable[[Tile, Window], None]
) -> None:
    """Do the work on every tile of an image, on smaller tiles once memory runs out.

    Args:
        x: (H, W, C), any view.
        side: largest side of a tile, a multiple of the stride.
        halo: pixels of context around a tile, a multiple of the stride.
        stride: of the model.
        device: where the work is done.
        work: is given each tile and its window as floats, (h, w, C).

    Raises:
        UndegradeError: memory does not suffice for the smallest tile.
    """
    height, width = x.shape[:2]
    pending = list(tiles(height, width, side, halo, stride))[::-1]
    while pending:
        cut = pending.pop()
        rows, columns = cut
        try:
            work(cut, to_float(x[rows.low : rows.high, columns.low : columns.high]))
            continue
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            pieces = split(cut, height, width, halo, stride)
            if len(pieces) == 1:
                raise UndegradeError(
                    "there is not enough memory for even the smallest tile; close other programs, or use the fast "
                    "variant or another device."
                ) from error
        # Outside the except block, where the error would keep the failed tile's tensors alive.
        if device.type == "cuda":
            torch.cuda.empty_cache()
        rest = [piece for cut in pending for piece in reversed(split(cut, height, width, halo, stride))]
        pending = rest + pieces[::-1]
