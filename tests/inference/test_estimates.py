"""The estimate of the degradation: over tiles, in its units, alone or with the restoration."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.inference.models import WHOLE, image
from undegrade.errors import UndegradeError
from undegrade.inference.engine import Posterior
from undegrade.inference.estimates import Estimates
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.tiles import tiles
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import find_weights, load_weights


def test_estimating_alone_gives_the_same_numbers(fast: Pipeline) -> None:
    y = image(60, 70, 3)
    np.testing.assert_array_equal(fast.estimate(y), fast(y).estimate)
    np.testing.assert_array_equal(fast.estimate(y, tile=32), fast(y, self_ensemble=True).estimate)


def test_weights_without_a_trained_estimator() -> None:
    task = TASKS["real"]
    _, card = load_weights(find_weights("gaussian", ["fast"]))
    untrained = replace(card, task="real", recipe={**card.recipe, "lambda_est": 0.0})
    model = Pipeline(TorchEngine(VDIR(task.variants["fast"])), task, card=untrained)
    assert Pipeline(TorchEngine(VDIR(task.variants["fast"])), task).quantity is not None
    assert model(image(8, 8)).estimate is None
    with pytest.raises(UndegradeError, match="no estimate"):
        model.estimate(image(8, 8))


def test_the_estimates_spread_is_in_its_units(shipped: Pipeline, noisy: np.ndarray) -> None:
    found = shipped.estimate_map(noisy)
    estimate, spread = found.estimate, found.spread
    found = shipped(noisy)
    np.testing.assert_array_equal(found.spread, spread)
    np.testing.assert_array_equal(found.estimate, estimate)
    assert 0.01 < spread[0] < 15


def test_a_jpeg_quality_is_read_where_the_posterior_is_surest() -> None:
    seen = Estimates(1, np.empty((40, 40, 3), np.uint8))
    seen.drawn[:], seen.spread[:] = 0.5, 0.2  # flat places: anything
    seen.drawn[0, :2], seen.spread[0, :2] = 0.3, 0.1  # the surest fifth
    estimate, spread = seen.in_units(TASKS["jpeg"].degradation.quantity)
    assert estimate.tolist() == [pytest.approx(30)]
    assert spread.tolist() == [pytest.approx(18)]
    assert seen.in_units(TASKS["gaussian"].degradation.quantity)[0].tolist() == [pytest.approx(127.5)]  # everywhere


def test_tiles_gather_what_the_whole_image_reads(fast: Pipeline) -> None:
    x = image(300, 900, 3)
    whole, tiled = (fast.estimate_map(x, tile=tile) for tile in (WHOLE, 512))
    assert whole.map.shape == (1, 75, 225)
    np.testing.assert_array_equal(tiled.map, whole.map)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)
    np.testing.assert_array_equal(tiled.spread, whole.spread)


class Reader:
    """In place of an engine: an estimator of one's own."""

    def __init__(self, estimate: Callable[[np.ndarray], np.ndarray]) -> None:
        self._estimate = estimate

    def estimate(self, c: np.ndarray) -> np.ndarray:
        return self._estimate(c[0])[None]


def test_spread_is_the_posteriors_and_a_convex_estimator_reads_higher_on_draws() -> None:
    """Oracles: a linear estimator of c ~ N(mu, sigma^2) spreads by sigma; E[c^2] = mu^2 + sigma^2."""
    sigma = 0.5
    x = np.empty((400, 600, 3), np.uint8)
    (cut,) = tiles(*x.shape[:2], WHOLE, 0, 4)
    shape = (1, 4, 100, 150)
    posterior = Posterior(np.full(shape, 3, np.float32), np.full(shape, 2 * math.log(sigma), np.float32))
    linear, convex = Estimates(1, x), Estimates(1, x)
    linear.add_tile(Reader(lambda c: c[:1]), posterior, cut)
    convex.add_tile(Reader(lambda c: c[:1] ** 2), posterior, cut)
    # Root mean squares of four draws around the mean.
    assert np.sqrt(np.mean(linear.spread**2)) == pytest.approx(sigma, rel=0.02)
    assert linear.drawn.mean() == pytest.approx(3, abs=0.01)
    assert convex.drawn.mean() == pytest.approx(9 + sigma**2, abs=0.05)
    assert (convex.mean == 9).all()


def test_one_number_is_a_median_and_a_kernels_numbers_are_means() -> None:
    seen = Estimates(3, np.empty((40, 40, 3), np.uint8))
    seen.drawn[:], seen.spread[:] = np.array([1.0, 2.0, 3.0])[:, None, None], 0.5
    seen.drawn[:, :3] += 10  # texture that looks like degradation
    one = replace(TASKS["gaussian"].degradation.quantity, scale=2.0)
    three = replace(one, size=3)
    single = Estimates(1, np.empty((40, 40, 3), np.uint8))
    single.drawn, single.spread = seen.drawn[:1].copy(), seen.spread[:1].copy()
    estimate, spread = single.in_units(one)
    assert (estimate.tolist(), spread.tolist()) == ([2.0], [1.0])
    np.testing.assert_allclose(seen.in_units(three)[0], 2 * (np.array([1, 2, 3]) + 3.0), rtol=1e-6)


def test_what_lies_within_a_margin() -> None:
    seen = Estimates(1, np.empty((40, 48, 3), np.uint8))
    seen.drawn[:], seen.spread[:], seen.mean[:] = 7, 7, 7
    seen.drawn[:, 2:-2, 2:-2] = seen.spread[:, 2:-2, 2:-2] = seen.mean[:, 2:-2, 2:-2] = 1
    inner = seen.within(8)
    assert inner.drawn.shape == (1, 6, 8)
    assert (inner.drawn == 1).all()
    assert (inner.spread == 1).all()
    assert (inner.mean == 1).all()
    assert seen.within(0).drawn.shape == seen.drawn.shape
    assert seen.within(20) is seen  # nothing lies so far inside
