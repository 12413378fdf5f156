"""Clouds that are apart, and two that are one."""

import numpy as np
import pytest

from undegrade.analysis.sources import separation


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
