"""Strength, level, samples, half precision, memory: what a person may wish for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine
from undegrade.inference.estimates import Estimates
from undegrade.inference.load import load_pipeline
from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture
from undegrade.model.latent_noise import latent_noise
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

SIGMA = 30


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return load_pipeline("gaussian", "fast", device="cpu")


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return make_photo(96, 120, 3).astype(np.float32) / 255


@pytest.fixture(scope="module")
def noisy(clean: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    return clean + np.float32(SIGMA / 255) * noise.astype(np.float32)


def random_pipeline(**options: Any) -> Pipeline:
    torch.manual_seed(0)
    model = VDIR(Architecture(restorer="fast"))
    with torch.no_grad():
        model.restorer.get_parameter("tail.weight").mul_(3)
    return Pipeline(model, TASKS["gaussian"], **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.float16])
def test_strength_0_is_the_identity_bit_for_bit(shipped: Pipeline, dtype: type) -> None:
    x = np.random.default_rng(1).random((40, 50, 3)) * (1 if np.issubdtype(dtype, np.floating) else 250)
    x = x.astype(dtype)
    found = shipped(x, strength=0)
    np.testing.assert_array_equal(found.image, x)
    assert found.image is not x
    np.testing.assert_array_equal(found.estimate, shipped.estimate(x))


def test_strength_1_is_the_models_own_answer(shipped: Pipeline, noisy: np.ndarray) -> None:
    y = shipped.engine.to_model(noisy)
    with torch.no_grad():
        own = shipped.model(y)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(shipped(noisy, strength=1.0).image, own, atol=1e-6)


def test_what_is_left_of_the_noise_falls_with_strength(shipped: Pipeline, noisy: np.ndarray) -> None:
    again = noisy + 0  # the same picture under other noise tells noise from detail
    again += np.float32(SIGMA / 255) * np.random.default_rng(1).standard_normal(noisy.shape).astype(np.float32)
    again -= np.float32(SIGMA / 255) * np.random.default_rng(0).standard_normal(noisy.shape).astype(np.float32)
    left = [
        np.std(shipped(noisy, strength=s).image - shipped(again, strength=s).image)
        for s in (0, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
    ]
    assert (np.diff(left) < 0).all(), left


def test_strength_has_no_jumps(shipped: Pipeline, noisy: np.ndarray) -> None:
    def restored(strength: float) -> np.ndarray:
        return np.asarray(shipped(noisy, strength=strength).image)

    for s in (0.0, 0.25, 1.0):
        near = np.abs(restored(s + 1e-3) - restored(s)).mean()
        assert near < 0.02 * np.abs(restored(1.0) - noisy).mean()


@pytest.mark.parametrize("level", [15, 30, 50])
def test_a_level_moves_the_latent_until_the_estimator_reads_it(
    shipped: Pipeline, noisy: np.ndarray, level: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = []
    steered = Engine.steered

    def spy(self: Engine, y: torch.Tensor, posterior: Any, amount: float) -> Any:
        moved = steered(self, y, posterior, amount)
        amounts.append(float(self.estimate(moved.mean).mean()) * 255 if amount != 1 else None)
        return moved

    monkeypatch.setattr(Engine, "steered", spy)
    found = shipped(noisy, level=level)
    assert found.estimate == pytest.approx([SIGMA], abs=3)  # what was found is still said
    assert amounts[-1] == pytest.approx(level, rel=0.1, abs=1)


def test_the_estimates_own_level_changes_nothing(shipped: Pipeline, noisy: np.ndarray) -> None:
    own = shipped(noisy)
    told = shipped(noisy, level=float(own.estimate[0])).image
    assert np.abs(told - own.image).max() < 0.2 / 255
    further = shipped(noisy, level=float(own.estimate[0]) + 1).image
    assert np.abs(further - own.image).max() > 0.2 / 255


def test_a_higher_level_removes_more(shipped: Pipeline, noisy: np.ndarray) -> None:
    removed = [np.abs(shipped(noisy, level=level).image - noisy).mean() for level in (10, 20, 30, 45)]
    assert (np.diff(removed) > 0).all()


def test_samples_are_seeded_differ_and_average(shipped: Pipeline, noisy: np.ndarray) -> None:
    one, same, other = (shipped(noisy, samples=4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.std, same.std)
    assert not np.array_equal(one.image, other.image)
    assert one.std.shape == noisy.shape[:2]
    assert one.std.dtype == np.float32
    assert 0 < one.std.mean() < 0.05
    y = shipped.engine.to_model(noisy)
    posterior = shipped.engine.encode(y)
    h, w = posterior.mean.shape[2:]
    draws = [
        shipped.engine.restore(y, posterior.at(torch.from_numpy(latent_noise(1, n, (0, h), (0, w)))))[0].numpy()
        for n in range(4)
    ]
    np.testing.assert_allclose(one.image, np.mean(draws, 0).transpose(1, 2, 0), atol=1e-5)
    expected = np.sqrt(np.var(draws, axis=0, ddof=1).mean(0))
    np.testing.assert_allclose(one.std, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"strength": 0.6}, {"strength": 1.4, "samples": 2}, {"level": 20.0}])
def test_tiles_stay_exact_whatever_the_options(options: dict[str, Any]) -> None:
    pipeline = random_pipeline()
    x = make_photo(96, 1100, 5).astype(np.float32) / 255
    whole, tiled = pipeline(x, tile=100_000, **options), pipeline(x, tile=560, **options)
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-6)
    if options.get("samples"):
        np.testing.assert_allclose(tiled.std, whole.std, atol=1e-6)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)
    np.testing.assert_array_equal(tiled.spread, whole.spread)


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda x: x[None].repeat(2, 0), "batch"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1), "tensor"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1)[None], "tensor batch"),
        (lambda x: torch.from_numpy(x[..., 0].copy()), "grey tensor"),
        (lambda x: torch.from_numpy((x * 255).clip(0, 255).astype(np.uint8)).permute(2, 0, 1), "bytes"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1).bfloat16(), "bfloat16"),
    ],
)
def test_the_layout_that_was_given_comes_back(
    shipped: Pipeline, noisy: np.ndarray, make: Callable[[np.ndarray], Any], layout: str
) -> None:
    given = make(noisy)
    found = shipped(given, samples=2)
    assert type(found.image) is type(given)
    assert found.image.dtype == given.dtype
    assert found.image.shape == given.shape
    assert type(found.std) is type(given)
    planes = given.shape[:-1] if isinstance(given, np.ndarray) else (*given.shape[:-3], *given.shape[-2:])
    assert tuple(found.std.shape) == tuple(planes)
    if layout in ("batch", "tensor batch"):
        alone = torch.as_tensor(shipped(noisy, samples=2).image)
        first = found.image[0] if isinstance(given, np.ndarray) else found.image[0].permute(1, 2, 0)
        assert torch.equal(torch.as_tensor(first), alone)


def test_grey_stored_as_colour_comes_back_exactly_grey(shipped: Pipeline, noisy: np.ndarray) -> None:
    grey = np.repeat((noisy[..., :1] * 255).clip(0, 255).astype(np.uint8), 3, 2)
    restored = shipped(grey).image
    assert (restored[..., :1] == restored).all()
    np.testing.assert_array_equal(restored[..., 0], shipped(grey[..., 0]).image)


@pytest.mark.parametrize("sigma", [0, 10, 50])
@pytest.mark.parametrize("level", [20, 128, 235])
def test_a_flat_grey_keeps_its_mean(shipped: Pipeline, level: int, sigma: int) -> None:
    noise = np.random.default_rng(0).standard_normal((128, 128, 3))
    noise -= noise.mean((0, 1))  # what the picture itself has as a mean is no shift of ours
    flat = (level + sigma * noise).astype(np.float32) / 255
    shift = np.abs(shipped(flat).image.mean((0, 1)) * 255 - level)
    assert (shift < 0.5).all(), shift


def test_half_precision_is_near_and_a_window_that_overflows_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_photo(64, 64, 2).astype(np.float32) / 255
    full, half = random_pipeline(), random_pipeline(half=True)
    expected, near = full(x).image, half(x).image
    assert not np.array_equal(near, expected)
    assert np.abs(near - expected).max() < 0.05
    true = VDIR.restore
    modes = []

    def overflowing(self: VDIR, y: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        modes.append(torch.is_autocast_enabled("cpu"))
        return true(self, y, c) * (float("inf") if modes[-1] else 1)

    monkeypatch.setattr(VDIR, "restore", overflowing)
    again = half(x).image
    assert modes == [True, False]
    assert np.abs(again - expected).max() < 0.05  # the latent is still half's


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")])
def test_running_out_of_memory_halves_the_tiles_and_goes_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = random_pipeline()
    x = make_photo(200, 600, 4)
    expected = pipeline(x, tile=100_000).image
    true, failures, areas = VDIR.restore, [], []

    def limited(self: VDIR, y: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        area = y.shape[2] * y.shape[3]
        if area > 100_000:
            failures.append(area)
            raise error
        areas.append(area)
        return true(self, y, c)

    monkeypatch.setattr(VDIR, "restore", limited)
    np.testing.assert_array_equal(pipeline(x, tile=100_000).image, expected)
    assert len(failures) == 1
    assert len(areas) > 1


def test_no_memory_at_all_and_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = random_pipeline()

    def fails(self: VDIR, y: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        raise problem

    monkeypatch.setattr(VDIR, "restore", fails)
    problem: Exception = MemoryError()
    with pytest.raises(UndegradeError, match="not enough memory"):
        pipeline(make_photo(420, 700, 4))
    problem = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        pipeline(make_photo(42, 70, 4))


def test_a_budget_of_memory_chooses_the_tile() -> None:
    pipeline = random_pipeline()
    x = make_photo(300, 500, 6)
    sizes = []
    true = pipeline.engine.restore
    pipeline.engine.restore = lambda y, c: sizes.append(y.shape[2] * y.shape[3]) or true(y, c)  # type: ignore[func-returns-value,method-assign]
    np.testing.assert_array_equal(pipeline(x, memory=5e7).image, pipeline(x, memory=1e9).image)
    budget = 5e7 / pipeline.engine.bytes_per_pixel
    assert max(sizes[:-1]) <= budget < sizes[-1]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"strength": -0.1}, "strength of -0.1"),
        ({"strength": 5}, "0 to 4"),
        ({"strength": float("nan")}, "strength of nan"),
        ({"level": -3}, "level of -3"),
        ({"level": float("inf")}, "level of inf"),
        ({"samples": 1}, "at least 2"),
        ({"samples": -1}, "at least 2"),
        ({"samples": 4, "self_ensemble": True}, "choose one"),
    ],
)
def test_options_that_make_no_sense(shipped: Pipeline, options: dict[str, Any], what: str) -> None:
    with pytest.raises(UndegradeError, match=what):
        shipped(np.zeros((8, 8, 3), np.float32), **options)


def test_enlarging_has_no_strength() -> None:
    pipeline = Pipeline(VDIR(Architecture(scale=2, params=3)), TASKS["sr-x2"])
    with pytest.raises(UndegradeError, match="has no strength"):
        pipeline(np.zeros((8, 8, 3), np.float32), strength=0.5)


def test_noise_belongs_to_its_place() -> None:
    whole = latent_noise(3, 1, (0, 150), (0, 90))
    np.testing.assert_array_equal(latent_noise(3, 1, (37, 140), (60, 71)), whole[:, :, 37:140, 60:71])
    assert abs(whole.mean()) < 0.02
    assert whole.std() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(latent_noise(3, 2, (0, 150), (0, 90)), whole)
    assert not np.array_equal(whole[:, :, :64, :26], whole[:, :, 64:128, :26])


def test_the_estimates_spread_is_in_its_units(shipped: Pipeline, noisy: np.ndarray) -> None:
    found = shipped.estimate_map(noisy)
    estimate, spread = found.estimate, found.spread
    found = shipped(noisy)
    np.testing.assert_array_equal(found.spread, spread)
    np.testing.assert_array_equal(found.estimate, estimate)
    assert 0.01 < spread[0] < 15


def test_a_jpeg_quality_is_read_where_the_posterior_is_surest() -> None:
    seen = Estimates(1, np.empty((40, 40, 3), np.uint8))
    seen.drawn[:], seen.spread[:] = 0.5, 0.2  # flat places: anything
    seen.drawn[0, :2], seen.spread[0, :2] = 0.3, 0.1  # the surest fifth
    estimate, spread = seen.in_units(TASKS["jpeg"].degradation.quantity)
    assert estimate.tolist() == [pytest.approx(30)]
    assert spread.tolist() == [pytest.approx(18)]
    assert seen.in_units(TASKS["gaussian"].degradation.quantity)[0].tolist() == [pytest.approx(127.5)]  # everywhere
