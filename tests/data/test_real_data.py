"""SIDD's and DND's files are read and written in their owners' layouts, on small files of the same form."""

from __future__ import annotations

import base64
import csv
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import io

from undegrade.data import matfile
from undegrade.data.block_benchmark import SubmittedBlocks
from undegrade.data.dnd import DND, bounding_boxes, noisy_blocks
from undegrade.data.sidd import SIDD, SIDD_VALIDATION, training_pairs, training_tiles
from undegrade.errors import UndegradeError

BOXES = np.array([[1, 1, 4, 6], [3, 5, 10, 8]])
"""First row, first column, last row, last column, from 1; two of different shapes."""


def blocks(seed: int, images: int = 2, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, count, 8, 6, 3), dtype=np.uint8)


def save_matlab_73(path: Path, **arrays: np.ndarray) -> None:
    """As MATLAB's ``save -v7.3``: a header of 512 bytes, axes in reverse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.transpose()
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def save_dnd(folder: Path, images: int = 2) -> list[np.ndarray]:
    """``info.mat`` with a struct array of references, and the images."""
    pixels = [np.random.default_rng(i).random((12, 9, 3), dtype=np.float32) for i in range(images)]
    for i, image in enumerate(pixels, 1):
        save_matlab_73(folder / "images_srgb" / f"{i:04d}.mat", InoisySRGB=image)
    with h5py.File(folder / "info.mat", "w", userblock_size=512) as file:
        references = file.create_dataset("info/boundingboxes", (1, images), dtype=h5py.ref_dtype)
        for i in range(images):
            file[f"#refs#/{i}"] = (BOXES + i).astype(np.float64).transpose()
            references[0, i] = file[f"#refs#/{i}"].ref
    return pixels


def finish(benchmark: SubmittedBlocks, folder: Path, out: Path) -> list[int]:
    """Write a submission of blocks that are brightened beyond the range."""
    return list(benchmark.submit(folder, out, lambda y: y * 2 - 0.1, "ours"))


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


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for use in (lambda: matfile.read(tmp_path / "a.mat", "x"), lambda: matfile.write(tmp_path / "a.mat", {"x": 1})):
        with pytest.raises(UndegradeError, match=r"undegrade\[real\]"):
            use()
    with pytest.raises(UndegradeError, match=r"undegrade\[real\]"):
        bounding_boxes(tmp_path / "info.mat")
