"""Nearest neighbours agree in clusters, and by chance otherwise."""

import numpy as np
import pytest

from undegrade.analysis.knn import agreement


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
