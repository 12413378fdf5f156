"""Cutting an image into tiles so that what each tile yields equals what the whole image would.

A network of finite reach needs a halo of that many pixels around a tile, and then no blending. Two further
conditions hold here: everything starts on multiples of four, the stride of the latent; and no window is so
small that its convolutions run by another algorithm, which would change the last bit (see :data:`AREA`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

GRID = 4
"""Tiles and windows start on multiples of this: the latent's stride."""

AREA = 288 * 288
"""Fewest pixels in a window, unless the whole image has fewer.

On the CPU, PyTorch convolves inputs of up to 20,480 elements by another algorithm, which rounds differently.
The smallest input in the model is the latent as the estimator sees it, a quarter of an element per pixel.
"""


class Span(NamedTuple):
    """Along one axis: the tile [start, stop) within the window [low, high) that is computed for it."""

    low: int
    start: int
    stop: int
    high: int


class Tile(NamedTuple):
    """One tile and its window, as spans of rows and of columns."""

    rows: Span
    columns: Span


def tiles(height: int, width: int, side: int, halo: int) -> Iterator[Tile]:
    """Cover an image with tiles of about equal size, in reading order.

    Args:
        height: of the image.
        width: of the image.
        side: no tile is longer than this, a multiple of 4, along either axis.
        halo: pixels of context around each tile, a multiple of 4.
    """
    tall, wide = _least(height, width)
    for rows in _spans(height, side, halo, tall):
        for columns in _spans(width, side, halo, wide):
            yield Tile(rows, columns)


def split(tile: Tile, height: int, width: int, halo: int) -> list[Tile]:
    """Two to four smaller tiles in place of one; itself if its window is already as small as any may be."""
    tall, wide = _least(height, width)
    rows, columns = _halves(tile.rows, height, halo, tall), _halves(tile.columns, width, halo, wide)
    return [Tile(r, c) for r in rows for c in columns]


def slices(cut: Tile, times: int, divided: int = 1, *, inner: bool = False) -> tuple[slice, slice]:
    """A tile's rows and columns in the image, or within its window (``inner``), at another resolution."""
    rows, columns = (
        slice((span.start - origin) * times // divided, -(-(span.stop - origin) * times // divided))
        for span in cut
        for origin in [span.low if inner else 0]
    )
    return rows, columns


def _least(height: int, width: int) -> tuple[int, int]:
    """The least height and width of windows. A long thin image gets windows that are longer along its long axis."""
    tall = min(height, max(int(AREA**0.5), -(-AREA // width)))
    wide = min(width, max(int(AREA**0.5), -(-AREA // height)))
    return tall, wide


def _spans(length: int, side: int, halo: int, least: int) -> list[Span]:
    """Split ``length`` evenly."""
    count = -(-length // side)
    step = -(-length // (count * GRID)) * GRID
    return [_span(start, min(start + step, length), length, halo, least) for start in range(0, length, step)]


def _halves(span: Span, length: int, halo: int, least: int) -> list[Span]:
    """Split a span in two, if that makes its window smaller."""
    middle = span.start + -(-(span.stop - span.start) // (2 * GRID)) * GRID
    if middle >= span.stop:
        return [span]
    halves = [_span(span.start, middle, length, halo, least), _span(middle, span.stop, length, halo, least)]
    smaller = max(half.high - half.low for half in halves) < span.high - span.low
    return halves if smaller else [span]


def _span(start: int, stop: int, length: int, halo: int, least: int) -> Span:
    """The tile [start, stop) in a window at least ``least`` long, which is at most ``length``."""
    low, high = max(start - halo, 0), min(stop + halo, length)
    high = min(max(high, low + least), length)
    low = max(min(low, (high - least) // GRID * GRID), 0)
    return Span(low, start, stop, high)
