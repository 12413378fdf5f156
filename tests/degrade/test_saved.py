"""Lossy saving: what it alters, where its grid lies, and what f(T) says of it."""

import numpy as np
import pytest
import torch
from PIL import features

from tests.pictures import make_photo
from undegrade.degrade import NOISE_GRAIN_QUALITY, Codec, Jpeg, Saved
from undegrade.degrade.saved import as_jpeg

CODECS = [c for c in Codec if features.check(str(c).replace("jpeg", "jpg"))]


def photos(count: int = 4, side: int = 96) -> torch.Tensor:
    pictures = np.stack([make_photo(side, side, seed) for seed in range(count)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quality(params: torch.Tensor) -> torch.Tensor:
    return NOISE_GRAIN_QUALITY.decode(params.T)[2]


def psnr(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(-10 * (x - y).square().mean().log10())


@pytest.mark.parametrize("codec", CODECS)
def test_lower_qualities_lose_more_and_are_told(codec: Codec) -> None:
    x = photos()
    found = [Saved(codec, (q, q))(x, seeded()) for q in (10, 50, 90)]
    errors = [psnr(x, y) for y, _ in found]
    assert errors == sorted(errors)
    assert 15 < errors[0] < errors[2] < 60
    told = [float(quality(params).mean()) for _, params in found]
    assert told == sorted(told)
    for q, value in zip((10, 50, 90), told, strict=True):
        assert value == pytest.approx(as_jpeg(codec, q), abs=0.1)
    level, grain, _ = NOISE_GRAIN_QUALITY.decode(found[0].params.T)
    assert level.tolist() == [0] * 4
    assert bool(grain.isnan().all())


def test_whole_files_are_what_the_tables_measure() -> None:
    x = photos(1)
    for q in (10, 80):
        ours = Saved(Codec.JPEG, (q, q))(x, np.random.RandomState(0)).image
        assert torch.equal(ours, Jpeg((q, q))(x, np.random.RandomState(0)).image)


@pytest.mark.parametrize("side", [96, 91])
def test_crops_have_their_grid_anywhere(side: int) -> None:
    x = torch.linspace(0, 1, side).view(1, 1, 1, side).expand(32, 3, side, side).contiguous()
    y = Saved(Codec.JPEG, (5, 5), aligned=0.0)(x, seeded()).image
    assert y.shape == x.shape
    steps = (y[..., 1:] - y[..., :-1]).abs().mean((1, 2))
    places = {int(row.argmax()) % 8 for row in steps}
    assert len(places) >= 5
    aligned = Saved(Codec.JPEG, (5, 5))(x, seeded()).image
    assert torch.equal(aligned[0], aligned[1])


def test_chroma_is_kept_or_thinned() -> None:
    x = photos(1)
    x[:, 0], x[:, 2] = x[:, 2].clone(), 1 - x[:, 0].clone()
    full, thin = (Saved(Codec.JPEG, (95, 95), (kind,))(x, seeded()).image for kind in ("4:4:4", "4:2:0"))
    assert psnr(x, full) > psnr(x, thin) + 1


def test_twice_is_coarser_and_then_not_taught() -> None:
    x = photos(8)
    once, twice = (Saved(Codec.JPEG, (90, 90), twice=t, first=(10, 10))(x, seeded()) for t in (0.0, 1.0))
    assert psnr(x, twice.image) < psnr(x, once.image) - 1
    assert bool(quality(twice.params).isnan().all())
    finer = Saved(Codec.JPEG, (30, 30), twice=1.0, first=(95, 95))(x, seeded())
    assert quality(finer.params).tolist() == pytest.approx([30] * 8, abs=0.1)


@pytest.mark.parametrize("codec", [c for c in CODECS if c is not Codec.JPEG])
def test_the_jpeg_of_equal_loss_is_near(codec: Codec) -> None:
    # Photographs agree within about 5; these made pictures, which are smoother, within 30.
    x = photos(6, 128)
    errors = [psnr(x, Saved(Codec.JPEG, (q, q))(x, seeded()).image) for q in range(5, 100, 5)]
    for q in (20, 50, 80):
        measured = np.interp(psnr(x, Saved(codec, (q, q))(x, seeded()).image), errors, range(5, 100, 5))
        assert as_jpeg(codec, q) == pytest.approx(measured, abs=30)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="quality must"):
        Saved(Codec.JPEG, (0, 50))
    with pytest.raises(ValueError, match="shares"):
        Saved(Codec.JPEG, (5, 50), twice=2.0)
    with pytest.raises(ValueError, match="channels"):
        Saved(Codec.JPEG, (5, 50))(torch.zeros(1, 2, 8, 8), seeded())
