"""What holds for every degradation, whatever it does."""

import dataclasses

import numpy as np
import pytest
import torch

from undegrade.degrade import (
    AdditiveNoise,
    Blur,
    CameraNoise,
    Channels,
    Degradation,
    GaussianNoise,
    Impulse,
    Impulses,
    Jpeg,
    Measured,
    Mixture,
    OnDirectGrid,
    OneOf,
    PoissonGaussian,
    Resize,
    Resizer,
    Speckle,
)
from undegrade.degrade.base import uniform
from undegrade.degrade.blur import G_ANI

UNIVERSAL: tuple[Degradation, ...] = (
    AdditiveNoise((5, 70)),
    AdditiveNoise((5, 50), Channels.COLOUR, (0.3, 1.5), power=2),
    PoissonGaussian((20, 500), (2, 5)),
    Speckle((0.1, 0.4), same=0.5),
    Impulses(Impulse.RANDOM, (0.005, 0.02)),
    Measured(CameraNoise((0.05, 0.2))),
    OneOf(((1, AdditiveNoise((5, 70))), (1, Speckle((0.1, 0.4))))),
)
RANDOM: tuple[Degradation, ...] = (
    GaussianNoise((5, 70)),
    Jpeg((5, 95)),
    Jpeg((10, 80), step=10, subsampling=("4:4:4",), twice=0.5),
    Blur.training(1),
    Blur.training(2),
    Blur.training(4),
    Resize(2),
    OnDirectGrid(Resize(4)),
    Mixture(Blur.training(2), OnDirectGrid(Resize(2)), 0.5),
    CameraNoise(),
    CameraNoise(gain=(0.1, 1), smoothing=(0, 1), jpeg=Jpeg((60, 100)), saved=0.5, grey_as_grey=True),
    CameraNoise(balance=(1, 2.4), smoothing=(0, 1), chroma=(0, 2)),
    *UNIVERSAL,
)
FIXED: tuple[Degradation, ...] = (
    GaussianNoise((25, 25)),
    Jpeg((40, 40)),
    Blur.fixed(2, G_ANI),
    Resize(4, (Resizer.AREA,)),
    CameraNoise((0.05, 0.05), (0.02, 0.02), curve=7),
)
everything = pytest.mark.parametrize("degradation", RANDOM + FIXED, ids=str)


def batch(photo: np.ndarray, count: int = 3, channels: int = 3) -> torch.Tensor:
    """Different clean images: one picture, shifted."""
    planes = [np.roll(photo, 5 * i, axis=1)[..., :channels] for i in range(count)]
    return torch.from_numpy(np.stack(planes).astype(np.float32) / 255).permute(0, 3, 1, 2)


@everything
@pytest.mark.parametrize("make", [lambda s: torch.Generator().manual_seed(s), np.random.RandomState])
def test_the_same_state_gives_the_same_pixels(degradation: Degradation, make, photo: np.ndarray) -> None:
    x = batch(photo)
    first, second = degradation(x, make(7)), degradation(x, make(7))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.params, second.params)


@pytest.mark.parametrize("degradation", RANDOM, ids=str)
def test_different_states_give_different_damage(degradation: Degradation, photo: np.ndarray) -> None:
    x = batch(photo)
    generator = torch.Generator().manual_seed(0)
    first, second = degradation(x, generator), degradation(x, generator)  # the generator went on
    assert not torch.equal(first.image, second.image)
    assert not torch.equal(first.params, second.params)


@everything
def test_global_random_state_is_neither_read_nor_touched(degradation: Degradation, photo: np.ndarray) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    degradation(batch(photo), torch.Generator().manual_seed(0))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()


@everything
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_types_and_truth(degradation: Degradation, channels: int, photo: np.ndarray) -> None:
    x = batch(photo, channels=channels)
    kept = x.clone()
    y, params = degradation(x, torch.Generator().manual_seed(0))
    s = degradation.scale
    assert y.shape == (3, channels, 96 // s, 128 // s)
    assert params.shape == (3, degradation.quantity.size)
    assert y.dtype == params.dtype == torch.float32
    assert y.isfinite().all()
    assert params.isfinite().all()
    assert torch.equal(x, kept)  # the clean images are left alone


@everything
def test_degradations_are_values(degradation: Degradation) -> None:
    same = dataclasses.replace(degradation)
    assert same == degradation
    assert hash(same) == hash(degradation)
    field = dataclasses.fields(degradation)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(degradation, field, None)


@pytest.mark.parametrize(
    "degradation",
    [d for d in RANDOM + FIXED if not isinstance(d, GaussianNoise | OnDirectGrid | Mixture) and d not in UNIVERSAL],
    ids=str,
)
def test_what_a_file_could_hold_stays_in_8_bits(degradation: Degradation, photo: np.ndarray) -> None:
    levels = degradation(batch(photo), torch.Generator().manual_seed(0)).image * 255
    assert levels.min() >= 0
    assert levels.max() <= 255
    assert (levels - levels.round()).abs().max() < 1e-4


@pytest.mark.parametrize("sigma", [5, 25, 70])
def test_measured_noise_is_as_strong_as_it_says(sigma: int) -> None:
    x = torch.full((2, 3, 256, 256), 0.5)
    y, params = GaussianNoise((sigma, sigma))(x, torch.Generator().manual_seed(0))
    noise = (y - x) * 255
    assert noise.std().item() == pytest.approx(sigma, rel=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=sigma / 100)
    torch.testing.assert_close(params * 255, torch.full((2, 1), float(sigma)))


def test_drawn_noise_levels_are_uniform_and_reported() -> None:
    x = torch.rand(400, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    y, params = GaussianNoise((5, 70))(x, torch.Generator().manual_seed(0))
    sigma = params.flatten() * 255
    measured = ((y - x) * 255).flatten(1).std(1)
    assert (measured / sigma - 1).abs().max() < 0.12  # 1,024 samples know their deviation to about 2 %
    assert sigma.min() >= 5
    assert sigma.max() <= 70
    assert sigma.mean().item() == pytest.approx(37.5, abs=3)


@pytest.mark.parametrize("sigma", [(-1, 5), (10, 5)])
def test_noise_levels_that_make_no_sense_are_refused(sigma: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sigma must"):
        GaussianNoise(sigma)


def test_a_grey_image_is_degraded_as_grey_only_when_asked(generator: torch.Generator) -> None:
    x = torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8).clone()
    x[1, 0] += 0.01  # the second image has colour
    y = GaussianNoise((20, 20), grey_as_grey=True)(x, generator).image
    noise = y - x
    torch.testing.assert_close(noise[0, 0], noise[0, 1])
    assert not torch.allclose(noise[1, 0], noise[1, 1])
    independent = GaussianNoise((20, 20))(x, generator).image - x
    assert not torch.allclose(independent[0, 0], independent[0, 1])


def test_fixed_values_do_not_advance_the_generator(generator: torch.Generator) -> None:
    before = generator.get_state()
    assert torch.equal(uniform((3,), 0.5, 0.5, generator, torch.zeros(1)), torch.full((3,), 0.5))
    assert torch.equal(generator.get_state(), before)
