"""A part of an image, at other resolutions, with its surroundings, and within another part."""

import numpy as np

from undegrade.model.part import Part

PART = Part((8, 21), (16, 24))


def test_it_cuts_what_has_more_or_fewer_pixels_than_the_image() -> None:
    image = np.arange(21 * 30).reshape(1, 21, 30)
    np.testing.assert_array_equal(PART.of(image), image[:, 8:21, 16:24])
    large, small = np.arange(42 * 60).reshape(42, 60), np.arange(11 * 15).reshape(11, 15)
    np.testing.assert_array_equal(PART.of(large, 2), large[16:42, 32:48])
    np.testing.assert_array_equal(PART.of(small, 1, 2), small[4:11, 8:12])
    assert PART.pixels == 13 * 8


def test_what_is_around_starts_on_the_stride_and_ends_there_or_with_the_image() -> None:
    assert PART.around(4, 8, (21, 50)) == Part((0, 21), (8, 32))
    assert Part((9, 10), (17, 18)).around(8, 8, (100, 100)) == Part((0, 24), (8, 32))
    assert Part((0, 5), (0, 6)).around(8, 8, (5, 6)) == Part((0, 5), (0, 6))


def test_within_another_it_is_the_same_place() -> None:
    image = np.arange(21 * 50).reshape(21, 50)
    wider = PART.around(4, 8, (21, 50))
    np.testing.assert_array_equal(PART.within(wider).of(wider.of(image)), PART.of(image))
