"""Shared fixtures: seeded noise, and small natural-looking images made from scratch."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from tests.headless import without_head
from tests.pictures import make_photo
from undegrade.data.training_images import TrainingImages

# The tests' tensors are tiny: a second thread costs more than it brings, the more so on a busy machine.
torch.set_num_threads(1)
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    # One core for each process of the tests, else ONNX Runtime starts as many threads as there are cores in every one.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

# What passes once passes again: new examples are for `make test-slow` and `make fuzz`, whose finds become tests.
settings.register_profile("fixed", derandomize=True, database=None)
settings.register_profile("searching", print_blob=True)
settings.load_profile("fixed")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1234)


@pytest.fixture
def sigint_is_not_ignored():
    """A shell that starts the tests in the background has them ignore Ctrl-C, and what they start, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def data_dir() -> Path:
    """The benchmark images, for tests marked ``data``."""
    folder = os.environ.get("UNDEGRADE_DATA")
    if not folder:
        pytest.fail("set UNDEGRADE_DATA to the folder with the benchmark images")
    return Path(folder)


@pytest.fixture
def photo() -> np.ndarray:
    """A (96, 128, 3) uint8 picture with edges, a gradient and texture."""
    return make_photo(96, 128, seed=0)


@pytest.fixture
def headless(tmp_path: Path) -> Path:
    """The shipped gaussian-fast without its scale head."""
    return without_head("gaussian-fast", tmp_path / "headless")


@pytest.fixture(scope="session")
def images() -> TrainingImages:
    """A training set of three small pictures."""
    return TrainingImages([make_photo(40, 56, s) for s in range(3)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The training set of `images` as files."""
    (tmp_path / "images" / "deeper").mkdir(parents=True)
    for seed in range(3):
        Image.fromarray(make_photo(40, 56, seed)).save(tmp_path / "images" / "deeper" / f"{seed}.png")
    return tmp_path / "images"
