"""Batches hold what their source says, in the places it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.data.batches import MixedBatches, Photographs, Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import Blur, CameraNoise, GaussianNoise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pairs() -> Photographs:
    """The noisy one is the clean one upside down in brightness."""
    clean = [make_photo(40, 56, s) for s in range(2)]
    return Photographs(TrainingImages([np.concatenate((c, 255 - c), axis=2) for c in clean]), params=2)


def test_photographs_are_cropped_and_turned_together(pairs: Photographs) -> None:
    x, y, params = pairs.draw(8, 16, seeded())
    assert x.shape == y.shape == (8, 3, 16, 16)
    torch.testing.assert_close(y, 1 - x)
    assert torch.equal(params, torch.zeros(8, 2))
    assert not torch.equal(x[0], x[1])


def test_synthetic_pairs_are_a_crop_and_its_degraded_version(images: TrainingImages) -> None:
    x, y, params = Synthetic(images, GaussianNoise((10, 10)), grey=1.0).draw(4, 16, seeded())
    assert torch.equal(x[:, 0], x[:, 2])
    assert float((y - x).std()) == pytest.approx(10 / 255, rel=0.1)
    torch.testing.assert_close(params, torch.full((4, 1), 10 / 255))
    x, y, _ = Synthetic(images, Blur.training(2)).draw(2, 16, seeded())
    assert (x.shape[-1], y.shape[-1]) == (32, 16)


def test_twins_share_a_crop_and_their_losses_are_those_of_the_degradation(images: TrainingImages) -> None:
    blur = replace(Blur.training(2), twins=True)
    source = Synthetic(images, blur)
    x, y, params = source.draw(4, 16, seeded())
    assert torch.equal(x[0], x[1])
    assert torch.equal(x[2], x[3])
    assert not torch.equal(x[0], x[2])
    assert not torch.equal(y[0], y[1])
    torch.testing.assert_close(params[0, 2], -params[1, 2], atol=1e-5, rtol=0)
    estimate = torch.rand(4, 3, 5, 5)
    torch.testing.assert_close(source.misses(estimate, params), blur.quantity.misses(estimate, params))


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_a_mixture_has_its_share_of_each(images: TrainingImages, pairs: Photographs, share: float, count: int) -> None:
    mixture = MixedBatches(Synthetic(images, CameraNoise()), pairs, share)
    x, y, params = mixture.draw(8, 16, seeded())
    assert len(x) == len(y) == len(params) == 8
    photographs = (y - (1 - x)).abs().flatten(1).amax(1) < 1e-6
    assert photographs.tolist() == [False] * (8 - count) + [True] * count
    assert (params != 0).any(1).tolist() == (~photographs).tolist()
    again = mixture.draw(8, 16, seeded())
    assert torch.equal(y, again.y)


def test_shares_beyond_reason_are_refused(pairs: Photographs) -> None:
    with pytest.raises(ValueError, match="share must"):
        MixedBatches(pairs, pairs, 1.5)
