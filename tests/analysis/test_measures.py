"""Noise left, detail kept and monotonicity, against known answers."""

import numpy as np
import pytest

from undegrade.analysis.measures import detail_kept, monotonicity, noise_left


def test_noise_and_detail_are_told_apart(rng):
    x = rng.uniform(0.3, 0.7, (64, 64, 3))
    noisy = [x + rng.normal(0, 10 / 255, x.shape) for _ in range(2)]
    assert noise_left(*noisy) == pytest.approx(10, rel=0.03)
    assert detail_kept(x, np.mean(noisy, axis=0)) == pytest.approx(1, abs=0.03)
    assert detail_kept(x, 0.5 + 0.4 * (x - 0.5)) == pytest.approx(0.4)
    assert noise_left(x, x) == 0
    assert np.isnan(detail_kept(np.zeros((8, 8, 1)), x[:8, :8, :1]))


def test_monotonicity_is_spearmans():
    from scipy.stats import spearmanr

    x = np.array([1.0, 2, 3, 4, 5])
    assert monotonicity(x, np.exp(x)) == pytest.approx(1)
    assert monotonicity(x, -x) == pytest.approx(-1)
    y = np.array([2.0, 2, 1, 5, 2])
    assert monotonicity(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(monotonicity(x, np.ones(5)))
