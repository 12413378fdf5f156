"""Ordinary resizers are Pillow's; the grid they leave is where it is said to be; the shift goes to the other one."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from undegrade.degrade import Blur, GaussianNoise, Mixture, OnDirectGrid, Resize, Resizer
from undegrade.degrade.blur import Kernel, Shape
from undegrade.degrade.resize import array_onto_direct_grid, onto_direct_grid

PILLOW = {Resizer.BICUBIC: Image.Resampling.BICUBIC, Resizer.AREA: Image.Resampling.BOX}


def tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]


def ramp(n: int) -> torch.Tensor:
    """Pixel i has the value i / 100 in every row."""
    return (torch.arange(float(n)) / 100).expand(1, 1, n, n)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("resizer", Resizer)
def test_resizers_are_pillows(photo: np.ndarray, factor: int, resizer: Resizer) -> None:
    x = photo[: 96 - 96 % factor, : 128 - 128 % factor] // 2 + 64  # Pillow clips after the columns, too
    y, _ = Resize(factor, (resizer,))(tensor(x), np.random.RandomState(0))
    size = (x.shape[1] // factor, x.shape[0] // factor)
    expected = np.asarray(Image.fromarray(x).resize(size, PILLOW[resizer])).astype(float)
    # It rounds to 8 bits after the columns and once more after the rows.
    assert np.abs(y[0].permute(1, 2, 0).numpy() * 255 - expected).max() < 1.01


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("resizer", Resizer)
def test_variances_are_those_of_the_resizers_answer_to_a_point(factor: int, resizer: Resizer) -> None:
    """The answers to points at all places of a pixel, one after the other, are the kernel."""
    n, middle = 16 * factor, 8 * factor
    values, places = [], []
    for place in range(middle - 3 * factor, middle + 4 * factor):
        x = torch.zeros(1, 1, n, n)
        x[..., place] = 1
        y = torch.nn.functional.avg_pool2d(x, factor) if resizer is Resizer.AREA else torch.nn.functional.interpolate(
            x, (16, 16), mode="bicubic", antialias=True
        )  # fmt: skip
        values.append(y[0, 0, 8, 8].item())
        places.append(place)
    weights, offset = np.array(values), np.array(places) - (middle + (factor - 1) / 2)
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert weights @ offset == pytest.approx(0, abs=1e-4)  # the grid of ordinary resizers
    _, params = Resize(factor, (resizer,))(torch.zeros(1, 1, n, n), np.random.RandomState(0))
    told = params[0] * Kernel().scale
    assert told[0].item() == pytest.approx(weights @ offset**2, abs=1e-3)
    assert told.tolist() == pytest.approx([told[0].item(), told[0].item(), 0])


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("resizer", Resizer)
def test_a_resized_image_comes_onto_the_grid_of_direct_decimation(factor: int, resizer: Resizer) -> None:
    x = ramp(96)
    resize = Resize(factor, (resizer,))
    away = resize(x, torch.Generator()).image
    there = OnDirectGrid(resize)(x, torch.Generator()).image
    direct = x[..., ::factor, ::factor]
    inside = (slice(None), slice(None), slice(8, 16), slice(7, 96 // factor - 7))
    level = 1 / 255
    assert (there - direct)[inside].abs().max() < level  # rounding to 8 bits lies between them, and is filtered
    assert ((away - direct)[inside] - (factor - 1) / 200).abs().max() < 0.6 * level
    assert torch.allclose(onto_direct_grid(x.mT, factor), onto_direct_grid(x, factor).mT, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_the_shift_keeps_waves_up_to_half_of_the_finest(factor: int) -> None:
    i = torch.arange(64.0)
    shift = (factor - 1) / (2 * factor)
    for frequency in (0.05, 0.15, 0.25):
        wave, moved = (torch.sin(2 * math.pi * frequency * (i - d)).expand(1, 1, 64, 64) for d in (0, shift))
        got = onto_direct_grid(wave, factor)
        assert (got - moved)[..., 8:-8].abs().max() < 0.01
    # The finest of all gets weaker, but is there: cos(pi shift) of it, less what the window takes.
    finest = onto_direct_grid(torch.cos(math.pi * i).expand(1, 1, 64, 64), factor)
    assert finest[..., 8:-8].abs().min() > 0.2


def test_the_shift_leaves_constants_and_scale_1_alone() -> None:
    flat = torch.full((2, 3, 1, 7), 0.3)
    assert torch.allclose(onto_direct_grid(flat, 4), flat, atol=1e-6)
    y = torch.rand(1, 3, 5, 5)
    assert onto_direct_grid(y, 1) is y


def test_a_batch_is_shared_by_two_kinds_of_damage() -> None:
    x = torch.rand(8, 3, 16, 16)
    sharp, soft = Blur.fixed(2, Shape(1, 1, 0)), Blur.fixed(2, Shape(5, 5, 0))
    y, params = Mixture(sharp, soft, 0.25)(x, torch.Generator())
    assert (params[:, 0] * 10).tolist() == pytest.approx([1] * 6 + [5] * 2)
    assert torch.equal(y[:6], sharp(x[:6], torch.Generator()).image)
    assert torch.equal(y[6:], soft(x[6:], torch.Generator()).image)
    assert torch.equal(Mixture(sharp, soft, 0)(x, torch.Generator()).image, sharp(x, torch.Generator()).image)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        Mixture(Blur.training(2), Resize(2), 0.5)  # another grid
    with pytest.raises(ValueError, match="quantity"):
        Mixture(Blur.training(1), GaussianNoise((5, 5)), 0.5)
    with pytest.raises(ValueError, match="share"):
        Mixture(Blur.training(2), Blur.training(2), 1.5)
    with pytest.raises(ValueError, match="factor"):
        Resize(1)
    with pytest.raises(ValueError, match="multiple of 4"):
        Resize(4)(torch.zeros(1, 3, 32, 30), torch.Generator())


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_arrays_come_onto_the_direct_grid_as_tensors_do(factor: int) -> None:
    y = np.random.default_rng(0).random((13, 21, 3), np.float32)
    ours = array_onto_direct_grid(y, factor)
    theirs = onto_direct_grid(torch.from_numpy(y).permute(2, 0, 1)[None], factor)[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-6)
