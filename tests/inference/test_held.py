"""A part that is kept equals that part of the whole image, at every strength, bit for bit."""

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade import UndegradeError
from undegrade.inference.load import load_pipeline
from undegrade.inference.tiles import around, slices

NOISY = np.clip(
    make_photo(240, 280, 1) + np.random.default_rng(0).normal(0, 20, (240, 280, 3)), 0, 255
).astype(np.uint8)  # fmt: skip


@pytest.fixture(scope="module")
def wholes():
    """Of the whole image, by strength."""
    pipeline = load_pipeline("gaussian")
    return {strength: pipeline(NOISY, strength=strength).image for strength in (0, 0.1, 0.7, 1, 1.6)}


@pytest.mark.parametrize(("rows", "columns"), [((71, 150), (62, 180)), ((0, 40), (220, 280))])
def test_a_part_equals_that_of_the_whole_image_bit_for_bit(wholes, rows, columns):
    held = load_pipeline("gaussian").hold(NOISY, rows, columns)
    for strength, whole in wholes.items():
        np.testing.assert_array_equal(held.restored(strength), whole[slice(*rows), slice(*columns)])


def test_with_a_level_and_in_other_layouts():
    pipeline = load_pipeline("gaussian")
    small = NOISY[:96, :128]
    whole = pipeline(small, strength=0.8, level=30).image
    held = pipeline.hold(small, (16, 48), (30, 90), level=30)
    np.testing.assert_array_equal(held.restored(0.8), whole[16:48, 30:90])
    grey = np.repeat(small[..., :1], 3, axis=2)
    twelve_bits = small.astype(np.uint16) * 16
    for image in (grey, grey[..., 0], twelve_bits, torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)):
        whole = pipeline(image, strength=1.5).image
        part = pipeline.hold(image, (16, 48), (30, 90)).restored(1.5)
        assert type(part) is type(whole)
        assert part.dtype == whole.dtype
        where = (slice(None), slice(16, 48), slice(30, 90)) if image.shape[0] == 3 else (slice(16, 48), slice(30, 90))
        np.testing.assert_array_equal(part, whole[where])


def test_what_cannot_be_kept_is_refused():
    pipeline = load_pipeline("gaussian")
    with pytest.raises(UndegradeError, match="not within the image"):
        pipeline.hold(NOISY, (0, 241), (0, 10))
    with pytest.raises(UndegradeError, match="single image"):
        pipeline.hold(NOISY[None].repeat(2, 0), (0, 10), (0, 10))
    with pytest.raises(UndegradeError, match="no strength"):
        load_pipeline("sr-x2").hold(NOISY, (0, 10), (0, 10))
    with pytest.raises(UndegradeError, match="out of range"):
        pipeline.hold(NOISY[:20, :20], (0, 10), (0, 10)).restored(5)


def test_a_tile_at_any_place_has_its_halo_and_starts_on_the_stride():
    tile = around((131, 250), (102, 230), 1000, 2000, 48, 4)
    assert tile.rows.low % 4 == tile.columns.low % 4 == 0
    assert tile.rows.low <= 131 - 48
    assert tile.rows.high >= 250 + 48
    assert slices(tile, 1) == (slice(131, 250), slice(102, 230))
