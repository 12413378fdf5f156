"""Schedules and presets."""

import math
from dataclasses import replace

import pytest

from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU, Recipe


def test_the_papers_schedule():
    """Section IV-F: 2e-4, halved every 100,000 iterations until 2e-5."""
    rates = [PAPER.learning_rate(s) for s in (0, 99_999, 100_000, 250_000, 399_999, 10**7)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 5e-5, 2.5e-5, 2e-5])
    assert (PAPER.batch, PAPER.patch, PAPER.beta, PAPER.lambda_est) == (16, 96, 0.01, 1.0)


def test_warm_up_then_cosine_to_the_floor():
    r = replace(SHORT, steps=1000, warmup=100, lr=1.0, lr_floor=0.1)
    assert r.learning_rate(0) == pytest.approx(0.01)
    assert r.learning_rate(99) == pytest.approx(1.0)
    assert r.learning_rate(550) == pytest.approx(0.55)
    assert r.learning_rate(1000) == r.learning_rate(5000) == pytest.approx(0.1)
    rates = [r.learning_rate(s) for s in range(100, 1000)]
    assert rates == sorted(rates, reverse=True)


def test_hold_keeps_the_rate_until_the_decay():
    r = replace(SHORT, steps=1000, warmup=10, lr=1.0, hold=600)
    assert r.learning_rate(600) == 1.0
    assert r.learning_rate(601) < 1.0


@pytest.mark.parametrize("recipe", [PAPER, SHORT, SHORT_CPU])
def test_round_trip(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="depth"):
        Recipe.from_dict({**PAPER.to_dict(), "depth": 3})
    assert math.isinf(PAPER.clip)
