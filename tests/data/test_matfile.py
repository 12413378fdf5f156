"""MATLAB files of both versions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

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
