"""Benchmarks in blocks that are wrong, broken or missing get a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import io

from tests.data.matlab_files import finish, save_dnd, save_matlab_73
from undegrade.data.dnd import DND
from undegrade.data.sidd import SIDD, SIDD_VALIDATION
from undegrade.errors import UndegradeError


def test_wrong_and_broken_files_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "BenchmarkNoisyBlocksSrgb.mat"
    path.write_bytes(b"no MATLAB file at all" * 20)
    with pytest.raises(UndegradeError, match=r"BenchmarkNoisyBlocksSrgb\.mat .* whole copy"):
        finish(SIDD, tmp_path, tmp_path)
    io.savemat(path, {"SomethingElse": 1})
    with pytest.raises(UndegradeError, match="BenchmarkNoisyBlocksSrgb"):
        finish(SIDD, tmp_path, tmp_path)
    io.savemat(path, {"BenchmarkNoisyBlocksSrgb": np.zeros((2, 3, 8, 6))})
    with pytest.raises(UndegradeError, match="not 8-bit RGB"):
        finish(SIDD, tmp_path, tmp_path)
    save_dnd(tmp_path)
    save_matlab_73(tmp_path / "images_srgb" / "0001.mat", InoisySRGB=np.zeros((3, 3, 3), np.float32))
    with pytest.raises(UndegradeError, match="smaller than its boxes"):
        finish(DND, tmp_path, tmp_path / "out")
    (tmp_path / "images_srgb" / "0001.mat").unlink()
    with pytest.raises(UndegradeError, match=r"0001\.mat"):
        finish(DND, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_benchmark_says_where_it_is_from(tmp_path: Path) -> None:
    for benchmark in (SIDD_VALIDATION, SIDD, DND):
        assert benchmark.find(tmp_path) is None
        sentence = benchmark.missing(tmp_path)
        assert benchmark.files[0] in sentence
        assert benchmark.offered in sentence
