"""Intervals hold the share of new values that they say, whatever the density of the errors."""

import math

import numpy as np
import pytest

from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.evaluation.conformal import DIGITS, GROUPS, coverage, deciles, fit, fit_pixels, quantile
from undegrade.weights.intervals import LEVELS

N = 40_000


def by_chance(level: float, count: int) -> float:
    """Four standard deviations of a binomial share; those of fit and check together."""
    return 4 * math.sqrt(2 * level * (1 - level) / count)


def scales(seed: int, count: int = N) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(-4, 0.8, count))


def laplace(b: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).laplace(0, b)


def heavy(b: np.ndarray, seed: int) -> np.ndarray:
    """Of a density with heavy tails, and of a scale that grows more slowly than it is said to."""
    return np.sqrt(b) * np.random.default_rng(seed).standard_t(3, b.shape)


def test_of_laplaces_density_the_widths_are_its_quantiles():
    b = scales(0)
    widths = fit(b, laplace(b, 1))
    inner = np.array(widths.scales[2:-2])
    for level in LEVELS:
        np.testing.assert_allclose(widths(inner, level), -inner * math.log(1 - level), rtol=0.15)


@pytest.mark.parametrize("errors", [laplace, heavy])
def test_new_values_are_covered_as_said_in_every_tenth(errors):
    b, new = scales(0), scales(2)
    widths = fit(b, errors(b, 1))
    error = errors(new, 3)
    for level in LEVELS:
        half = widths(new, level)
        assert coverage(half, error) == pytest.approx(level, abs=by_chance(level, N))
        for part in deciles(new)[1:-1]:  # in the first and the last one the scale changes much within a bin
            assert coverage(half[part], error[part]) == pytest.approx(level, abs=by_chance(level, N // 10))


def test_a_few_values_suffice_for_what_is_said():
    """The mean over many small fits: a conformal interval is right on average, and not only with endless data."""
    found = []
    for seed in range(200):
        b = scales(seed, 60)
        new = scales(1000 + seed, 60)
        found.append(coverage(fit(b, laplace(b, 2000 + seed))(new, 0.8), laplace(new, 3000 + seed)))
    # One bin of scales that differ by a factor of 20: conformal it still is, but for the growth above the median.
    assert np.mean(found) > 0.8 - 0.01


def test_the_quantile_is_the_conformal_one():
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))
    assert [quantile(errors, level) for level in LEVELS] == [50.0, 80.0, 90.0, 95.0]
    assert quantile(np.array([3.0, 7.0]), 0.95) == 7.0


def test_several_channels_share_a_scale():
    b = scales(0, 5000)
    errors = np.stack([laplace(b, seed) for seed in range(3)], 1)
    widths = fit(b, errors)
    assert coverage(widths(b, 0.9), errors) == pytest.approx(0.9, abs=0.01)


def test_equal_scales_have_one_width_and_no_width_falls():
    b = np.repeat([0.0, 1.0, 2.0], [500, 300, 200])
    errors = np.random.default_rng(0).normal(0, np.where(b == 1, 5.0, 1.0))
    widths = fit(b, errors)
    assert widths.scales == (0.0, 1.0, 2.0)
    assert widths.widths[0.9][0] < widths.widths[0.9][1] == widths.widths[0.9][2]
    both = np.abs(errors[b > 0])
    assert widths.widths[0.9][1] == float(f"{quantile(both, 0.9):.{DIGITS}g}")
    assert coverage(widths(b[b > 0], 0.9), both) == pytest.approx(0.9, abs=0.005)


def test_a_scale_that_says_nothing_gives_the_same_width_everywhere_and_loses_no_coverage():
    b, errors = scales(0), np.random.default_rng(1).normal(0, 1, N)
    widths = fit(b, errors)
    inner = b[b < widths.scales[-1]]
    assert np.ptp(widths(inner, 0.9)) < 0.2
    assert coverage(widths(inner, 0.9), np.random.default_rng(2).normal(0, 1, inner.shape)) == pytest.approx(
        0.9, abs=0.01
    )
    # Levels never cross.
    stacked = np.array([widths.widths[level] for level in LEVELS])
    assert (np.diff(stacked, axis=0) > 0).all()


def test_what_tells_nothing_is_refused():
    b = scales(0, 100)
    for scale, errors, what in (
        (b[:20], b[:20], "20 values are too few"),
        (b, np.where(b > b.mean(), np.nan, b), "not finite"),
        (0 * b, b, "every scale is 0"),
    ):
        with pytest.raises(UndegradeError, match=what):
            fit(scale, errors)


def test_each_severity_has_widths_of_its_own():
    """Errors of one b, thin tails under weak degradations, thick ones under strong: one width fits neither."""
    random = np.random.default_rng(0)
    b = [np.full(500, 1.0)] * 400
    severity = np.linspace(0, 50, 400)
    thin = [random.uniform(-2, 2, 500) for _ in range(200)]
    thick = [random.laplace(0, 1, 500) for _ in range(200)]
    pixels = fit_pixels([Category("", s) for s in severity], b, thin + thick)
    assert len(pixels.severities) == GROUPS
    assert pixels.at("", 8.0)(b[0], 0.5)[0] == pytest.approx(1.0, abs=0.03)
    assert pixels.at("", 45.0)(b[0], 0.5)[0] == pytest.approx(np.log(2), abs=0.03)
    alike = fit_pixels([Category()] * 400, b, thin + thick)
    assert alike.severities == (0.0,)
    assert alike.at("", 3.0) == fit(np.concatenate(b), np.concatenate(thin + thick))
    with pytest.raises(UndegradeError, match="not finite"):
        fit_pixels([Category("", np.nan), Category()], b[:2], thin[:2])


def test_each_kind_has_widths_of_its_own_and_one_that_was_not_seen_those_of_all():
    """Under one kind the tails are thin, under another thick, whatever the severities, which are not comparable."""
    random = np.random.default_rng(0)
    b = [np.full(500, 1.0)] * 80
    categories = [Category("fog" if i < 40 else "rain", float(i % 40)) for i in range(80)]
    errors = [random.uniform(-2, 2, 500) if i < 40 else random.laplace(0, 1, 500) for i in range(80)]
    pixels = fit_pixels(categories, b, errors)
    assert set(pixels.kinds) == {"fog", "rain"}
    assert len(pixels.kinds["fog"].severities) == 2
    assert pixels.at("fog", 20.0)(b[0], 0.5)[0] == pytest.approx(1.0, abs=0.04)
    assert pixels.at("rain", 20.0)(b[0], 0.5)[0] == pytest.approx(np.log(2), abs=0.04)
    assert pixels.at("snow", 20.0) == fit(np.concatenate(b), np.concatenate(errors))
