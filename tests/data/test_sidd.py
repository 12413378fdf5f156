"""SIDD's files are read and written in its owners' layouts."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import io

from tests.data.matlab_files import blocks, finish, save_matlab_73
from undegrade.data.sidd import SIDD, SIDD_VALIDATION, training_pairs, training_tiles
from undegrade.errors import UndegradeError


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_sidd_validation_gives_its_blocks_in_order(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "SIDD" / "validation"
    folder.mkdir(parents=True)
    for name, seed in (("ValidationNoisyBlocksSrgb", 0), ("ValidationGtBlocksSrgb", 1)):
        if version == "5":
            io.savemat(folder / f"{name}.mat", {name: blocks(seed)})
        else:
            save_matlab_73(folder / f"{name}.mat", **{name: blocks(seed)})
    found = SIDD_VALIDATION.find(tmp_path)
    assert found == folder
    pairs = list(SIDD_VALIDATION.pairs(found))
    assert [p.name for p in pairs] == ["0001_01", "0001_02", "0001_03", "0002_01", "0002_02", "0002_03"]
    np.testing.assert_array_equal(np.stack([p.noisy for p in pairs]), blocks(0).reshape(6, 8, 6, 3))
    np.testing.assert_array_equal(np.stack([p.clean for p in pairs]), blocks(1).reshape(6, 8, 6, 3))


def test_sidd_submission_is_what_the_owners_code_saves(tmp_path: Path) -> None:
    io.savemat(tmp_path / "BenchmarkNoisyBlocksSrgb.mat", {"BenchmarkNoisyBlocksSrgb": blocks(0)})
    out = tmp_path / "new" / "out"
    assert finish(SIDD, tmp_path, out) == [1, 2, 3, 4, 5, 6]
    expected = np.clip(blocks(0) / 255 * 2 - 0.1, 0, 1)
    written = io.loadmat(out / "SubmitSrgb.mat")
    cells = written["DenoisedBlocksSrgb"]
    assert cells.shape == (2, 3)
    assert cells.dtype == object
    for place in np.ndindex(2, 3):
        assert cells[place].dtype == np.float32
        np.testing.assert_allclose(cells[place], expected[place], atol=1e-6)
    assert float(written["TimeMPSrgb"].item()) > 0
    assert written["OptionalData"]["MethodName"].item().item() == "ours"
    with (out / "SubmitSrgb.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ID"] for row in rows] == [str(i) for i in range(6)]
    decoded = [np.frombuffer(base64.b64decode(row["BLOCK"]), np.uint8).reshape(8, 6, 3) for row in rows]
    assert np.abs(np.stack(decoded) - (expected * 255).reshape(6, 8, 6, 3)).max() < 0.501


def test_sidd_training_pairs_by_their_names(tmp_path: Path) -> None:
    medium = tmp_path / "SIDD_Medium_Srgb" / "Data" / "0001_001_S6_00100_00060_3200_L"
    small = tmp_path / "SIDD_Small_sRGB_Only" / "Data" / "0002_001_S6_00100_00020_3200_N"
    for folder, names in ((medium, ("0001_{}_SRGB_010.PNG", "0001_{}_SRGB_011.PNG")), (small, ("{}_SRGB_010.PNG",))):
        folder.mkdir(parents=True)
        for name in names:
            for kind in ("GT", "NOISY"):
                Image.new("RGB", (2, 2)).save(folder / name.format(kind))
    found = [(c.name, n.name) for c, n in training_pairs(tmp_path)]
    assert found == [
        ("0001_GT_SRGB_010.PNG", "0001_NOISY_SRGB_010.PNG"),
        ("0001_GT_SRGB_011.PNG", "0001_NOISY_SRGB_011.PNG"),
        ("GT_SRGB_010.PNG", "NOISY_SRGB_010.PNG"),
    ]
    (small / "NOISY_SRGB_010.PNG").unlink()
    with pytest.raises(UndegradeError, match="no noisy partner NOISY_SRGB_010"):
        training_pairs(tmp_path)
    with pytest.raises(UndegradeError, match="SIDD-Medium"):
        training_pairs(medium / "nothing")


def test_training_tiles_are_aligned_bounded_and_the_same_each_time(tmp_path: Path) -> None:
    for number, size in (("0001", (1030, 600)), ("0002", (520, 1100)), ("0003", (40, 30))):
        clean = np.random.default_rng(int(number)).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(clean).save(tmp_path / f"{number}_GT_SRGB_010.PNG", compress_level=0)
        Image.fromarray(255 - clean).save(tmp_path / f"{number}_NOISY_SRGB_010.PNG", compress_level=0)
    one_each, all_of_them = training_tiles(tmp_path, 0.0), training_tiles(tmp_path, 100.0)
    assert [t.shape for t in one_each] == [(512, 512, 6), (512, 512, 6), (40, 30, 6)]
    assert len(all_of_them) == 5
    for tile in all_of_them:
        np.testing.assert_array_equal(tile[..., 3:], 255 - tile[..., :3])
    assert len({tile.tobytes() for tile in all_of_them}) == 5
    again = training_tiles(tmp_path, 0.0)
    assert all(np.array_equal(a, b) for a, b in zip(one_each, again, strict=True))
    Image.new("RGB", (8, 9)).save(tmp_path / "0003_NOISY_SRGB_010.PNG")
    with pytest.raises(UndegradeError, match=r"0003_GT_SRGB_010\.PNG and .* one size"):
        training_tiles(tmp_path, 0.0)
