"""The task that is to do for everything: what its batches hold."""

import pytest
import torch

from tests.pictures import make_photo
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import NOISE_GRAIN_QUALITY
from undegrade.tasks import TASKS

TASK = TASKS["universal"]


@pytest.fixture(scope="module")
def drawn():
    """400 crops with what happened to them."""
    source = Synthetic(TrainingImages([make_photo(96, 128, s) for s in range(4)]), TASK.degradation, grey=0.1)
    return source.draw(400, 32, torch.Generator().manual_seed(0))


def test_a_tenth_is_left_alone_and_says_so(drawn) -> None:
    same = (drawn.x == drawn.y).flatten(1).all(1)
    assert 0.06 < float(same.float().mean()) < 0.16
    level, _, quality = NOISE_GRAIN_QUALITY.decode(drawn.params[same].T)
    assert float(level.max()) < 0.5
    assert bool((quality == 100).all())


def test_there_is_noise_alone_compression_alone_and_both(drawn) -> None:
    level, grain, quality = NOISE_GRAIN_QUALITY.decode(drawn.params.T)
    noisy, saved = level > 1, quality < 99
    for chosen, share in ((noisy & ~saved, 0.33), (~noisy & saved, 0.25), (noisy & saved, 0.2)):
        assert float(chosen.float().mean()) == pytest.approx(share, abs=0.1)
    assert bool(grain[noisy].isfinite().all())
    assert not bool(grain[~noisy & level.isfinite()].isfinite().any())
    assert float((grain > 0.3).float().mean()) > 0.05
    assert 0.05 < float((level > 30).float().mean()) < 0.3


def test_the_same_generator_draws_the_same_batch() -> None:
    source = Synthetic(TrainingImages([make_photo(96, 128, 0)]), TASK.degradation, grey=0.1)
    one, two = (source.draw(16, 48, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.y, two.y)
    torch.testing.assert_close(one.params, two.params, rtol=0, atol=0, equal_nan=True)


def test_the_estimator_is_bounded_as_the_numbers_are() -> None:
    for architecture in TASK.variants.values():
        assert architecture.bounds == NOISE_GRAIN_QUALITY.bounds
        assert architecture.params == NOISE_GRAIN_QUALITY.size


def test_every_case_tells_the_same_numbers() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for label, degradation in TASK.validation.items():
        y, params = degradation(x, torch.Generator().manual_seed(0))
        assert y.shape == x.shape, label
        assert params.shape == (1, 3), label
    assert set(TASK.validation_images) <= set(TASK.validation)
