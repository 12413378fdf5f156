"""MATLAB files of both versions."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import io

from tests.data.matlab_files import save_matlab_73
from undegrade.data import matfile
from undegrade.data.dnd import bounding_boxes
from undegrade.errors import UndegradeError


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for use in (lambda: matfile.read(tmp_path / "a.mat", "x"), lambda: matfile.write(tmp_path / "a.mat", {"x": 1})):
        with pytest.raises(UndegradeError, match=r"undegrade\[real\]"):
            use()
    with pytest.raises(UndegradeError, match=r"undegrade\[real\]"):
        bounding_boxes(tmp_path / "info.mat")


def test_both_versions_give_the_axes_that_an_array_has_in_matlab(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    matfile.write(tmp_path / "new" / "5.mat", {"x": x, "about": {"name": "ours", "year": 2022}})
    save_matlab_73(tmp_path / "7.mat", x=x)
    for path in (tmp_path / "new" / "5.mat", tmp_path / "7.mat"):
        found = matfile.read(path, "x")
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, x)
    about = io.loadmat(tmp_path / "new" / "5.mat", simplify_cells=True)["about"]
    assert about == {"name": "ours", "year": 2022}
    with matfile.opened(tmp_path / "7.mat") as file:
        assert file["x"].shape == (4, 3, 2)  # as it is stored


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    matfile.write(tmp_path / "a.mat", {"x": np.zeros(3)})
    with pytest.raises(UndegradeError, match=r"cannot read .*a\.mat .* whole copy"):
        matfile.read(tmp_path / "a.mat", "y")
    with pytest.raises(UndegradeError, match=r"cannot read .*none\.mat"):
        matfile.read(tmp_path / "none.mat", "x")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UndegradeError, match=r"cannot write .*b\.mat .* choose another place"):
        matfile.write(tmp_path / "file" / "b.mat", {"x": np.zeros(3)})


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matfile.write(tmp_path / "a.mat", {"x": np.ones(3)})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("undegrade.atomic.os.fsync", full)
    with pytest.raises(UndegradeError, match="No space left"):
        matfile.write(tmp_path / "a.mat", {"x": np.zeros(3)})
    assert matfile.read(tmp_path / "a.mat", "x").tolist() == [[1, 1, 1]]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mat"]
