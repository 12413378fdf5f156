"""What clean crops are cut from: shares, sizes, bars, and the same for the same seed."""

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.data.clean import AS_THEY_ARE, Clean, CleanMixture, MixedCrops, held_out, made_smaller
from undegrade.data.training_images import TrainingImages, read_folder
from undegrade.errors import UndegradeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


PHOTOS = [make_photo(240, 320, seed) for seed in range(3)]


def test_photographs_alone_are_the_default() -> None:
    crops = AS_THEY_ARE.crops(PHOTOS, "cpu", seed=0)
    assert isinstance(crops, TrainingImages)
    assert torch.equal(crops.crops(2, 16, seeded()), TrainingImages(PHOTOS).crops(2, 16, seeded()))


def test_photographs_are_made_smaller_but_not_tiny() -> None:
    small = made_smaller(PHOTOS, 1.5, 2.5, seed=0)
    for photo, made in zip(PHOTOS, small, strict=True):
        assert 1.5 <= photo.shape[0] / made.shape[0] <= 2.5
        assert photo.shape[0] / made.shape[0] == pytest.approx(photo.shape[1] / made.shape[1], rel=0.03)
        assert made.mean() == pytest.approx(photo.mean(), abs=2)
    assert min(min(p.shape[:2]) for p in made_smaller(PHOTOS, 4.0, 4.0, seed=0)) == 96
    tiny = [make_photo(40, 56, 0)]
    assert np.array_equal(made_smaller(tiny, 2, 4, 0)[0], tiny[0])


def test_every_crop_draws_what_it_is_cut_from() -> None:
    black, white = (TrainingImages([np.full((40, 40, 3), v, np.uint8)]) for v in (0, 255))
    x = MixedCrops(((0.25, white), (0.75, black))).crops(400, 8, seeded())
    bright = x.flatten(1).mean(1)
    assert set(bright.tolist()) == {0.0, 1.0}
    assert bright.mean().item() == pytest.approx(0.25, abs=0.06)
    assert bright.tolist() != sorted(bright.tolist(), reverse=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mixture_is_the_same_for_a_seed(channels: int) -> None:
    photos = [p[..., :channels] for p in PHOTOS]
    mixture = CleanMixture(smaller=0.3, graphics=0.3, bars=0.5, canvases=2)
    one, two, other = (mixture.crops(photos, "cpu", seed).crops(6, 64, seeded()) for seed in (0, 0, 1))
    assert one.shape == (6, channels, 64, 64)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_bars_are_plain_and_the_originals_left_alone() -> None:
    before = [p.copy() for p in PHOTOS]
    barred = CleanMixture(bars=1.0).crops(PHOTOS, "cpu", seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, PHOTOS, strict=True))
    pixels = barred.pixels.view(3, 240, 320, 3)
    for image in pixels:
        corner = image[:8, :8].reshape(-1, 3)
        assert (corner == corner[0]).all()


def test_held_out_images() -> None:
    assert len(held_out(Clean.PHOTOGRAPHS, PHOTOS, 200)) == 3
    assert held_out(Clean.PHOTOGRAPHS, PHOTOS, 241) == []
    assert [p.shape for p in held_out(Clean.SMALL, PHOTOS, 120)] == [(120, 120, 3)] * 3
    graphics = held_out(Clean.GRAPHICS, PHOTOS, 64)
    assert {p.shape for p in graphics} == {(64, 64, 3)}
    grey = held_out(Clean.GRAPHICS, [p[..., :1] for p in PHOTOS], 64)
    assert {p.shape for p in grey} == {(64, 64, 1)}


def test_shares_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="shares"):
        CleanMixture(smaller=0.7, graphics=0.6)


def test_files_are_chosen_by_how_their_names_start(folder) -> None:
    assert len(read_folder(folder, 3, only=["1", "2"])) == 2
    with pytest.raises(UndegradeError, match="name that starts with 7"):
        read_folder(folder, 3, only=["7"])
