"""Weights of a random model, a way to restore that takes no time, and benchmark sets."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluation.folders import write_sets
from undegrade.files import restore_file as files
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    folder = tmp_path_factory.mktemp("weights")
    return str(save_weights(VDIR(Architecture(restorer="fast")), folder, "random", card))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each file is copied instead of restored, and its name noted; bad.png fails."""
    worked: list[str] = []

    def copy(job, options, select, progress):
        worked.append(job.source.name)
        if job.source.name == "bad.png":
            return files.Outcome(job.source, job.output, reason="this is bad; do better.")
        if progress is not None:
            progress(0.5)
        job.output.parent.mkdir(parents=True, exist_ok=True)
        job.output.write_bytes(job.source.read_bytes())
        return files.Outcome(job.source, job.output, files.Status.RESTORED, width=3, height=2, channels=3, bits=8)

    monkeypatch.setattr(files, "restore_file", copy)
    return worked


@pytest.fixture
def data(tmp_path: Path, photo: np.ndarray) -> Path:
    return write_sets(tmp_path, photo)
