"""Points of the latent space and what they tell."""

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.analysis.embedding import encode_levels, knowledge
from undegrade.analysis.latents import encode, pooled
from undegrade.analysis.samples import cut


def test_codes_are_averages_of_the_posteriors_mean(gaussian):
    patches = cut([make_photo(40, 56, s) for s in range(3)], 16, 12)
    codes = encode_levels(gaussian, patches)
    assert codes.points.shape == (120, 4)
    assert sorted(set(codes.level)) == list(range(10, 60, 5))
    np.testing.assert_array_equal(codes.patch, np.tile(np.arange(12), 10))
    y = torch.from_numpy(codes.pixels[codes.level == 10]).permute(0, 3, 1, 2) / 255
    np.testing.assert_allclose(pooled(encode(gaussian, y).mean), codes.points[:12], atol=0.05)
    known = knowledge(codes)
    assert known.place.chance == pytest.approx(1 / 12)
    assert known.level.r_squared <= 1
