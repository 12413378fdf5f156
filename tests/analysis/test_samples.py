"""Patches and crops of images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.analysis.samples import chosen_files, cut, image_files, read, stacked_centres
from undegrade.errors import UndegradeError


def test_patches_are_disjoint_and_drawn_from_all_images():
    images = [np.full((40, 50, 3), i, np.uint8) for i in range(3)]
    for i, image in enumerate(images):
        image[..., 1] = np.arange(40)[:, None] // 16
        image[..., 2] = np.arange(50) // 16
        image[..., 0] = i
    patches = cut(images, 16, 18)
    places = {tuple(p) for p in (patches.x[:, :, 0, 0] * 255).round().int().tolist()}
    assert len(places) == 18
    np.testing.assert_array_equal(patches.image, (patches.x[:, 0, 0, 0] * 255).round().int().numpy())
    assert (patches.x == patches.x[:, :, :1, :1]).all()
    with pytest.raises(UndegradeError, match="hold 18 disjoint patches of 16 pixels, not 19"):
        cut(images, 16, 19)


def test_crops_are_of_one_size_and_not_tiny():
    crops = stacked_centres([make_photo(40, 70, 0), make_photo(50, 30, 1)], 192, 4)
    assert crops.shape == (2, 3, 28, 28)
    with pytest.raises(UndegradeError, match="only 9 pixels"):
        stacked_centres([make_photo(9, 40, 0)], 192)


def test_so_many_images_evenly_spread_over_their_names(tmp_path: Path) -> None:
    for i in range(10):
        Image.new("L", (2, 2)).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    names = [f.name for f in image_files(tmp_path)]
    assert names == [f"{i}.png" for i in range(10)]
    assert [f.stem for f in image_files(tmp_path, 4)] == ["0", "2", "5", "7"]
    assert image_files(tmp_path, 99) == image_files(tmp_path)
    # The one to show comes first, even if the limit leaves it out, and only once.
    assert [f.stem for f in chosen_files(tmp_path, 4, show="9")] == ["9", "0", "2", "5", "7"]
    assert [f.stem for f in chosen_files(tmp_path, 4, show="5")] == ["5", "0", "2", "7"]
    with pytest.raises(UndegradeError, match="no image named 11"):
        chosen_files(tmp_path, show="11")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UndegradeError, match="no images"):
        image_files(empty)
    with pytest.raises(UndegradeError, match="no folder"):
        image_files(tmp_path / "none")


def test_what_is_read_has_the_models_channels(tmp_path: Path) -> None:
    colour = make_photo(20, 30, 0)
    Image.fromarray(colour).save(tmp_path / "c.png")
    Image.fromarray(colour[..., 1]).save(tmp_path / "g.png")
    np.testing.assert_array_equal(read(tmp_path / "c.png", 3), colour)
    np.testing.assert_array_equal(read(tmp_path / "g.png", 3), np.repeat(colour[..., 1:2], 3, 2))
    np.testing.assert_array_equal(read(tmp_path / "g.png", 1)[..., 0], colour[..., 1])
    luma = read(tmp_path / "c.png", 1)[..., 0].astype(int)
    # MATLAB's luma, from 16 to 235, as in Table VI.
    assert np.abs(luma - (16 + 219 / 255 * np.asarray(Image.fromarray(colour).convert("L")))).max() <= 1
