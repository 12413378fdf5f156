"""What alpha hides does not reach the networks, by whatever way an image is given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import undegrade
from tests.inference.models import image, pipeline
from undegrade.inference.load import load_pipeline

SIDE = 32


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """The same picture with alpha twice, but for the hidden colours; 8 bits."""
    given = (image(SIDE, SIDE, 4) * 255).astype(np.uint8)
    given[..., 3] = 255
    given[:10, :, 3] = 0
    given[10:12, :, 3] = 100
    other = given.copy()
    other[:10, :, :3] = 255 - other[:10, :, :3]
    return given, other


def test_hidden_colours_change_nothing_that_is_visible(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p = pipeline()
    found = [p(x) for x in pair]
    visible = pair[0][..., 3] > 0
    np.testing.assert_array_equal(found[0].image[visible], found[1].image[visible])
    assert not np.array_equal(found[0].image[visible], pair[0][visible]), "the model does something"
    np.testing.assert_array_equal(found[0].estimate, found[1].estimate)
    np.testing.assert_array_equal(p.estimate(pair[0]), p.estimate(pair[1]))
    for x, restored in zip(pair, found, strict=True):
        np.testing.assert_array_equal(restored.image[~visible], x[~visible], "nobody sees it, and it stays")


def test_every_kind_of_image(pair: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    p = pipeline()
    plain = p(pair[0]).image
    batch = p(np.stack(pair)).image
    np.testing.assert_array_equal(batch[0], plain)
    tensor = p(torch.from_numpy(pair[0]).permute(2, 0, 1)).image
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).numpy(), plain)
    np.testing.assert_array_equal(np.asarray(p(Image.fromarray(pair[0])).image), plain)
    Image.fromarray(pair[0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(p(tmp_path / "a.png").image, plain)


def test_a_part_that_is_held(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p = pipeline()
    held = p.hold(pair[1], (4, 20), (8, 24)).restored(1.0)
    np.testing.assert_array_equal(held, p(pair[1]).image[4:20, 8:24])


@pytest.mark.parametrize("task", ["sr-x2", "sr-x4"])
def test_a_sprite_has_no_fringe(task: str) -> None:
    """A yellow disc on black that alpha hides, all or nothing: enlarged, its edge is as yellow as its middle."""
    row, column = np.mgrid[:40, :40]
    sprite = np.zeros((40, 40, 4), np.uint8)
    sprite[(row - 20) ** 2 + (column - 20) ** 2 < 150] = (255, 220, 60, 255)
    sharp = load_pipeline(task)(sprite).image
    visible = sharp[..., 3] > 0
    assert np.abs(sharp[visible][:, :3].astype(int) - (255, 220, 60)).max() <= 3


def test_a_clean_file_is_left_byte_for_byte(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x = pair[0].copy()
    x[..., :3] = np.where(x[..., 3:] > 0, 200, x[..., :3])
    np.testing.assert_array_equal(undegrade.restore(x), x)
