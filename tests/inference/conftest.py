"""Pipelines of random and of shipped weights, and a noisy picture."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.inference.models import SIGMA, pipeline
from tests.pictures import make_photo
from undegrade.inference.load import load_pipeline
from undegrade.inference.pipeline import Pipeline


@pytest.fixture(scope="session")
def fast() -> Pipeline:
    return pipeline()


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shipped() -> Pipeline:
    return load_pipeline("gaussian", "fast", device="cpu")


@pytest.fixture(scope="session")
def clean() -> np.ndarray:
    return make_photo(96, 120, 3).astype(np.float32) / 255


@pytest.fixture(scope="session")
def noisy(clean: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    return clean + np.float32(SIGMA / 255) * noise.astype(np.float32)
