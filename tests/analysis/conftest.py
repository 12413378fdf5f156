"""A denoiser of random weights, and seeded draws."""

import numpy as np
import pytest

from tests.analysis.models import make
from undegrade.inference.pipeline import Pipeline


@pytest.fixture(scope="module")
def gaussian() -> Pipeline:
    return make("gaussian")


@pytest.fixture
def rng() -> np.random.RandomState:
    return np.random.RandomState(0)
