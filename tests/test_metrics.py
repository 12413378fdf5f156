"""PSNR and SSIM are scikit-image's, luma is MATLAB's, and a protocol compares what it says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from undegrade.metrics import GAUSSIAN_11, UNIFORM_8, Protocol, SsimWindow, luma_8bit, matlab_luma, psnr, ssim, to_8bit


@pytest.fixture
def pair(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A clean image and a noisy one, 8-bit RGB."""
    noisy = photo + np.random.RandomState(0).standard_normal(photo.shape) * 12
    return photo, noisy.clip(0, 255).round().astype(np.uint8)


def test_psnr_is_scikit_images(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(*pair), abs=1e-12)


def test_psnr_of_known_errors() -> None:
    x = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(x, x) == math.inf
    assert psnr(x, x + np.uint8(1)) == pytest.approx(20 * math.log10(255), abs=1e-12)
    # One MSE over the three channels, not the mean of three PSNRs.
    one_channel_off = x.copy()
    one_channel_off[..., 0] += 3
    assert psnr(x, one_channel_off) == pytest.approx(10 * math.log10(255**2 / 3), abs=1e-12)


def test_psnr_does_not_wrap_around() -> None:
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)) == 0
    assert psnr(np.full((4, 4), 255, np.uint8), np.zeros((4, 4), np.uint8)) == 0


def test_gaussian_ssim_is_scikit_images(pair: tuple[np.ndarray, np.ndarray]) -> None:
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    grey = structural_similarity(pair[0][..., 0], pair[1][..., 0], **options)
    assert ssim(pair[0][..., 0], pair[1][..., 0], GAUSSIAN_11) == pytest.approx(grey, abs=1e-12)
    colour = structural_similarity(*pair, channel_axis=2, **options)
    assert ssim(*pair, GAUSSIAN_11) == pytest.approx(colour, abs=1e-12)


@pytest.mark.parametrize("size", [7, 9])
def test_uniform_ssim_is_scikit_images(pair: tuple[np.ndarray, np.ndarray], size: int) -> None:
    x, xhat = pair[0][..., 1], pair[1][..., 1]
    expected = structural_similarity(x, xhat, win_size=size, use_sample_covariance=False, data_range=255)
    assert ssim(x, xhat, SsimWindow(size)) == pytest.approx(expected, abs=1e-12)


def test_uniform_8_ssim_by_the_formula(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """scikit-image refuses even windows: here every one of them is cut out and measured by itself."""
    a, b = (np.lib.stride_tricks.sliding_window_view(p[..., 2].astype(float), (8, 8)) for p in pair)
    a, b = a.reshape(-1, 64), b.reshape(-1, 64)
    covariance = (a * b).mean(1) - a.mean(1) * b.mean(1)
    c1, c2 = 2.55**2, 7.65**2
    values = (2 * a.mean(1) * b.mean(1) + c1) * (2 * covariance + c2)
    values /= (a.mean(1) ** 2 + b.mean(1) ** 2 + c1) * (a.var(1) + b.var(1) + c2)
    assert ssim(pair[0][..., 2], pair[1][..., 2], UNIFORM_8) == pytest.approx(values.mean(), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(11, 30), st.integers(11, 30), st.integers(0, 2**31 - 1))
def test_windows_average_as_scipy_does(height: int, width: int, seed: int) -> None:
    plane = np.random.RandomState(seed).uniform(0, 255, (height, width))
    gaussian = ndimage.gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5]
    np.testing.assert_allclose(GAUSSIAN_11.means(plane), gaussian, atol=1e-10)
    uniform = ndimage.uniform_filter(plane, 8)[4 : height - 3, 4 : width - 3]
    np.testing.assert_allclose(UNIFORM_8.means(plane), uniform, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([GAUSSIAN_11, UNIFORM_8]))
def test_ssim_is_symmetric_and_at_most_1(seed: int, window: SsimWindow) -> None:
    rng = np.random.RandomState(seed)
    x, other = rng.randint(0, 256, (2, 16, 20), dtype=np.uint8)
    assert ssim(x, x, window) == pytest.approx(1, abs=1e-12)
    assert ssim(x, other, window) == pytest.approx(ssim(other, x, window), abs=1e-12)
    assert ssim(x, other, window) < 0.9


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="smaller than the SSIM window"):
        ssim(np.zeros((10, 30)), np.zeros((10, 30)))


def test_luma_is_matlabs(photo: np.ndarray) -> None:
    np.testing.assert_allclose(matlab_luma(photo), rgb2ycbcr(photo)[..., 0], atol=1e-9)
    black_white = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert matlab_luma(black_white).tolist() == [[16, pytest.approx(235, abs=1e-9)]]
    assert np.abs(luma_8bit(photo) - matlab_luma(photo)).max() <= 0.5
    assert luma_8bit(photo).dtype == np.uint8
    assert (matlab_luma(photo[..., 0]) == photo[..., 0]).all()  # grey is left alone


@given(st.floats(-2, 3, width=32))
def test_rounding_clips_and_takes_the_nearest_level(value: float) -> None:
    level = to_8bit(np.array([[value]], np.float32))
    assert level.dtype == np.uint8
    assert abs(float(level[0, 0]) - min(max(value, 0), 1) * 255) <= 0.5001


def test_all_levels_survive_the_way_to_float_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_8bit(levels.astype(np.float32) / 255), levels)


def test_a_protocol_crops_converts_and_measures(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, xhat = pair
    rgb = Protocol(metrics=("psnr", "ssim"), border=3).measure(x, xhat)
    assert rgb == {
        "psnr": psnr(x[3:-3, 3:-3], xhat[3:-3, 3:-3]),
        "ssim": ssim(x[3:-3, 3:-3], xhat[3:-3, 3:-3]),
    }
    y = Protocol("y", metrics=("psnr",)).measure(x, xhat)
    assert y == {"psnr": psnr(matlab_luma(x), matlab_luma(xhat))}
    grey = Protocol("grey", metrics=("ssim",), window=UNIFORM_8)
    assert grey.measure(x[..., 0], xhat[..., 0]) == {"ssim": ssim(x[..., 0], xhat[..., 0], UNIFORM_8)}


def test_a_protocol_says_what_the_clean_image_is(photo: np.ndarray) -> None:
    np.testing.assert_array_equal(Protocol("y").clean(photo, scale=5), photo[:95, :125])
    np.testing.assert_array_equal(Protocol("grey").clean(photo), luma_8bit(photo))
    np.testing.assert_array_equal(Protocol("grey").clean(photo[..., 1]), photo[..., 1])


def test_a_wrong_size_is_not_measured(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        Protocol().measure(photo, photo[:-1])
