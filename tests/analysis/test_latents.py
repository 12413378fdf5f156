"""An image's own latent gives the plain restoration, another one does not."""

import numpy as np
import torch

from tests.pictures import make_photo
from undegrade.analysis.latents import restored
from undegrade.analysis.manipulation import manipulate
from undegrade.analysis.samples import to_tensor
from undegrade.analysis.severity import severity
from undegrade.metrics import to_8bit


def test_the_own_latent_gives_the_plain_restoration_and_a_foreign_one_does_not(gaussian):
    x = make_photo(37, 50, 0)
    y, _ = severity(gaussian.task.degradation).at(30)(to_tensor(x), np.random.RandomState(0))
    found = manipulate(gaussian, x)
    plain = gaussian(y[0].permute(1, 2, 0).numpy()).image
    np.testing.assert_array_equal(found.results["own"].image, to_8bit(plain))
    assert found.results["own"].latent.shape == (4, 10, 13)
    for other in ("flipped", "milder", "stronger"):
        assert (found.results[other].latent != found.results["own"].latent).any()
        assert (found.results[other].image != found.results["own"].image).any()
    c = torch.from_numpy(gaussian.engine.encode(y.numpy()).mean)
    np.testing.assert_array_equal(restored(gaussian, y, c)[0].permute(1, 2, 0).numpy(), plain)
