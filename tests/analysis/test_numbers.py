"""Probe, neighbours, measures and separation: known answers, and chance where there is nothing to know."""

import numpy as np
import pytest

from undegrade.analysis.knn import agreement
from undegrade.analysis.measures import detail_kept, monotonicity, noise_left
from undegrade.analysis.probe import fit, held_out, r_squared
from undegrade.analysis.sources import separation
from undegrade.degrade.blur import covariance
from undegrade.tasks import TASKS


@pytest.fixture
def rng() -> np.random.RandomState:
    return np.random.RandomState(0)


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


def test_neighbours_agree_in_clusters_and_by_chance_otherwise(rng):
    labels = np.repeat(np.arange(5), 40)
    points = 100 * np.eye(5)[labels] + rng.normal(size=(200, 5))
    found = agreement(points, labels, k=5)
    assert found.observed == 1
    assert found.chance == pytest.approx(39 / 199)
    shuffled = agreement(points, rng.permutation(labels), k=5)
    assert shuffled.observed == pytest.approx(shuffled.chance, abs=0.05)


def test_only_what_is_apart_counts_as_a_neighbour():
    points = np.array([[0.0], [0.1], [5.0], [5.3]])
    patch, level = np.array([0, 1, 0, 1]), np.array([10, 10, 20, 20])
    everything = agreement(points, patch)
    assert everything.observed == 0
    assert everything.chance == pytest.approx(1 / 3)
    # 0 and 0.1 are nearest to 5.0; 5.0 and 5.3 to 0.1.
    across = agreement(points, patch, apart=level)
    assert across == (0.5, 0.5)
    with pytest.raises(ValueError, match="no point"):
        agreement(points, patch, apart=np.zeros(4))


def test_separation_of_what_is_apart_and_of_what_is_one(rng):
    image = np.arange(60) % 6
    a, b = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
    one = separation(a, b, image, image + 6)
    assert one.purity.observed == pytest.approx(one.purity.chance, abs=0.1)
    assert one.accuracy == pytest.approx(0.5, abs=0.2)
    assert one.silhouette == pytest.approx(0, abs=0.05)
    two = separation(a, b + 20, image, image + 6)
    assert two.purity.observed == two.accuracy == 1
    assert two.silhouette > 0.8


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


def test_the_width_of_a_kernel_is_read_off_it():
    import torch

    from undegrade.analysis.severity import severity
    from undegrade.degrade import Blur

    sigma = covariance(*(torch.tensor([v]) for v in (2.5, 2.5, 0.7)))[0].numpy()
    assert severity(Blur.training(2)).read(sigma) == pytest.approx(2.5)
    assert severity(TASKS["sr-x4"].degradation).read(sigma) == pytest.approx(2.5)  # of both kinds of damage, the blur


def test_a_constant_truth_has_no_r_squared_whatever_its_mean_rounds_to() -> None:
    truth = np.full(3, 0.1)
    assert truth.mean() != 0.1  # what made its scatter look larger than nothing
    assert np.isnan(r_squared(truth, truth))
