"""Patches and crops of images."""

import numpy as np
import pytest

from tests.pictures import make_photo
from undegrade.analysis.samples import cut, stacked_centres
from undegrade.errors import UndegradeError


def test_patches_are_disjoint_and_drawn_from_all_images():
    images = [np.full((40, 50, 3), i, np.uint8) for i in range(3)]
    for i, image in enumerate(images):
        image[..., 1] = np.arange(40)[:, None] // 16
        image[..., 2] = np.arange(50) // 16
        image[..., 0] = i
    patches = cut(images, 16, 18)
    places = {tuple(p) for p in (patches.x[:, :, 0, 0] * 255).round().int().tolist()}
    assert len(places) == 18
    np.testing.assert_array_equal(patches.image, (patches.x[:, 0, 0, 0] * 255).round().int().numpy())
    assert (patches.x == patches.x[:, :, :1, :1]).all()
    with pytest.raises(UndegradeError, match="hold 18 disjoint patches of 16 pixels, not 19"):
        cut(images, 16, 19)


def test_crops_are_of_one_size_and_not_tiny():
    crops = stacked_centres([make_photo(40, 70, 0), make_photo(50, 30, 1)], 192, 4)
    assert crops.shape == (2, 3, 28, 28)
    with pytest.raises(UndegradeError, match="only 9 pixels"):
        stacked_centres([make_photo(9, 40, 0)], 192)
