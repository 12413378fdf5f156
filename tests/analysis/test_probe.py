"""Linear probes: known directions, and nothing where there is nothing to know."""

import numpy as np
import pytest

from undegrade.analysis.probe import fit, held_out, r_squared


def test_the_probe_finds_a_planted_direction_and_steps_along_it(rng):
    direction = np.array([0.6, 0.0, -0.8, 0.0])
    level = rng.uniform(10, 55, 400)
    features = rng.normal(0, 0.1, (400, 4)) + level[:, None] / 50 * direction
    probe = fit(features, level)
    assert abs(probe.step @ direction) / np.linalg.norm(probe.step) > 0.99
    np.testing.assert_allclose(probe(features + 7 * probe.step) - probe(features), 7)
    shorter = rng.normal(size=(50, 4))  # other changes that raise the reading by 1 are longer
    shorter *= (1 / (shorter @ probe.weights))[:, None]
    assert (np.linalg.norm(shorter, axis=1) >= np.linalg.norm(probe.step)).all()


def test_held_out_reading_is_perfect_where_it_can_be_and_nothing_on_noise(rng):
    features, image = rng.normal(size=(600, 4)), np.arange(600) % 12
    told = held_out(features, features @ [1, -2, 3, 0.5] + 4, image)
    assert told.r_squared == pytest.approx(1)
    assert told.error == pytest.approx(0, abs=1e-9)
    assert abs(held_out(features, rng.normal(size=600), image).r_squared) < 0.05


def test_what_only_tells_the_image_is_worth_nothing_on_other_images(rng):
    image = np.repeat(np.arange(4), 50)
    features = np.eye(4)[image] + rng.normal(0, 0.01, (200, 4))
    value = np.array([3.0, -1, 7, 2])[image]
    assert r_squared(value, fit(features, value)(features)) > 0.99
    assert held_out(features, value, image).r_squared < 0.1


def test_a_constant_truth_has_no_r_squared_whatever_its_mean_rounds_to() -> None:
    truth = np.full(3, 0.1)
    assert truth.mean() != 0.1  # what made its scatter look larger than nothing
    assert np.isnan(r_squared(truth, truth))
