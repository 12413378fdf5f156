"""The pipeline's answer is the model's: whole images, self-ensemble, samples, progress, memory."""

import re

import numpy as np
import pytest
import torch

from tests.inference.models import FAST, image, pipeline
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture
from undegrade.model.latent_noise import latent_noise
from undegrade.tasks import TASKS


def test_the_whole_image_is_what_the_model_says() -> None:
    model = pipeline()
    networks = model.engine.model
    with torch.no_grad():  # estimates within the range of noise levels, so that none is cut off
        networks.estimator.conv2.weight.mul_(0.03)
        networks.estimator.conv2.bias.fill_(0.15)
    y = image(37, 50, 3)
    tensor = torch.from_numpy(y).permute(2, 0, 1)[None]
    expected = networks(tensor)[0].permute(1, 2, 0).detach()
    np.testing.assert_allclose(model(y).image, expected.numpy(), rtol=0, atol=1e-5)
    scale = TASKS["gaussian"].degradation.quantity.scale
    posterior = networks.encode(tensor)
    at_mean = networks.estimate(posterior.mean).detach().numpy()
    assert at_mean.min() > 0
    np.testing.assert_allclose(model.estimate_map(y).map, at_mean[0] * scale, rtol=1e-4, atol=1e-4)
    noises = (torch.from_numpy(latent_noise(0, n, (0, 10), (0, 13))) for n in range(4))
    drawn = np.mean([networks.estimate(posterior.at(noise)).detach().numpy() for noise in noises], axis=0)
    np.testing.assert_allclose(model.estimate(y), np.median(drawn, axis=(0, 2, 3)) * scale, rtol=1e-4)


def test_self_ensemble_is_the_mean_over_eight_transforms(fast: Pipeline) -> None:
    y = image(21, 34, 3)
    total = np.zeros(y.shape)
    for turns in range(4):
        for flipped in (False, True):
            x = np.rot90(y, turns)
            x = x[:, ::-1] if flipped else x
            answer = fast(np.ascontiguousarray(x)).image
            answer = answer[:, ::-1] if flipped else answer
            total += np.rot90(answer, -turns)
    np.testing.assert_allclose(fast(y, self_ensemble=True).image, total / 8, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 7), (2, 3), (5, 1), (3, 4)])
@pytest.mark.parametrize(
    "architecture",
    [FAST, Architecture(), Architecture(params=3, scale=4), Architecture(params=3, scale=2, restorer="fast")],
)
def test_tiny_images(architecture: Architecture, h: int, w: int) -> None:
    model = pipeline(architecture, "gaussian" if architecture.scale == 1 else f"sr-x{architecture.scale}")
    found = model(image(h, w, 3), self_ensemble=True)
    assert found.image.shape == (h * architecture.scale, w * architecture.scale, 3)
    assert np.isfinite(found.image).all()
    assert found.estimate is not None
    assert np.isfinite(found.estimate).all()


def test_progress_ends_at_one(fast: Pipeline) -> None:
    seen: list[float] = []
    fast(image(30, 50), tile=16, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) == 8 + 8  # encoded, then restored
    assert len(set(seen)) == len(seen)
    assert seen[-1] == 1


def test_samples_are_seeded_differ_and_average(shipped: Pipeline, noisy: np.ndarray) -> None:
    one, same, other = (shipped(noisy, samples=4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.std, same.std)
    assert not np.array_equal(one.image, other.image)
    assert one.std.shape == noisy.shape[:2]
    assert one.std.dtype == np.float32
    assert 0 < one.std.mean() < 0.05
    y = shipped.engine.to_model(noisy)
    posterior = shipped.engine.encode(y)
    h, w = posterior.mean.shape[2:]
    draws = [shipped.engine.restore(y, posterior.at(latent_noise(1, n, (0, h), (0, w))))[0] for n in range(4)]
    np.testing.assert_allclose(one.image, np.mean(draws, 0).transpose(1, 2, 0), atol=1e-5)
    expected = np.sqrt(np.var(draws, axis=0, ddof=1).mean(0))
    np.testing.assert_allclose(one.std, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0, 10, 50])
@pytest.mark.parametrize("level", [20, 128, 235])
def test_a_flat_grey_keeps_its_mean(shipped: Pipeline, level: int, sigma: int) -> None:
    noise = np.random.default_rng(0).standard_normal((128, 128, 3))
    noise -= noise.mean((0, 1))  # what the picture itself has as a mean is no shift of ours
    flat = (level + sigma * noise).astype(np.float32) / 255
    shift = np.abs(shipped(flat).image.mean((0, 1)) * 255 - level)
    assert (shift < 0.5).all(), shift


def test_a_budget_of_memory_chooses_the_tile() -> None:
    model = pipeline()
    x = make_photo(300, 500, 6)
    sizes = []
    true = model.engine.restore
    model.engine.restore = lambda y, *given: sizes.append(y.shape[2] * y.shape[3]) or true(y, *given)  # type: ignore[func-returns-value,method-assign]
    np.testing.assert_array_equal(model(x, memory=5e7).image, model(x, memory=1e9).image)
    budget = 5e7 / model.engine.bytes_per_pixel
    assert max(sizes[:-1]) <= budget < sizes[-1]


def test_a_budget_that_halos_would_use_up_is_refused(fast: Pipeline) -> None:
    with pytest.raises(UndegradeError, match=r"0\.0001 GB of memory are too little for this") as raised:
        fast(image(40, 40, 3), memory=1e5)
    least = float(re.search(r"at least (\S+) GB", str(raised.value))[1])
    fast(image(40, 40, 3), memory=least * 1e9)
