"""Work in tiles equals work on the whole image bit for bit, also after memory ran out."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.inference.models import WHOLE, image, pipeline
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.tiles import AREA, Tile, slices
from undegrade.inference.tiling import largest_side, over_tiles
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_windows_take_as_much_memory_at_every_scale_and_are_mostly_tile(scale: int) -> None:
    engine = TorchEngine(VDIR(Architecture(params=3, scale=scale, restorer="fast")))
    restorer = RESTORERS["fast"]
    tile = largest_side(engine, RestoreOptions())
    window = tile + 2 * engine.reaches.restore
    budget = (restorer.tile + 2 * engine.networks.restore) ** 2 * restorer.bytes_per_pixel
    assert window**2 * engine.bytes_per_pixel == pytest.approx(budget, rel=0.05)
    assert window**2 >= AREA  # else it would be computed larger than it is asked for
    assert window**2 < 1.5 * tile**2


@pytest.mark.parametrize(("h", "w", "side"), [(293, 301, 230), (301, 292, 153), (40, 2203, 1111), (2300, 37, 1200)])
def test_tiles_equal_the_whole_image_bit_for_bit(fast: Pipeline, h: int, w: int, side: int) -> None:
    y = image(h, w, 3)
    whole, tiled = fast(y, tile=WHOLE), fast(y, tile=side)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("side", [204, 512])
def test_tiles_of_a_larger_image_with_one_and_two_threads(fast: Pipeline, side: int) -> None:
    y = image(401, 517, 3)
    np.testing.assert_array_equal(fast(y, tile=side).image, fast(y, tile=WHOLE).image)


def test_tiles_of_a_grey_model() -> None:
    model = pipeline(Architecture(channels=1, restorer="fast"), "jpeg-y")
    y = image(30, 2900)
    np.testing.assert_array_equal(model(y, tile=1500).image, model(y, tile=WHOLE).image)


@pytest.mark.slow
def test_tiles_of_the_full_model() -> None:
    model = pipeline(Architecture())
    y = image(90, 1041, 3)
    np.testing.assert_array_equal(model(y, tile=640).image, model(y, tile=WHOLE).image)


FULL = pytest.param("full", marks=pytest.mark.slow)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("restorer", ["fast", FULL])
def test_tiles_when_enlarging(restorer: str, scale: int, direct: bool) -> None:
    model = pipeline(Architecture(params=3, scale=scale, restorer=restorer), f"sr-x{scale}")
    y = image(24, 3500, 3)[:, :3470]
    whole, tiled = (model(y, tile=side, direct=direct) for side in (WHOLE, 1800))
    assert tiled.image.shape == (24 * scale, 3470 * scale, 3)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


@pytest.mark.slow
def test_tiles_with_self_ensemble(fast: Pipeline) -> None:
    y = image(19, 4500, 3)
    whole, tiled = fast(y, self_ensemble=True, tile=WHOLE), fast(y, self_ensemble=True, tile=2500)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


@pytest.mark.parametrize("options", [{"strength": 0.6}, {"strength": 1.4, "samples": 2}, {"level": 20.0}])
def test_tiles_stay_exact_whatever_the_options(options: dict[str, Any]) -> None:
    model = pipeline()
    x = make_photo(96, 1100, 5).astype(np.float32) / 255
    whole, tiled = model(x, tile=100_000, **options), model(x, tile=560, **options)
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-6)
    if options.get("samples"):
        np.testing.assert_allclose(tiled.std, whole.std, atol=1e-6)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)
    np.testing.assert_array_equal(tiled.spread, whole.spread)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")])
def test_running_out_of_memory_halves_the_tiles_and_goes_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pipeline()
    x = make_photo(200, 600, 4)
    expected = model(x, tile=100_000).image
    true, failures, areas = VDIR.restore, [], []

    def limited(self: VDIR, y: torch.Tensor, c: torch.Tensor, part: None) -> torch.Tensor:
        area = y.shape[2] * y.shape[3]
        if area > 100_000:
            failures.append(area)
            raise error
        areas.append(area)
        return true(self, y, c)

    monkeypatch.setattr(VDIR, "restore", limited)
    np.testing.assert_array_equal(model(x, tile=100_000).image, expected)
    assert len(failures) == 1
    assert len(areas) > 1


def test_no_memory_at_all_and_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = pipeline()

    def fails(self: VDIR, y: torch.Tensor, c: torch.Tensor, part: None) -> torch.Tensor:
        raise problem

    monkeypatch.setattr(VDIR, "restore", fails)
    problem: Exception = MemoryError()
    with pytest.raises(UndegradeError, match="not enough memory"):
        model(make_photo(420, 700, 4))
    problem = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        model(make_photo(42, 70, 4))


@pytest.mark.parametrize("budget", [200_000, 120_000])
def test_whenever_memory_runs_out_every_pixel_is_worked_on_once(budget: int) -> None:
    """Memory that shrinks on the way: tiles that are done stay done, the others become smaller."""
    x = image(900, 1100, 3)
    done = np.zeros(x.shape[:2], int)
    windows: list[int] = []
    failed = 0

    def work(cut: Tile, window: np.ndarray) -> None:
        nonlocal failed
        np.testing.assert_array_equal(window, x[cut.rows.low : cut.rows.high, cut.columns.low : cut.columns.high])
        # The first tiles find more memory than those that follow.
        if window[..., 0].size > (10**9 if len(windows) < 2 else budget):
            failed += 1
            raise MemoryError
        windows.append(window[..., 0].size)
        done[slices(cut, 1)] += 1

    over_tiles(x, 512, 48, pipeline().engine, work)
    assert (done == 1).all()
    assert failed > 0
    assert max(windows[2:]) <= budget < min(windows[:2])


def test_an_error_that_is_not_about_memory_is_not_tried_again() -> None:
    calls = []

    def work(cut: Tile, window: np.ndarray) -> None:
        calls.append(cut)
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        over_tiles(image(700, 700, 3), 512, 48, pipeline().engine, work)
    assert len(calls) == 1
