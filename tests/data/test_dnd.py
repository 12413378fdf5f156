"""DND's files are read and written in its owners' layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import io

from tests.data.matlab_files import BOXES, finish, save_dnd
from undegrade.data.dnd import DND, bounding_boxes, noisy_blocks


def test_dnd_blocks_are_cut_as_matlab_counts(tmp_path: Path) -> None:
    pixels = save_dnd(tmp_path / "dnd_2017")
    folder = DND.find(tmp_path)
    assert folder == tmp_path / "dnd_2017"
    boxes = bounding_boxes(folder / "info.mat")
    np.testing.assert_array_equal(boxes[0], BOXES)
    np.testing.assert_array_equal(boxes[1], BOXES + 1)
    first, second = noisy_blocks(folder / "images_srgb" / "0002.mat", boxes[1])
    np.testing.assert_array_equal(first, pixels[1][1:5, 1:7])  # rows 2 to 5, columns 2 to 7
    np.testing.assert_array_equal(second, pixels[1][3:11, 5:9])


def test_dnd_submission_is_bundled_as_the_owners_code_does(tmp_path: Path) -> None:
    pixels = save_dnd(tmp_path)
    assert finish(DND, tmp_path, tmp_path / "out") == [1, 2, 3, 4]
    assert sorted(p.name for p in (tmp_path / "out" / "bundled").iterdir()) == ["0001.mat", "0002.mat"]
    written = io.loadmat(tmp_path / "out" / "bundled" / "0001.mat")
    assert written["Idenoised"].shape == (1, 2)
    assert written["eval_version"].item() == "1.0"
    assert not written["israw"].item()
    for cell, (top, left, bottom, right) in zip(written["Idenoised"][0], BOXES, strict=True):
        assert cell.dtype == np.float32
        expected = np.clip(pixels[0][top - 1 : bottom, left - 1 : right] * 2 - 0.1, 0, 1)
        np.testing.assert_allclose(cell, expected, atol=1e-6)


def test_blocks_of_one_size_stay_cells(tmp_path: Path) -> None:
    """numpy likes to make one array of them."""
    from undegrade.data.dnd import write_submission

    write_submission(tmp_path, 7, [np.full((4, 4, 3), i / 10, np.float32) for i in range(3)])
    cells = io.loadmat(tmp_path / "bundled" / "0007.mat")["Idenoised"]
    assert cells.shape == (1, 3)
    assert [c[0, 0, 0] for c in cells[0]] == pytest.approx([0, 0.1, 0.2])
