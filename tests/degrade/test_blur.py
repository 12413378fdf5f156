"""Kernels have the moments they claim; blurring and decimation are what scipy computes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from undegrade.degrade import GaussianNoise, Mixture
from undegrade.degrade.base import at_each_place
from undegrade.degrade.blur import (
    G_2_0,
    G_ANI,
    KERNEL_SIZE,
    SHARPEST,
    Blur,
    Kernel,
    Shape,
    covariance,
    gaussian_kernel,
    kernel_of,
)


def moments(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a kernel, as (column, row), in pixels."""
    offset = np.arange(len(k)) - (len(k) - 1) / 2
    row, column = np.meshgrid(offset, offset, indexing="ij")
    d = np.stack([column.ravel(), row.ravel()])
    mean = d @ k.ravel()
    return mean, (d * k.ravel()) @ d.T - np.outer(mean, mean)


def kernel(shape: Shape, size: int = KERNEL_SIZE) -> np.ndarray:
    return gaussian_kernel(*(torch.tensor([v], dtype=torch.float64) for v in shape), size=size)[0].numpy()


@pytest.mark.parametrize("shape", [G_2_0, G_ANI, Shape(5.0, 1.0, 0.3), Shape(3.0, 2.0, math.pi / 2)])
def test_widths_are_variances_along_a_rotated_axis(shape: Shape) -> None:
    k = kernel(shape, size=45)  # wide enough that nothing is cut off
    t = shape.angle
    v = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    mean, covariance = moments(k)
    assert k.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(covariance, v @ np.diag([shape.first, shape.second]) @ v.T, atol=1e-6)


def test_the_test_kernels() -> None:
    _, isotropic = moments(kernel(G_2_0))
    np.testing.assert_allclose(isotropic, np.diag([2.0, 2.0]), atol=1e-3)  # 15 pixels hold 5 deviations
    _, slanted = moments(kernel(G_ANI))
    # -0.5 rad: the long axis rises to the right in an image whose rows count downwards.
    assert slanted[0, 0] > slanted[1, 1]
    assert slanted[0, 1] == pytest.approx(3 * math.cos(0.5) * -math.sin(0.5), abs=0.02)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_blur_and_decimation_are_scipys(photo: np.ndarray, factor: int) -> None:
    x = photo[: 96 - 96 % factor, : 120 - 120 % factor]
    tensor = torch.from_numpy(x.astype(np.float32) / 255).permute(2, 0, 1)[None]
    y, params = Blur.fixed(factor, G_ANI)(tensor, np.random.RandomState(0))
    k = kernel(G_ANI)
    np.testing.assert_allclose(kernel_of((params[0] * Kernel().scale).tolist()), k, atol=1e-7)  # f(T) tells k
    for c in range(3):
        blurred = ndimage.correlate(x[..., c].astype(np.float64), k, mode="reflect")[::factor, ::factor]
        levels = y[0, c].numpy() * 255
        assert np.abs(levels - blurred).max() < 0.5 + 1e-3  # nothing but rounding lies between them
        assert np.abs(levels - levels.round()).max() < 1e-4


def test_a_point_becomes_the_kernel_where_the_point_was() -> None:
    x = torch.zeros(1, 1, 32, 32)
    x[0, 0, 16, 18] = 1
    y, _ = Blur.fixed(2, G_ANI)(x, np.random.RandomState(0))
    # Pixel (8, 9) of y sits on pixel (16, 18) of x: direct decimation has no half-pixel shift.
    expected = torch.from_numpy(kernel(G_ANI)).float()[
        1::2, 1::2
    ]  # offsets -6, -4, ..., 6; k is symmetric about its centre
    torch.testing.assert_close(y[0, 0, 5:12, 6:13], expected.mul(255).round() / 255)


def test_every_image_of_a_batch_gets_its_own_kernel(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1).expand(4, 3, 96, 128)
    y, params = Blur.training(2)(x, torch.Generator().manual_seed(3))
    assert len({tuple(row.tolist()) for row in params}) == 4
    for i in range(4):
        k = kernel_of((params[i].double() * Kernel().scale).tolist())
        plane = ndimage.correlate(photo[..., 1] / 255, k, mode="reflect")
        assert np.abs(y[i, 1].numpy() - plane[::2, ::2]).max() * 255 < 0.51


@pytest.mark.parametrize("factor", [2, 4])
def test_training_kernels_fill_the_papers_range(factor: int) -> None:
    like = torch.zeros(1)
    k = gaussian_kernel(*Blur.training(factor).shapes(2000, torch.Generator().manual_seed(0), like)).numpy()
    # The tails beyond 15 pixels are missing, so the widest kernels measure narrower than they were drawn.
    widths = np.array([np.linalg.eigvalsh(moments(one)[1]) for one in k])
    assert widths.min() > 0.99
    assert widths.max() < 2.5 * factor + 1e-6
    # first is U[1, 2.5 s]: this share of the draws lies below 2.
    assert np.mean(widths[:, 1] < 2) == pytest.approx(1 / (2.5 * factor - 1), abs=0.03)
    diagonal = np.mean([moments(one)[1][0, 1] for one in k])
    assert diagonal == pytest.approx(0, abs=0.1)  # no slant is preferred


@pytest.mark.parametrize("shape", [G_2_0, G_ANI, Shape(5.0, 1.0, 0.3), Shape(3.0, 2.0, -1.5)])
def test_sigma_is_the_kernels_covariance_and_tells_its_shape(shape: Shape) -> None:
    column, row, both = covariance(*(torch.tensor([v], dtype=torch.float64) for v in shape))[0].tolist()
    _, measured = moments(kernel(shape, size=45))
    np.testing.assert_allclose([[column, both], [both, row]], measured, atol=1e-6)
    found = Shape.of((column, row, both))
    assert (found.first, found.second) == pytest.approx((shape.first, shape.second))
    if shape.first > shape.second:
        assert found.angle == pytest.approx(shape.angle)


def test_an_estimate_of_no_blur_is_drawn_as_a_point_and_told_in_words() -> None:
    k = kernel_of((-0.1, 0.0, 0.02))
    assert k[7, 7] == pytest.approx(1)
    sigma = covariance(*(torch.tensor([v]) for v in G_ANI))[0].tolist()
    assert Kernel().words(sigma) == "blur kernel of widths 4.00 and 1.00 (pixels^2), the wider at -0.50 rad"


def test_constant_images_stay_constant_to_the_border() -> None:
    x = torch.full((2, 3, 8, 12), 100 / 255)
    y, _ = Blur.training(4)(x, torch.Generator().manual_seed(0))
    assert y.shape == (2, 3, 2, 3)
    torch.testing.assert_close(y, torch.full_like(y, 100 / 255))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Blur(5, (1, 2), (1, 2)),
        lambda: Blur(2, (0, 2), (1, 2)),
        lambda: Blur(2, (2, 1), (1, 1)),
        lambda: Blur(2, (1, 2), (1.5, 2)),  # first may be drawn below what second allows
        lambda: Blur(2, (1, 2), (1, 2), angle=(1, 0)),
    ],
)
def test_ranges_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must"):
        make()


def test_sizes_that_are_no_multiple_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        Blur.training(4)(torch.zeros(1, 3, 32, 30), torch.Generator())


@pytest.mark.parametrize("shape", [Shape(2.0, 2.0, 0.0), Shape(4.0, 1.0, -0.5), Shape(0.001, 0.0, 0.3)])
def test_a_kernel_that_is_read_is_the_one_that_blurs(shape: Shape) -> None:
    """Without PyTorch and with it."""
    sigma = covariance(*(torch.tensor([value], dtype=torch.float64) for value in shape))[0]
    first, second = (max(value, SHARPEST) for value in shape[:2])
    blurs = gaussian_kernel(*(torch.tensor([v], dtype=torch.float64) for v in (first, second, shape.angle)))[0]
    np.testing.assert_allclose(kernel_of(sigma.tolist()), blurs.numpy(), rtol=0, atol=1e-9)


def test_twins_are_one_crop_under_kernels_at_right_angles() -> None:
    blur = replace(Blur.training(2), twins=True)
    assert blur.crops(5) == [0, 0, 2, 2, 4]
    assert Blur.training(2).crops(5) == [0, 1, 2, 3, 4]
    first, second, angle = blur.shapes(5, torch.Generator().manual_seed(0), torch.zeros(0))
    assert len(first) == len(second) == len(angle) == 5
    sigma = covariance(first, second, angle)
    for one, other in ((0, 1), (2, 3)):
        # Turned by a right angle: columns for rows, and the covariance the other way round.
        torch.testing.assert_close(sigma[other], sigma[one][[1, 0, 2]] * torch.tensor([1, 1, -1]), atol=1e-5, rtol=0)
    assert len(set(first[::2].tolist())) == 3
    mixture = Mixture(blur, blur, share=0.375)
    assert mixture.crops(8) == [0, 0, 2, 2, 4, 5, 5, 7]


def test_a_kernel_is_learned_as_the_mean_over_places() -> None:
    quantity = Kernel()
    sigma = torch.tensor([[0.4, 0.1, -0.1]])
    votes = sigma[:, :, None, None] + torch.tensor([[-5.0, 5.0], [3.0, -3.0]])  # no place is right, together they are
    torch.testing.assert_close(quantity.misses(votes, sigma), torch.zeros(1, 3), atol=1e-5, rtol=0)
    assert GaussianNoise((0, 75)).quantity.misses(votes[:, :1], sigma[:, :1]).mean() > 3, "noise is read at each place"


def test_turning_a_kernel_and_its_estimate_changes_no_miss() -> None:
    def sigma(angle: float, first: float) -> torch.Tensor:
        return covariance(*(torch.tensor([v]) for v in (first, 1.0, angle))) / Kernel().scale

    def miss(angle: float) -> float:
        return float(Kernel().misses(sigma(angle + 0.3, 3.0)[:, :, None, None], sigma(angle, 4.0)).sum())

    assert miss(0.0) > 0.1
    assert [miss(a) for a in (0.4, 1.0, 2.5)] == pytest.approx([miss(0.0)] * 3, rel=1e-4)


def test_a_miss_of_the_direction_is_felt_beside_a_larger_one_of_the_width() -> None:
    """By the L1 norm at each place it is not: there both variances pull the same way."""
    estimate = torch.tensor([0.5, 0.5, 0.0])[None, :, None, None].requires_grad_()
    truth = torch.tensor([[0.3, 0.2, 0.0]])
    for loss, felt in ((Kernel().misses, True), (at_each_place, False)):
        (gradient,) = torch.autograd.grad(loss(estimate, truth).sum(), estimate)
        assert bool((gradient[0, 0] - gradient[0, 1]).abs() > 1e-6) is felt
