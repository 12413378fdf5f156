"""16-bit images that use little of their range: found, restored in the model's range, and put back exactly."""

import numpy as np
import pytest

import undegrade
from undegrade.errors import UndegradeError
from undegrade.inference.ranges import FULL, Range, find_range


def twelve_bits(offset=0, side=64):
    """A smooth picture of 12 bits with noise, and the picture."""
    y, x = np.mgrid[:side, :side] / side
    clean = offset + 1200 + 900 * np.sin(5 * x + 3 * y)[..., None]
    noisy = clean + np.random.default_rng(0).normal(0, 120, clean.shape)
    return np.rint(noisy).clip(0, 65535).astype(np.uint16), clean


@pytest.mark.parametrize("offset", [0, 96, 32768, 60000])
def test_the_values_in_use_are_black_and_white(offset):
    noisy, _ = twelve_bits(offset)
    found = find_range(noisy)
    assert (found.black, found.white) == (noisy.min(), noisy.max())
    scaled = found.scaled(noisy)
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_every_value_comes_back_exactly():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    for found in (FULL, Range(0, 1023), Range(96, 1036), Range(40000, 40255), Range(0, 1)):
        np.testing.assert_array_equal(found.back(found.scaled(values)), values)


@pytest.mark.parametrize(
    "image",
    [
        np.full((8, 8, 1), 700, np.uint16),  # flat
        (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8, 1),  # the whole range
        (np.arange(64, dtype=np.uint16) * 257).reshape(8, 8, 1),  # eight bits of a dark picture
        np.arange(64, dtype=np.uint8).reshape(8, 8, 1),
        np.linspace(0, 0.01, 64, dtype=np.float32).reshape(8, 8, 1),
    ],
)
def test_others_keep_their_range(image):
    assert find_range(image).is_full


def test_a_few_steps_are_not_blown_up():
    found = find_range(np.array([[[50], [53]]], np.uint16))
    assert found.white - found.black == 255
    assert find_range(np.array([[[65533], [65535]]], np.uint16)).white == 65535


@pytest.mark.parametrize(
    ("white", "dtype", "said"), [(0, "uint16", "1 to 65535"), (70000, "uint16", "1 to"), (255, "uint8", "16-bit")]
)
def test_an_impossible_white_is_said(white, dtype, said):
    with pytest.raises(UndegradeError, match=said):
        find_range(np.zeros((4, 4, 1), dtype), white)


def test_a_white_far_below_the_values_is_said():
    with pytest.raises(UndegradeError, match="too low for an image with values up to 60000"):
        find_range(np.full((4, 4, 1), 60000, np.uint16), 100)


def test_microscopy_of_twelve_bits_is_restored():
    noisy, clean = twelve_bits(96)
    restored = undegrade.restore(noisy, "gaussian")
    assert restored.dtype == np.uint16
    before, after = (np.sqrt(np.square(x - clean).mean()) for x in (noisy, restored))
    assert after < before / 3
    found = Range(float(noisy.min()), float(noisy.max()))
    floats = undegrade.restore(found.scaled(noisy), "gaussian")
    np.testing.assert_array_equal(found.back(floats), restored)


def test_a_white_that_is_given_counts():
    noisy, _ = twelve_bits()
    floats = undegrade.restore((noisy / np.float32(4095)).astype(np.float32), "gaussian")
    given = undegrade.restore(noisy, "gaussian", white=4095)
    assert np.abs(given - floats * 4095).max() <= 0.51
