"""The networks on one window: channels, half precision, devices."""

import numpy as np
import pytest
import torch

from tests.inference.models import FAST, image, pipeline
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.engine import out_of_memory
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS


def test_grey_is_shown_to_a_colour_model_as_three_equal_channels(fast: Pipeline) -> None:
    y = image(20, 24)
    colour = fast(np.repeat(y[..., None], 3, 2)).image
    np.testing.assert_allclose(fast(y).image, colour.mean(2), rtol=0, atol=1e-6)


def test_colour_through_a_luma_model_keeps_chroma() -> None:
    model = pipeline(Architecture(channels=1, restorer="fast"), "jpeg-y")
    y = image(20, 24, 3)
    x = model(y).image
    weights = np.array([0.299, 0.587, 0.114])
    luma = (y @ weights).astype(np.float32)
    np.testing.assert_allclose(x @ weights, model(luma).image, rtol=0, atol=1e-5)
    for c in (0, 2):  # Cr and Cb, but for their factors
        np.testing.assert_allclose(x[..., c] - x @ weights, y[..., c] - y @ weights, rtol=0, atol=1e-5)


def test_grey_stored_as_colour_comes_back_exactly_grey(shipped: Pipeline, noisy: np.ndarray) -> None:
    grey = np.repeat((noisy[..., :1] * 255).clip(0, 255).astype(np.uint8), 3, 2)
    restored = shipped(grey).image
    assert (restored[..., :1] == restored).all()
    np.testing.assert_array_equal(restored[..., 0], shipped(grey[..., 0]).image)


def test_half_precision_is_near_and_a_window_that_overflows_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_photo(64, 64, 2).astype(np.float32) / 255
    full, half = pipeline(), pipeline(half=True)
    expected, near = full(x).image, half(x).image
    assert not np.array_equal(near, expected)
    assert np.abs(near - expected).max() < 0.05
    true = VDIR.restore
    modes = []

    def overflowing(self: VDIR, y: torch.Tensor, c: torch.Tensor, part: None) -> torch.Tensor:
        modes.append(torch.is_autocast_enabled("cpu"))
        return true(self, y, c) * (float("inf") if modes[-1] else 1)

    monkeypatch.setattr(VDIR, "restore", overflowing)
    again = half(x).image
    assert modes == [True, False]
    assert np.abs(again - expected).max() < 0.05  # the latent is still half's


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(UndegradeError, match="'nowhere'"):
        TorchEngine(VDIR(FAST), "nowhere")


def test_a_luma_model_that_enlarges_takes_no_colour() -> None:
    enlarging = Pipeline(TorchEngine(VDIR(Architecture(channels=1, params=3, scale=2))), TASKS["sr-x2"])
    with pytest.raises(UndegradeError, match="grey"):
        enlarging(image(8, 8, 3))


def test_steering_shows_the_encoder_the_image_with_so_much_of_its_damage(fast: Pipeline) -> None:
    engine = fast.engine
    y = engine.to_model(image(24, 28, 3))
    posterior = engine.encode(y)
    assert engine.steered(y, posterior, 1) is posterior
    xhat = engine.restore(y, posterior.mean)
    for amount, shown in ((0, xhat), (2, 2 * y - xhat)):
        steered = engine.steered(y, posterior, amount)
        np.testing.assert_allclose(steered, engine.encode(shown), rtol=0, atol=1e-4)
        assert np.abs(steered.mean - posterior.mean).max() > 1e-2


def test_new_luma_under_the_same_chroma() -> None:
    """What a luma model changes is put back as the same change in R, G and B: a constant moves by that constant."""
    engine = pipeline(Architecture(channels=1, restorer="fast"), "jpeg-y").engine
    given = image(6, 7, 3)
    y = engine.to_model(given)
    np.testing.assert_allclose(y[0, 0], given @ np.float32([0.299, 0.587, 0.114]), atol=1e-6)
    np.testing.assert_allclose(engine.from_model(y + 0.25, given), given + 0.25, atol=1e-6)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: Exception, memory: bool) -> None:
    assert out_of_memory(error) is memory


@pytest.mark.parametrize("restorer", RESTORERS)
def test_memory_per_pixel_is_the_restorers_and_grows_with_what_it_enlarges(restorer: str) -> None:
    described = RESTORERS[restorer]
    for scale in described.scales:
        engine = TorchEngine(VDIR(Architecture(params=3, scale=scale, restorer=restorer)))
        more = engine.bytes_per_pixel - described.bytes_per_pixel
        # A residual, an interpolation and their sum are held at once: three float32 images of three channels.
        assert more >= 3 * 3 * 4 * scale**2 if scale > 1 else more == 0
