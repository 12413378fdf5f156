"""Benchmark sets to evaluate on."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.folders import write_sets


@pytest.fixture
def data(tmp_path: Path, photo: np.ndarray) -> Path:
    return write_sets(tmp_path, photo)
