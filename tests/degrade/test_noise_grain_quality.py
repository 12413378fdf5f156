"""Noise of every kind: as strong and as coarse as it says, and f(T) says what was added."""

import math

import numpy as np
import pytest
import torch

from undegrade.degrade import (
    NOISE_GRAIN_QUALITY,
    AdditiveNoise,
    CameraNoise,
    Chain,
    Channels,
    GaussianNoise,
    Impulse,
    Impulses,
    Measured,
    Nothing,
    OneOf,
    PoissonGaussian,
    Rounded,
    Sparing,
    Speckle,
)
from undegrade.degrade.noise_grain_quality import noise_params
from undegrade.tasks import TASKS

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coloured(count: int = 2, side: int = 128) -> torch.Tensor:
    """Plain images that are not grey."""
    return torch.tensor([0.3, 0.5, 0.6]).view(1, 3, 1, 1).expand(count, 3, side, side).clone()


def readings(params: torch.Tensor) -> torch.Tensor:
    """In units, (3, B)."""
    return NOISE_GRAIN_QUALITY.decode(params.T)


def correlation(n: torch.Tensor) -> float:
    return float((n[..., 1:] * n[..., :-1]).mean() / n.square().mean())


def expected_grain(width: float) -> float:
    """Neighbouring pixels of white noise blurred by a Gaussian of this width, sampled at whole pixels."""
    k = np.exp(-0.5 * (np.arange(-5, 6) / width) ** 2)
    return float((k[1:] * k[:-1]).sum() / (k * k).sum())


@pytest.mark.parametrize("channels", Channels)
@pytest.mark.parametrize("width", [0.0, 0.5, 1.5])
def test_noise_is_as_strong_and_as_coarse_as_it_says(channels: Channels, width: float) -> None:
    x = coloured(8)
    y, params = AdditiveNoise((20, 20), channels, (width, width))(x, seeded())
    n = (y - x) * 255
    assert float(n.square().mean().sqrt()) == pytest.approx(20, rel=0.03)
    grain = expected_grain(width) if width else 0.0
    assert correlation(n) == pytest.approx(grain, abs=0.03)
    level, read, quality = readings(params)
    assert level.mean().item() == pytest.approx(20, rel=0.03)
    assert read.mean().item() == pytest.approx(grain, abs=0.03)
    torch.testing.assert_close(quality, torch.full((8,), 100.0))


def test_noise_of_brightness_is_grey_and_noise_of_colour_has_no_luma() -> None:
    x = coloured()
    n = AdditiveNoise((20, 20), Channels.BRIGHTNESS)(x, seeded()).image - x
    torch.testing.assert_close(n[:, 0], n[:, 2])
    n = AdditiveNoise((20, 20), Channels.COLOUR, (0.5, 0.5))(x, seeded()).image - x
    assert float((n * LUMA).sum(1).abs().max()) < 1e-6
    assert float(n[:, 0].std()) > 10 / 255
    independent = AdditiveNoise((20, 20))(x, seeded()).image - x
    assert abs(float((independent[:, 0] * independent[:, 1]).mean())) < 0.05 * (20 / 255) ** 2


def test_white_noise_is_that_of_the_published_tables(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    ours, theirs = (d(x, np.random.RandomState(0)).image for d in (AdditiveNoise((30, 30)), GaussianNoise((30, 30))))
    torch.testing.assert_close(ours, theirs)


def test_power_favours_weak_noise() -> None:
    x = coloured(400, 8)
    low, high = (readings(AdditiveNoise((0, 80), power=p)(x, seeded()).params)[0].median() for p in (2.0, 1.0))
    assert low.item() == pytest.approx(20, abs=4)
    assert high.item() == pytest.approx(40, abs=5)


def test_half_of_the_grey_images_get_grey_noise() -> None:
    x = torch.full((200, 3, 8, 8), 0.5)
    n = AdditiveNoise((20, 20))(x, seeded()).image - x
    grey = (n == n[:, :1]).flatten(1).all(1)
    assert 0.35 < float(grey.float().mean()) < 0.65
    assert not bool(
        (AdditiveNoise((20, 20))(coloured(20, 8), seeded()).image - coloured(20, 8)).diff(dim=1).eq(0).any()
    )


def test_few_photons_make_the_noise_of_light() -> None:
    x = coloured(4)
    for generator in (seeded(), np.random.RandomState(0)):
        y, params = PoissonGaussian(peak=(50, 50), read=(4, 4))(x, generator)
        variance = (y - x).square().mean((0, 2, 3))
        torch.testing.assert_close(variance, x[0, :, 0, 0] / 50 + (4 / 255) ** 2, rtol=0.05, atol=0)
        assert readings(params)[0].mean().item() == pytest.approx(255 * float(variance.mean().sqrt()), rel=0.02)


def test_speckle_grows_with_the_light() -> None:
    x = coloured(4)
    y, params = Speckle((0.2, 0.2))(x, seeded())
    torch.testing.assert_close((y - x).std((0, 2, 3)), 0.2 * x[0, :, 0, 0], rtol=0.03, atol=0)
    assert readings(params)[0].mean().item() == pytest.approx(51 * float(x.square().mean().sqrt()), rel=0.02)
    n = Speckle((0.2, 0.2), same=1.0)(x, seeded()).image / x - 1
    torch.testing.assert_close(n[:, 0], n[:, 2])


@pytest.mark.parametrize("kind", Impulse)
def test_impulses_hit_the_share_that_they_say(kind: Impulse) -> None:
    x = coloured(8)
    y = Impulses(kind, (0.02, 0.02))(x, seeded()).image
    hit = (y != x).any(1)
    assert float(hit.float().mean()) == pytest.approx(0.02, abs=0.004)
    held = y.permute(0, 2, 3, 1)[hit]
    if kind is Impulse.SALT_AND_PEPPER:
        assert bool(((held == 0) | (held == 1)).all())
        assert bool((held == held[:, :1]).all())
    elif kind is Impulse.HOT:
        assert bool(((held == 1).sum(1) == 1).all())
    else:
        assert float(held.std()) == pytest.approx(1 / math.sqrt(12), abs=0.05)


def test_a_cameras_noise_is_measured() -> None:
    x = coloured(4)
    y, params = Measured(CameraNoise((0.05, 0.05), (0.02, 0.02), smoothing=(1, 1), curve=7))(x, seeded())
    level, grain, quality = readings(params)
    torch.testing.assert_close(level, 255 * (y - x).square().mean((1, 2, 3)).sqrt(), rtol=1e-3, atol=1e-3)
    assert bool((grain > 0.4).all())
    assert bool((quality == 100).all())


def test_nothing_is_nothing() -> None:
    x = coloured()
    y, params = Nothing()(x, seeded())
    assert torch.equal(x, y)
    level, grain, quality = readings(params)
    assert level.tolist() == [0, 0]
    assert bool(grain.isnan().all())
    assert quality.tolist() == [100, 100]


def test_noise_below_a_level_has_no_grain() -> None:
    params = AdditiveNoise((0.5, 0.5), width=(1, 1))(coloured(), seeded()).params
    level, grain, _ = readings(params)
    assert bool(grain.isnan().all())
    assert level.mean().item() == pytest.approx(0.5, rel=0.05)


def test_known_noise_is_read_exactly() -> None:
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(8, 8).expand(1, 3, 16, 16) * 10 / 255
    level, grain, _ = readings(noise_params(board))
    assert level.item() == pytest.approx(10, rel=1e-4)
    assert grain.item() == 0  # neighbours are opposite; grain is not negative
    level, grain, _ = readings(noise_params(board.abs()))
    assert grain.item() == pytest.approx(15 / 16, rel=1e-4)


def test_black_and_white_can_be_spared() -> None:
    x = coloured(4, 64)
    x[:, :, :16], x[:, :, 16:24] = 0, 1
    y, params = Sparing(AdditiveNoise((20, 20)), share=1.0)(x, seeded())
    assert torch.equal(x[:, :, :24], y[:, :, :24])
    assert readings(params)[0].mean().item() == pytest.approx(20, rel=0.03)  # where there is any
    y, params = Sparing(AdditiveNoise((20, 20)), share=0.0)(x, seeded())
    assert not torch.equal(x[:, :, :24], y[:, :, :24])
    x[:, :, :48] = 0
    assert bool(Sparing(AdditiveNoise((20, 20)), share=1.0)(x, seeded()).params[:, :2].isnan().all())
    assert readings(Sparing(AdditiveNoise((20, 20)), share=1.0)(x * 0, seeded()).params)[0].tolist() == [0] * 4


def test_rounding_leaves_a_share_as_it_is() -> None:
    x = torch.randn(200, 3, 4, 4, generator=seeded()) * 0.5 + 0.5
    y = Rounded(0.7)(x, seeded()).image
    kept = (x == y).flatten(1).all(1)
    assert 0.2 < float(kept.float().mean()) < 0.4
    assert float(y[~kept].min()) == 0
    levels = y[~kept] * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4


def test_one_of_several_by_their_weights() -> None:
    x = coloured(400, 8)
    mixture = OneOf(((3, Nothing()), (1, AdditiveNoise((10, 10)))))
    y, params = mixture(x, seeded())
    clean = (x == y).flatten(1).all(1)
    assert float(clean.float().mean()) == pytest.approx(0.75, abs=0.06)
    assert ((params[:, 0] == 0) == clean).all()
    assert clean.tolist() != sorted(clean.tolist())  # each image draws its own
    for parts in ((), ((0.0, Nothing()),), ((1.0, GaussianNoise((5, 5))),)):
        with pytest.raises(ValueError, match="part"):
            OneOf(parts)


def test_a_chain_tells_the_noise_and_then_the_saving() -> None:
    x = coloured()
    y, params = Chain(AdditiveNoise((15, 15)), Rounded())(x, seeded())
    level, grain, quality = readings(params)
    assert level.mean().item() == pytest.approx(15, rel=0.03)
    assert bool(grain.isfinite().all())
    assert quality.tolist() == [100, 100]
    assert float((y * 255 - (y * 255).round()).abs().max()) < 1e-4


def test_numbers_are_bounded_and_come_back() -> None:
    levels = torch.tensor([0.0, 2.0, 50.0, 100.0, 300.0])
    learned = NOISE_GRAIN_QUALITY.encode(levels, levels / 100, levels)
    assert bool((learned >= 0).all())
    assert bool((learned <= torch.tensor(NOISE_GRAIN_QUALITY.bounds)).all())
    torch.testing.assert_close(NOISE_GRAIN_QUALITY.decode(learned.T)[0], levels.clamp(max=100))
    np.testing.assert_allclose(NOISE_GRAIN_QUALITY.decode(learned.T.numpy())[2], [1, 2, 50, 100, 100], rtol=1e-4)
    words = NOISE_GRAIN_QUALITY.words
    assert words([12.34, 0.2, 89.6]) == "noise level 12.3 (8-bit levels), grain 0.20, JPEG quality 90"
    assert words([0.4, 0.2, 99.6]) == "no noise, no compression"


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdditiveNoise((5, 1)),
        lambda: AdditiveNoise((1, 5), width=(0, 2)),
        lambda: PoissonGaussian((0, 5)),
        lambda: Speckle((0.2, 0.1)),
        lambda: Impulses(Impulse.HOT, (0, 2)),
    ],
)
def test_ranges_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must"):
        make()


@pytest.mark.parametrize(
    ("estimate", "kind", "severity"),
    [
        ((0.2, 0.4, 100), "compressed", 0),
        ((0.2, 0.4, 30), "compressed", 70),
        ((3, 0.4, 40), "compressed", 60),  # blocks, taken for a little noise
        ((3, 0.0, 95), "white noise", 3),
        ((30, 0.05, 40), "white noise", 30),
        ((12, 0.6, 99), "coarse noise", 12),
    ],
)
def test_an_estimate_tells_the_kind_of_degradation(estimate, kind, severity):
    assert TASKS["universal"].degradation.category(np.array(estimate, np.float32)) == (kind, pytest.approx(severity))
