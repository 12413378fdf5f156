"""Datasets are found where a user puts them, and the message says where if they are not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undegrade.data.catalogue import CC15, DATASETS, KODAK24, SET5, images, load, pairs
from undegrade.errors import UndegradeError


def put(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("inside", ["", "test"])
def test_images_are_found_and_sorted(tmp_path: Path, photo: np.ndarray, inside: str) -> None:
    wanted = [put(tmp_path / inside / "Set5" / name, photo) for name in ("b.png", "a.PNG", "c.webp")]
    (tmp_path / inside / "Set5" / "notes.txt").write_text("not an image")
    assert images(SET5, tmp_path) == [wanted[1], wanted[0], wanted[2]]


@pytest.mark.parametrize("empty", [True, False])
def test_missing_datasets_are_explained_in_a_sentence(tmp_path: Path, empty: bool) -> None:
    if empty:
        (tmp_path / "Kodak24").mkdir()
    with pytest.raises(UndegradeError) as caught:
        images(KODAK24, tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "Kodak24") in message
    assert KODAK24.offered in message
    assert "\n" not in message


def test_photographs_come_in_pairs(tmp_path: Path, photo: np.ndarray) -> None:
    for scene in ("b_1", "a_1"):
        put(tmp_path / "CC15" / "mean" / f"{scene}_mean.png", photo)
        put(tmp_path / "CC15" / "real" / f"{scene}_real.png", photo)
    assert [(c.name, n.name) for c, n in pairs(CC15, tmp_path)] == [
        ("a_1_mean.png", "a_1_real.png"),
        ("b_1_mean.png", "b_1_real.png"),
    ]
    put(tmp_path / "CC15" / "real" / "c_1_real.png", photo)
    with pytest.raises(UndegradeError, match="no pairs"):
        pairs(CC15, tmp_path)


def test_load_keeps_grey_grey_and_makes_the_rest_rgb(tmp_path: Path, photo: np.ndarray) -> None:
    np.testing.assert_array_equal(load(put(tmp_path / "rgb.png", photo)), photo)
    np.testing.assert_array_equal(load(put(tmp_path / "grey.png", photo[..., 0])), photo[..., 0])
    alpha = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(load(put(tmp_path / "alpha.png", alpha)), photo)


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(UndegradeError, match=r"broken\.png"):
        load(path)


def test_datasets_say_where_they_are_from() -> None:
    assert len({d.name for d in DATASETS}) == len(DATASETS)
    assert all(d.offered and d.terms and d.form and d.count > 0 for d in DATASETS)
