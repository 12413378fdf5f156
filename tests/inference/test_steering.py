"""Strength and level: the latent is steered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.inference.models import SIGMA, image, pipeline
from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.steering import _search, amount_of_level
from undegrade.tasks import TASKS


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.float16])
def test_strength_0_is_the_identity_bit_for_bit(shipped: Pipeline, dtype: type) -> None:
    x = np.random.default_rng(1).random((40, 50, 3)) * (1 if np.issubdtype(dtype, np.floating) else 250)
    x = x.astype(dtype)
    found = shipped(x, strength=0)
    np.testing.assert_array_equal(found.image, x)
    assert found.image is not x
    np.testing.assert_array_equal(found.estimate, shipped.estimate(x))


def test_strength_1_is_the_models_own_answer(shipped: Pipeline, noisy: np.ndarray) -> None:
    y = shipped.engine.to_model(noisy)
    own = shipped.engine.restore(y, shipped.engine.encode(y).mean)[0].transpose(1, 2, 0)
    np.testing.assert_allclose(shipped(noisy, strength=1.0).image, own, atol=1e-6)


def test_what_is_left_of_the_noise_falls_with_strength(shipped: Pipeline, noisy: np.ndarray) -> None:
    again = noisy + 0  # the same picture under other noise tells noise from detail
    again += np.float32(SIGMA / 255) * np.random.default_rng(1).standard_normal(noisy.shape).astype(np.float32)
    again -= np.float32(SIGMA / 255) * np.random.default_rng(0).standard_normal(noisy.shape).astype(np.float32)
    left = [
        np.std(shipped(noisy, strength=s).image - shipped(again, strength=s).image)
        for s in (0, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
    ]
    assert (np.diff(left) < 0).all(), left


def test_strength_has_no_jumps(shipped: Pipeline, noisy: np.ndarray) -> None:
    def restored(strength: float) -> np.ndarray:
        return np.asarray(shipped(noisy, strength=strength).image)

    for s in (0.0, 0.25, 1.0):
        near = np.abs(restored(s + 1e-3) - restored(s)).mean()
        assert near < 0.02 * np.abs(restored(1.0) - noisy).mean()


@pytest.mark.parametrize("level", [15, 30, 50])
def test_a_level_moves_the_latent_until_the_estimator_reads_it(
    shipped: Pipeline, noisy: np.ndarray, level: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = []
    steered = Engine.steered

    def spy(self: Engine, y: np.ndarray, posterior: Any, amount: float, common: Any) -> Any:
        moved = steered(self, y, posterior, amount, common)
        amounts.append(float(self.estimate(moved.mean).mean()) * 255 if amount != 1 else None)
        return moved

    monkeypatch.setattr(Engine, "steered", spy)
    found = shipped(noisy, level=level)
    assert found.estimate == pytest.approx([SIGMA], abs=3)  # what was found is still said
    assert amounts[-1] == pytest.approx(level, rel=0.1, abs=1)


def test_the_estimates_own_level_changes_nothing(shipped: Pipeline, noisy: np.ndarray) -> None:
    own = shipped(noisy)
    told = shipped(noisy, level=float(own.estimate[0])).image
    assert np.abs(told - own.image).max() < 0.2 / 255
    further = shipped(noisy, level=float(own.estimate[0]) + 1).image
    assert np.abs(further - own.image).max() > 0.2 / 255


def test_a_higher_level_removes_more(shipped: Pipeline, noisy: np.ndarray) -> None:
    removed = [np.abs(shipped(noisy, level=level).image - noisy).mean() for level in (10, 20, 30, 45)]
    assert (np.diff(removed) > 0).all()


@pytest.mark.parametrize(
    ("read", "wanted", "amount"),
    [
        (lambda amount: 12 * amount, 30, 2.5),  # a noise level rises with the degradation
        (lambda amount: 12 * amount, 3, 0.25),
        (lambda amount: 12 * amount, 0, 0),
        (lambda amount: 100 - 8 * amount, 20, 10),  # a quality falls
        (lambda amount: 100 - 8 * amount, 96, 0.5),
        (lambda amount: 5 + 2 * amount, 1000, 64),  # out of reach: the most there is
        (lambda amount: 5 + 2 * amount, 1, 0),
    ],
)
def test_the_search_finds_the_amount_of_damage(read: Callable[[float], float], wanted: float, amount: float) -> None:
    assert _search(read, wanted) == pytest.approx(amount, rel=1e-3, abs=1e-3)


def test_a_kernel_cannot_be_overruled_by_one_number() -> None:
    quantity = TASKS["sr-x2"].degradation.quantity
    with pytest.raises(UndegradeError, match="3 numbers and cannot be overruled by one"):
        amount_of_level(pipeline().engine, quantity, image(8, 8, 3), 1.0)
