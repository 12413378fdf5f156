"""Colours under alpha = 0: never shown to a network, and kept where the picture is not enlarged."""

import numpy as np
import pytest

from undegrade.image import Picture, alpha
from undegrade.image.alpha import continued, with_hidden


def disc(h: int, w: int, dtype: type = np.uint8) -> np.ndarray:
    """Alpha: full in the middle, nothing outside."""
    row, column = np.mgrid[:h, :w]
    inside = (row - h / 2) ** 2 + (column - w / 2) ** 2 < (min(h, w) / 3) ** 2
    return (inside * (1.0 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(1, 7), (33, 50), (301, 17)])
def test_one_colour_is_continued_everywhere_exactly(size: tuple[int, int], dtype: type) -> None:
    a = np.zeros(size, dtype)
    a[0, size[1] // 2] = 1
    colours = np.zeros((*size, 3), dtype)
    colours[a > 0] = [0.25, 0.5, 0.75] if dtype is np.float32 else [255, 220, 61]
    found = continued(colours, a)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.broadcast_to(colours[a > 0], colours.shape))


def test_what_is_visible_stays_and_nothing_is_copied_in_vain() -> None:
    a, colours = disc(40, 30), np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    a[20, 15] = 1
    np.testing.assert_array_equal(continued(colours, a)[a > 0], colours[a > 0])
    assert continued(colours, np.full_like(a, 9)) is colours
    assert continued(colours, np.zeros_like(a)) is colours


def test_hidden_colours_have_no_influence_and_close_ones_count_most() -> None:
    a, colours = disc(64, 64), np.zeros((64, 64, 1), np.uint8)
    colours[:, :32], colours[:, 32:] = 40, 200
    found = continued(colours, a)
    other = np.where(a[..., None] > 0, colours, np.random.default_rng(0).integers(0, 256, colours.shape, np.uint8))
    np.testing.assert_array_equal(continued(other, a), found)
    assert (found[32, :8] < 80).all()
    assert (found[32, -8:] > 160).all()
    assert (np.abs(np.diff(found[4].astype(int), axis=0)) < 40).all(), "no steps, which would be edges to a network"


def test_nearly_transparent_pixels_count_little() -> None:
    a, colours = np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.uint8)
    a[:, 2], colours[:, 2] = 255, 240
    a[:, 3], colours[:, 3] = 1, 0  # what cutting out leaves of a dark background
    assert (continued(colours, a)[:, 4:] > 235).all()


def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    a, colours = disc(75, 41), np.random.default_rng(0).integers(0, 256, (75, 41, 3), np.uint8)
    whole = continued(colours, a)
    for rows in (2, 8, 30):
        monkeypatch.setattr(alpha, "_ROWS", rows)
        np.testing.assert_array_equal(continued(colours, a), whole)


def test_a_picture_of_the_same_size_keeps_what_alpha_hides() -> None:
    a, pixels = disc(20, 30), np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    picture = Picture(pixels, a)
    assert not np.array_equal(picture.visible, pixels)
    kept = picture.with_pixels(picture.visible)
    np.testing.assert_array_equal(kept.pixels, pixels)
    large = picture.with_pixels(picture.visible.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(large.pixels[::2, ::2], picture.visible)


def test_a_picture_without_transparency_is_shown_as_it_is() -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    assert Picture(pixels).visible is pixels
    assert np.shares_memory(Picture(pixels, np.full((4, 5), 7, np.uint8)).visible, pixels)
    grey = Picture(np.array([[9, 0]], np.uint8), np.array([[255, 0]], np.uint8))
    np.testing.assert_array_equal(grey.visible, [[9, 9]])


def test_hidden_colours_come_back() -> None:
    shown, given, a = np.full((2, 2, 3), 5), np.full((2, 2, 3), 8), np.array([[0, 1], [1, 1]])
    assert with_hidden(shown, given, a)[..., 0].tolist() == [[8, 5], [5, 5]]
    assert (shown == 5).all(), "what was given is not changed"
