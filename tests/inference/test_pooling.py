"""Pooling: the restorer is told of the latent of the whole image, too, and everything stays exact in tiles."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.inference.models import FAST, WHOLE, image, pipeline
from tests.pictures import make_photo
from undegrade.inference.engine import Posterior
from undegrade.inference.onnx_engine import OnnxEngine
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.train.passes import Passes

POOLED = replace(FAST, pooling=0.5)


@pytest.fixture(params=["torch", "onnx"])
def pooled(request: pytest.FixtureRequest) -> Pipeline:
    made = pipeline(POOLED)
    if request.param == "torch":
        return made
    assert isinstance(made.engine, TorchEngine)
    tensors = {name: tensor.numpy() for name, tensor in made.engine.model.state_dict().items()}
    return Pipeline(OnnxEngine(POOLED, tensors, 1), TASKS["gaussian"])


def two_halves() -> np.ndarray:
    """A picture whose left half is smooth and whose right half is noisy: its latent differs from place to place."""
    picture = make_photo(64, 900, 3).astype(np.float32) / 255
    picture[:, 450:] += np.random.default_rng(0).normal(0, 0.2, (64, 450, 3)).astype(np.float32)
    return picture


def test_the_mean_moves_by_the_share_and_the_variance_stays() -> None:
    model = VDIR(replace(FAST, pooling=0.25))
    posterior = model.encode(torch.rand(2, 3, 12, 16))
    found = model.pooled(posterior)
    common = posterior.mean.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found.mean, 0.75 * posterior.mean + 0.25 * common)
    assert found.logvar is posterior.logvar
    none = VDIR(FAST)
    assert none.pooled(posterior) is posterior


def test_a_pipeline_gives_the_restorer_what_the_model_does(pooled: Pipeline) -> None:
    y = two_halves()[:, 400:500]
    engine = pipeline(POOLED).engine
    assert isinstance(engine, TorchEngine)
    with torch.inference_mode():
        own = engine.model(torch.from_numpy(y).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(pooled(y).image, own, atol=1e-5)
    assert np.abs(pooled(y).image - pipeline(FAST)(y).image).max() > 1e-3  # it matters


@pytest.mark.parametrize("options", [{}, {"strength": 0.6}, {"strength": 1.5}, {"samples": 2}, {"self_ensemble": True}])
def test_tiles_equal_the_whole_image(pooled: Pipeline, options: dict[str, Any]) -> None:
    y = two_halves()[:24]
    whole, tiled = (pooled(y, tile=side, **options) for side in (WHOLE, 460))
    exact = not {"samples", "self_ensemble"} & set(options)
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=0 if exact else 1e-6)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


def test_strength_has_no_jump_at_1(pooled: Pipeline) -> None:
    y = two_halves()[:, 400:500]
    at, near = (pooled(y, strength=s).image for s in (1.0, 1.0001))
    assert np.abs(at - near).max() < 1e-3


@pytest.mark.parametrize("strength", [0.7, 1.0, 1.6])
def test_a_part_that_is_kept_is_that_of_the_whole_image(pooled: Pipeline, strength: float) -> None:
    y = (255 * two_halves()).clip(0, 255).astype(np.uint8)
    whole = pooled(y, strength=strength).image
    for common in (None, pooled.look(y, RestoreOptions()).common):
        held = pooled.hold(y, (10, 51), (430, 600), common=common)
        np.testing.assert_array_equal(held.restored(strength), whole[10:51, 430:600])


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_a_look_is_used_and_one_without_a_latent_is_not_enough(pooled: Pipeline, strength: float) -> None:
    y, options = two_halves(), RestoreOptions(strength=strength)
    whole = pooled.run(y, options)
    for look in (pooled.look(y, options), pooled._look(y, options, None, latent=False)):
        found = pooled.run(y, options, look=look)
        np.testing.assert_array_equal(found.image, whole.image)
        np.testing.assert_array_equal(found.estimate, whole.estimate)


def test_the_progress_never_goes_back(pooled: Pipeline) -> None:
    for strength in (1.0, 0.5):
        seen: list[float] = []
        pooled.run(image(40, 50, 3), RestoreOptions(strength=strength), progress=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == pytest.approx(1)


def test_steering_adds_no_more_of_it_than_at_1() -> None:
    engine = pipeline(POOLED).engine
    y = image(1, 3, 24, 32)
    posterior = engine.encode(y)
    moved = engine.pooled(posterior.mean) - posterior.mean
    xhat = engine.restore(y, posterior.mean + moved)
    for amount in (0.5, 2.0):
        again = engine.encode(xhat + np.float32(amount) * (y - xhat))
        found = engine.steered(y, posterior, amount)
        np.testing.assert_allclose(found.mean, again.mean + min(amount, 1.0) * moved, atol=1e-6)
    one = engine.steered(y, posterior, 1)
    assert isinstance(one, Posterior)
    np.testing.assert_allclose(one.mean, posterior.mean + moved, atol=1e-6)


def test_training_restores_with_it_and_reads_without() -> None:
    model = VDIR(POOLED).requires_grad_(False)
    y, noise = torch.rand(2, 3, 16, 20), torch.randn(2, 4, 4, 5)
    passes, posterior = Passes(model), model.encode(y)
    c = model.pooled(posterior).at(noise)
    mean, _, xhat, yhat, estimate = passes.joint(y, noise)
    torch.testing.assert_close(xhat, model.restore(y, c))
    torch.testing.assert_close(passes.restorer(y, noise), xhat)
    own = posterior.at(noise)
    torch.testing.assert_close(
        (mean, yhat, estimate), (posterior.mean, model.decode(own, (16, 20)), model.estimate(own))
    )


def test_it_travels_with_the_weights_and_older_cards_have_none() -> None:
    assert Architecture.from_dict(POOLED.to_dict()) == POOLED
    assert "pooling" not in FAST.to_dict()
    assert Architecture.from_dict(FAST.to_dict()).pooling == 0
    for wrong in (-0.1, 1.1, float("nan"), "half", True):
        with pytest.raises(ValueError, match="pooling must be"):
            Architecture(pooling=wrong)  # type: ignore[arg-type]
