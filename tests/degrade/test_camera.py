"""The camera's noise follows its law on the sensor, and nothing but noise is added."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from undegrade.degrade import CameraNoise, Jpeg
from undegrade.degrade.camera import CURVES, Response, demosaic, mosaic, pixel_kinds

EVERYTHING = CameraNoise(
    gain=(1 / 8, 1),
    balance=(1, 2.4),
    smoothing=(0, 1),
    chroma=(0, 2),
    jpeg=Jpeg((60, 100)),
    saved=0.5,
    grey_as_grey=True,
)
PATTERNS = ("RGGB", "GRBG", "GBRG", "BGGR")
# A response of average bend: mid-grey is 22 % of the light.
GENTLE = 100


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tensor(photo: np.ndarray, count: int = 1) -> torch.Tensor:
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None].repeat(count, 1, 1, 1)


def light(y: torch.Tensor, curve: int) -> torch.Tensor:
    """Irradiance of images that all went through one camera."""
    return Response(torch.full((len(y),), curve)).irradiance(y)


def sensor_variance(level: int, camera: CameraNoise, side: int = 256) -> tuple[torch.Tensor, float]:
    """The variance of irradiance in each channel over a flat field of an 8-bit level, and its mean irradiance."""
    assert camera.curve is not None
    x = torch.full((2, 3, side, side), level / 255)
    y = camera(x, seeded(level)).image
    linear = light(y, camera.curve)
    ends = light(torch.tensor([level - 0.5, level + 0.5]).view(1, 1, 1, 2) / 255, camera.curve)
    rounding = float(ends.diff()) ** 2 / 12
    expected = float(light(x[:1, :1, :1, :1], camera.curve))
    assert float(linear.mean()) == pytest.approx(expected, rel=0.02)
    return linear.transpose(0, 1).flatten(1).var(1) - rounding, expected


def test_every_curve_rises_from_black_to_white_and_comes_back() -> None:
    levels = (torch.arange(256) / 255).view(1, 1, 1, 256).expand(CURVES, 1, 1, 256)
    response = Response(torch.arange(CURVES))
    found = response.irradiance(levels)
    assert (found[..., 0] == 0).all()
    assert (found[..., -1] == 1).all()
    assert (found.diff() > 0).all()
    assert torch.equal(response.brightness(found).mul(255).round(), levels.mul(255).round())
    fine = torch.linspace(0, 1, 4097).view(1, 1, 1, -1).expand(CURVES, 1, 1, -1)
    assert (response.brightness(fine).diff() >= 0).all()
    # The curves are those of cameras and films, some bent more than others, most of them like a gamma near 2.2.
    assert float(found[..., 128].median()) == pytest.approx(0.5**2.2, abs=0.03)


def test_light_beyond_what_a_sensor_holds_is_clipped() -> None:
    ends = Response(torch.tensor([3])).brightness(torch.tensor([-0.5, 1.5]).view(1, 1, 1, 2))
    assert ends.flatten().tolist() == [0, 1]


@pytest.mark.parametrize("number", range(4))
def test_a_mosaic_keeps_the_colours_of_its_pattern(number: int) -> None:
    image = torch.rand(1, 3, 4, 6, generator=seeded())
    kept = mosaic(image, pixel_kinds(torch.tensor([number]), 4, 6))[0, 0]
    for row in range(4):
        for column in range(6):
            colour = "RGB".index(PATTERNS[number][2 * (row % 2) + column % 2])
            assert kept[row, column] == image[0, colour, row, column]


def test_demosaicing_keeps_what_a_mosaic_keeps_and_whole_colours() -> None:
    kinds = pixel_kinds(torch.arange(4), 12, 14)
    coloured = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(4, 3, 12, 14)
    torch.testing.assert_close(demosaic(mosaic(coloured, kinds), kinds), coloured[..., 2:-2, 2:-2])
    grey_ramp = (torch.arange(12).view(-1, 1) / 20 + torch.arange(14) / 50).expand(4, 3, 12, 14)
    torch.testing.assert_close(demosaic(mosaic(grey_ramp, kinds), kinds), grey_ramp[..., 2:-2, 2:-2])
    any_image = torch.rand(4, 3, 12, 14, generator=seeded())
    back = mosaic(demosaic(mosaic(any_image, kinds), kinds), kinds[..., 2:-2, 2:-2])
    torch.testing.assert_close(back, mosaic(any_image, kinds)[..., 2:-2, 2:-2])


@pytest.mark.parametrize(("shot", "read"), [(0.05, 0.0), (0.0, 0.02), (0.04, 0.01)])
def test_the_variance_is_affine_in_the_light(shot: float, read: float) -> None:
    camera = CameraNoise((shot, shot), (read, read), curve=GENTLE)
    for level in (90, 130, 170):
        variance, irradiance = sensor_variance(level, camera)
        # Half of green is measured; the other half is a sum of nine values with these squared weights.
        share = (1 + 4 * 0.25**2 + 0.5**2 + 4 * 0.125**2) / 2
        assert float(variance[1]) == pytest.approx(share * (shot**2 * irradiance + read**2), rel=0.03)


def test_the_white_balance_amplifies_red_and_blue() -> None:
    plain = CameraNoise((0.04, 0.04), (0.01, 0.01), curve=GENTLE)
    variance, irradiance = sensor_variance(120, plain)
    amplified, _ = sensor_variance(120, replace(plain, balance=(2, 2)))
    assert float(amplified[0]) > 1.5 * float(variance[0])
    assert float(amplified[2]) > 1.5 * float(variance[2])
    # Without the demosaicing's share of the neighbours it would be exactly this.
    expected = (2 * 0.04**2 * irradiance + 4 * 0.01**2) / (0.04**2 * irradiance + 0.01**2)
    assert float(amplified[0] / variance[0]) == pytest.approx(expected, rel=0.25)


def lag_one(noise: torch.Tensor) -> float:
    """Correlation between horizontal neighbours, (B, 1, H, W)."""
    left, right = noise[..., :-1].flatten(), noise[..., 1:].flatten()
    return float(torch.corrcoef(torch.stack((left, right)))[0, 1])


def test_demosaicing_correlates_neighbours_and_smoothing_more_so() -> None:
    camera = CameraNoise((0.04, 0.04), (0.02, 0.02), curve=GENTLE)
    x = torch.full((2, 3, 192, 192), 128 / 255)
    noise = camera(x, seeded()).image - x
    red = lag_one(noise[:, :1])
    assert red > 0.3
    smooth = replace(camera, smoothing=(1.0, 1.0))(x, seeded()).image - x
    assert lag_one(smooth[:, :1]) > red + 0.2
    assert float(smooth.std()) < 0.6 * float(noise.std())
    # Colours share the pixels that they are interpolated from.
    assert float(torch.corrcoef(noise.transpose(0, 1).flatten(1))[0, 1]) > 0.1


def test_noise_reduction_of_colours_makes_them_coarse_and_leaves_brightness() -> None:
    camera = CameraNoise((0.04, 0.04), (0.02, 0.02), curve=GENTLE)
    x = torch.full((2, 3, 192, 192), 128 / 255)
    irradiance = Response(torch.full((2,), GENTLE)).irradiance(x)

    def parts(camera: CameraNoise) -> tuple[torch.Tensor, torch.Tensor]:
        noise = Response(torch.full((2,), GENTLE)).irradiance(camera(x, seeded()).image) - irradiance
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        luma = (noise * weights).sum(1, keepdim=True)
        return luma, noise - luma

    luma, colours = parts(camera)
    reduced_luma, reduced_colours = parts(replace(camera, chroma=(2.0, 2.0)))
    assert float(reduced_luma.std()) == pytest.approx(float(luma.std()), rel=0.03)
    assert lag_one(reduced_luma) == pytest.approx(lag_one(luma), abs=0.03)
    assert float(reduced_colours.std()) < 0.5 * float(colours.std())
    assert lag_one(reduced_colours[:, :1]) > 0.8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("camera", [CameraNoise(), replace(EVERYTHING, jpeg=None)])
def test_without_noise_an_image_stays_as_it_is(camera: CameraNoise, channels: int, photo: np.ndarray) -> None:
    x = tensor(photo, 40)[:, :channels]
    still = replace(camera, shot=(0, 0), read=(0, 0))
    y, params = still(x, seeded())
    assert torch.equal(y.mul(255).round(), x.mul(255).round())
    assert (params == 0).all()


def test_clean_flat_fields_stay_flat() -> None:
    x = (torch.arange(256) / 255).view(-1, 1, 1, 1).expand(256, 3, 16, 16)
    y = CameraNoise((0, 0), (0, 0), jpeg=Jpeg((60, 100)))(x, seeded()).image
    assert torch.equal(y, y[..., :1, :1].expand_as(y))
    assert (y - x).abs().max() < 3.5 / 255  # a JPEG rounds means of blocks


def test_strengths_are_uniform_and_reported() -> None:
    x = torch.full((400, 3, 4, 4), 0.5)
    _, params = CameraNoise()(x, seeded())
    for drawn, most in zip(params.T, (0.16, 0.06), strict=True):
        assert drawn.min() >= 0
        assert drawn.max() <= most
        assert float(drawn.mean()) == pytest.approx(most / 2, rel=0.1)
        assert float(drawn.std()) == pytest.approx(most / 12**0.5, rel=0.1)
    assert abs(float(torch.corrcoef(params.T)[0, 1])) < 0.2
    _, params = CameraNoise((0.1, 0.1), (0.04, 0.04), gain=(1 / 8, 1))(x, seeded())
    torch.testing.assert_close(params[:, 0] / params[:, 1], torch.full((400,), 2.5))
    assert float((params[:, 0] / 0.1).log2().mean()) == pytest.approx(-1.5, abs=0.2)


def test_an_image_does_not_depend_on_the_others_of_its_batch(photo: np.ndarray) -> None:
    x = tensor(photo, 3)
    other = x.clone()
    other[1] = 1 - other[1]
    first, second = EVERYTHING(x, seeded()).image, EVERYTHING(other, seeded()).image
    assert torch.equal(first[[0, 2]], second[[0, 2]])
    assert not torch.equal(first[0], first[2])


def test_a_share_is_saved_as_jpeg(photo: np.ndarray) -> None:
    jpeg = Jpeg((20, 20))
    x = tensor(np.ascontiguousarray(photo[:24, :24]), 200)
    y = CameraNoise((0, 0), (0, 0), jpeg=jpeg, saved=0.3)(x, seeded()).image.mul(255).round()
    expected = jpeg(x[:1], seeded()).image.mul(255).round()
    saved = (y == expected).flatten(1).all(1)
    assert (saved | (y == x.mul(255).round()).flatten(1).all(1)).all()
    assert 40 < int(saved.sum()) < 80


def test_a_grey_picture_is_the_grey_version_of_a_noisy_one(photo: np.ndarray) -> None:
    grey = tensor(photo)[:, :1].expand(-1, 3, -1, -1)
    x = torch.cat((grey, tensor(photo)))
    camera = CameraNoise((0.1, 0.1), (0.03, 0.03))
    y = replace(camera, grey_as_grey=True)(x, seeded()).image
    assert torch.equal(y[0, 0], y[0, 1])
    assert torch.equal(y[0, 0], y[0, 2])
    assert not torch.equal(y[1, 0], y[1, 1])
    coloured = camera(x, seeded()).image
    assert not torch.equal(coloured[0, 0], coloured[0, 1])
    luma = (coloured[0] * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0)
    assert (y[0, 0] - luma).abs().max() < 1.01 / 255  # each was rounded once
    one = camera(x[:, :1], seeded()).image
    assert torch.equal(one[0], y[0, :1])


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (33, 30)])
def test_any_size_and_precision(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, generator=seeded(), dtype=torch.float64)
    y, params = replace(EVERYTHING, jpeg=None)(x, seeded())
    assert y.shape == x.shape
    assert y.dtype == params.dtype == torch.float64


@pytest.mark.gpu
def test_a_gpu_gives_the_same_noise_as_a_cpu() -> None:
    x = torch.rand(4, 3, 64, 64, generator=seeded())
    camera = replace(EVERYTHING, jpeg=None)
    host = camera(x, np.random.RandomState(0))
    device = camera(x.cuda(), np.random.RandomState(0))
    assert device.image.is_cuda
    # TF32 and the order of sums: now and then one level.
    assert (host.image - device.image.cpu()).abs().max() < 2.5 / 255
    assert (host.image != device.image.cpu()).float().mean() < 0.02
    torch.testing.assert_close(host.params, device.params.cpu())


@pytest.mark.parametrize(
    "make",
    [
        lambda: CameraNoise(shot=(-0.1, 0.1)),
        lambda: CameraNoise(read=(0.1, 0.05)),
        lambda: CameraNoise(gain=(0, 1)),
        lambda: CameraNoise(balance=(0.5, 2)),
        lambda: CameraNoise(smoothing=(0, 5)),
        lambda: CameraNoise(chroma=(0, 5)),
        lambda: CameraNoise(saved=1.5),
        lambda: CameraNoise(curve=CURVES),
    ],
)
def test_settings_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must"):
        make()


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or 3 channels"):
        CameraNoise()(torch.zeros(1, 2, 8, 8), seeded())


def test_strengths_are_told_with_digits_that_say_something() -> None:
    told = CameraNoise.quantity.words([0.0213, 0.0049])
    assert told == "sensor noise (signal-dependent, constant) 0.021, 0.005 (of full irradiance)"
