"""Tiles cover an image once, on the grid, with enough around."""

import numpy as np
import pytest

from undegrade.inference.tiles import AREA, Span, Tile, slices, split, tiles


@pytest.mark.parametrize(("h", "w"), [(1, 1), (300, 1000), (513, 5), (2, 100_000)])
@pytest.mark.parametrize("side", [4, 64, 512])
@pytest.mark.parametrize(("halo", "stride"), [(48, 4), (80, 4), (80, 8)])
def test_tiles_cover_once_on_the_grid_with_enough_around(h: int, w: int, side: int, halo: int, stride: int) -> None:
    side = max(side, stride)
    covered = np.zeros((h, w), int)
    for rows, columns in tiles(h, w, side, halo, stride):
        covered[rows.start : rows.stop, columns.start : columns.stop] += 1
        for span, length in ((rows, h), (columns, w)):
            assert span.stop - span.start <= side
            assert span.start % stride == 0
            assert span.low % stride == 0
            assert span.low == 0 or span.start - span.low >= halo
            assert span.high == length or (span.high - span.stop >= halo and span.high % stride == 0)
        assert (rows.high - rows.low) * (columns.high - columns.low) >= min(AREA, h * w)
    assert (covered == 1).all()


def area(cut: Tile) -> int:
    return (cut.rows.high - cut.rows.low) * (cut.columns.high - cut.columns.low)


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize(("h", "w", "halo"), [(2000, 1500, 80), (1203, 4001, 48), (37, 9001, 80), (20, 30, 80)])
def test_halving_a_tile_again_and_again_covers_it_once_and_ends(h: int, w: int, halo: int, stride: int) -> None:
    """What running out of memory does: each window shrinks until none may be smaller."""
    pending = list(tiles(h, w, 10_000, halo, stride))
    covered = np.zeros((h, w), np.uint8)
    while pending:
        cut = pending.pop()
        pieces = split(cut, h, w, halo, stride)
        assert 1 <= len(pieces) <= 4
        if pieces == [cut]:
            covered[slices(cut, 1)] += 1
            continue
        assert all(area(piece) < area(cut) for piece in pieces)
        for rows, columns in pieces:
            for span, length in ((rows, h), (columns, w)):
                assert span.start % stride == span.low % stride == 0
                assert span.low == 0 or span.start - span.low >= halo
                assert span.high == length or span.high - span.stop >= halo
            assert area(Tile(rows, columns)) >= min(AREA, h * w)
        pending += pieces
    assert (covered == 1).all()


def test_places_at_other_resolutions() -> None:
    cut = Tile(Span(low=8, start=16, stop=30, high=40), Span(low=0, start=4, stop=9, high=9))
    assert slices(cut, 1) == (slice(16, 30), slice(4, 9))
    assert slices(cut, 1, inner=True) == (slice(8, 22), slice(4, 9))
    assert slices(cut, 2) == (slice(32, 60), slice(8, 18))
    # The latent has a quarter of the rows and columns, the last of which may stand for fewer than four.
    assert slices(cut, 1, 4) == (slice(4, 8), slice(1, 3))
    assert slices(cut, 1, 4, inner=True) == (slice(2, 6), slice(1, 3))
