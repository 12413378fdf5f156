"""Cuts an image into tiles whose results equal the result of the whole image.

A network with a finite receptive field needs a halo of that many pixels around a tile, and no blending. Two more
conditions hold: tiles and windows start on multiples of the model's stride, 4 or 8; and no window is so small that its
convolutions use another algorithm, which would change the last bit (see :data:`AREA`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from undegrade.model.part import Part

AREA = 288 * 288
"""The smallest number of pixels in a window, unless the whole image has fewer.

On the CPU, PyTorch convolves inputs of up to 20,480 elements with another algorithm, which rounds differently. The
smallest input in the model is the latent for the estimator, a quarter of an element per pixel; the coarser levels of a
restorer have more (``tests/model/test_wide_restorer.py``).
"""


class Span(NamedTuple):
    """Along one axis: the tile [start, stop) and the window [low, high) that is computed for it."""

    low: int
    start: int
    stop: int
    high: int


class Tile(NamedTuple):
    """One tile and its window, as spans of rows and of columns."""

    rows: Span
    columns: Span

    @property
    def pixels(self) -> int:
        """Number of pixels of the tile, without its halo."""
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)


def tiles(height: int, width: int, side: int, halo: int, stride: int) -> Iterator[Tile]:
    """Cover an image with tiles of about equal size, in reading order.

    Args:
        height: of the image.
        width: of the image.
        side: largest height and width of a tile, a multiple of the stride.
        halo: pixels of context around each tile, a multiple of the stride.
        stride: of the model: tiles and windows start on multiples of it.
    """
    tall, wide = _least(height, width)
    for rows in _spans(height, side, halo, stride, tall):
        for columns in _spans(width, side, halo, stride, wide):
            yield Tile(rows, columns)


def around(rows: tuple[int, int], columns: tuple[int, int], height: int, width: int, halo: int, stride: int) -> Tile:
    """One tile, at any place.

    Args:
        rows: first row of the tile, and the one after its last.
        columns: the same along the other axis.
        height: of the image.
        width: of the image.
        halo: pixels of context around the tile, a multiple of the stride.
        stride: of the model: the window starts on multiples of it.
    """
    tall, wide = _least(height, width)
    return Tile(_at(*rows, height, halo, stride, tall), _at(*columns, width, halo, stride, wide))


def split(tile: Tile, height: int, width: int, halo: int, stride: int) -> list[Tile]:
    """Two to four smaller tiles in place of one; only the tile itself if its window has the smallest size."""
    tall, wide = _least(height, width)
    rows = _halves(tile.rows, height, halo, stride, tall)
    columns = _halves(tile.columns, width, halo, stride, wide)
    return [Tile(r, c) for r in rows for c in columns]


def slices(tile: Tile, times: int, divided: int = 1, *, inner: bool = False) -> tuple[slice, slice]:
    """Rows and columns of a tile in the image, or in its window (``inner``), at ``times / divided`` the resolution."""
    rows, columns = (
        slice((span.start - origin) * times // divided, -(-(span.stop - origin) * times // divided))
        for span in tile
        for origin in [span.low if inner else 0]
    )
    return rows, columns


def part_of_window(tile: Tile) -> Part:
    """Where a tile is in its window."""
    rows, columns = ((span.start - span.low, span.stop - span.low) for span in tile)
    return Part(rows, columns)


def _least(height: int, width: int) -> tuple[int, int]:
    """The smallest height and width of windows. A long thin image gets windows that are longer along its long axis."""
    tall = min(height, max(int(AREA**0.5), -(-AREA // width)))
    wide = min(width, max(int(AREA**0.5), -(-AREA // height)))
    return tall, wide


def _spans(length: int, side: int, halo: int, stride: int, least: int) -> list[Span]:
    """Split ``length`` into tiles of about equal length, at most ``side``."""
    count = -(-length // side)
    step = -(-length // (count * stride)) * stride
    return [_span(start, min(start + step, length), length, halo, stride, least) for start in range(0, length, step)]


def _at(start: int, stop: int, length: int, halo: int, stride: int, least: int) -> Span:
    return _span(start // stride * stride, stop, length, halo, stride, least)._replace(start=start)


def _halves(span: Span, length: int, halo: int, stride: int, least: int) -> list[Span]:
    """Split a span in two, if that makes its window smaller."""
    middle = span.start + -(-(span.stop - span.start) // (2 * stride)) * stride
    if middle >= span.stop:
        return [span]
    halves = [_span(*half, length, halo, stride, least) for half in ((span.start, middle), (middle, span.stop))]
    smaller = max(half.high - half.low for half in halves) < span.high - span.low
    return halves if smaller else [span]


def _span(start: int, stop: int, length: int, halo: int, stride: int, least: int) -> Span:
    """The tile [start, stop) with its window, at least ``least`` and at most ``length`` long."""
    low, high = max(start - halo, 0), min(stop + halo, length)
    high = min(max(high, low + least), length)
    low = max(min(low, (high - least) // stride * stride), 0)
    return Span(low, start, stop, high)
