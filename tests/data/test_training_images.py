"""Training crops: real pixels, uniform places, all eight orientations."""

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.data.training_images import TrainingImages, turn_grey
from undegrade.errors import UndegradeError


def coordinates(height: int, width: int, number: int) -> np.ndarray:
    """An image whose pixels say where they are: (row, column, image)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = np.arange(height)[:, None], np.arange(width), number
    return image


def test_every_crop_is_a_crop_of_one_image_in_one_of_eight_ways(generator):
    images = TrainingImages([coordinates(9, 14, 0), coordinates(20, 8, 1)])
    crops = (images.crops(400, 8, generator) * 255).round().int()
    ways, places = set(), set()
    for crop in crops:
        rows, columns, number = crop
        assert number.unique().numel() == 1
        height, width = ((9, 14), (20, 8))[int(number[0, 0])]
        # Rows vary along one axis only, columns along the other, by one each.
        r = rows[:, 0] if rows[0, 0] != rows[1, 0] else rows[0]
        c = columns[0] if columns[0, 0] != columns[0, 1] else columns[:, 0]
        assert set((r[1:] - r[:-1]).tolist()) in ({1}, {-1})
        assert set((c[1:] - c[:-1]).tolist()) in ({1}, {-1})
        assert r.min() >= 0 and r.max() < height and c.min() >= 0 and c.max() < width  # noqa: PT018
        ways.add((bool(rows[0, 0] == rows[0, 1]), int(r[1] - r[0]), int(c[1] - c[0])))
        places.add((int(number[0, 0]), int(r.min()), int(c.min())))
    assert len(ways) == 8
    # 2 x 7 places in the first image and 13 x 1 in the second: all are met.
    assert len(places) == 2 * 7 + 13


def test_images_too_small_are_left_out_and_none_left_is_an_error(generator):
    images = TrainingImages([coordinates(6, 30, 0), coordinates(12, 12, 1)])
    crops = (images.crops(50, 10, generator) * 255).round()
    assert crops[:, 2].unique().tolist() == [1]
    with pytest.raises(UndegradeError, match="13 pixels"):
        images.crops(1, 13, generator)


def test_values_are_the_files_own(generator):
    photo = make_photo(8, 8, 0)
    crop = TrainingImages([photo]).crops(1, 8, generator)
    assert sorted((crop * 255).round().flatten().tolist()) == sorted(photo.flatten().tolist())
    assert crop.min() >= 0
    assert crop.max() <= 1


def test_grey_share(generator):
    x = torch.rand(2000, 3, 2, 2, generator=generator)
    grey = turn_grey(x, 0.25, generator)
    share = (grey[:, :1] == grey).flatten(1).all(1)
    assert 0.2 < share.float().mean() < 0.3
    assert torch.equal(grey[~share], x[~share])
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    torch.testing.assert_close(grey[share][:, 0], (x[share] * weights).sum(1))
    assert turn_grey(x, 0.0, generator) is x
