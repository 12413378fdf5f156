"""Arrays: tiles equal the whole image bit for bit, every type comes back as it went in."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import transformed
from undegrade.inference.load import load_pipeline, restore
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.tiles import AREA, tiles
from undegrade.model.architecture import Architecture
from undegrade.model.latent_noise import latent_noise
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, find_weights, load_weights, shipped_cards

FAST = Architecture(restorer="fast")
WHOLE = 100_000
"""A tile no image here exceeds."""


def pipeline(architecture: Architecture = FAST, task: str = "gaussian") -> Pipeline:
    torch.manual_seed(0)
    model = VDIR(architecture)
    with torch.no_grad():
        # Undo the damped start of the last layer: otherwise y + a tiny residual would hide differences.
        model.restorer.get_parameter("tail.weight").mul_(3)
    return Pipeline(model, TASKS[task])


@pytest.fixture(scope="module")
def fast() -> Pipeline:
    return pipeline()


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


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


def test_the_whole_image_is_what_the_model_says(fast: Pipeline) -> None:
    y = image(37, 50, 3)
    tensor = torch.from_numpy(y).permute(2, 0, 1)[None]
    expected = fast.model(tensor)[0].permute(1, 2, 0).detach()
    np.testing.assert_allclose(fast(y).image, expected.numpy(), rtol=0, atol=1e-5)
    scale = TASKS["gaussian"].degradation.quantity.scale
    posterior = fast.model.encode(tensor)
    at_mean = fast.model.estimate(posterior.mean).detach().numpy()
    np.testing.assert_allclose(fast.estimate_map(y).map, at_mean[0] * scale, rtol=1e-4, atol=1e-4)
    noises = (torch.from_numpy(latent_noise(0, n, (0, 10), (0, 13))) for n in range(4))
    drawn = np.mean([fast.model.estimate(posterior.at(noise)).detach().numpy() for noise in noises], axis=0)
    np.testing.assert_allclose(fast.estimate(y), np.median(drawn, axis=(0, 2, 3)) * scale, rtol=1e-4)


def test_self_ensemble_is_the_mean_over_eight_transforms(fast: Pipeline) -> None:
    y = image(21, 34, 3)
    total = np.zeros(y.shape)
    for turns in range(4):
        for flipped in (False, True):
            x = np.rot90(y, turns)
            x = x[:, ::-1] if flipped else x
            answer = fast(np.ascontiguousarray(x)).image
            answer = answer[:, ::-1] if flipped else answer
            total += np.rot90(answer, -turns)
    np.testing.assert_allclose(fast(y, self_ensemble=True).image, total / 8, rtol=0, atol=1e-6)


def test_the_eight_transforms_differ_and_the_first_is_the_identity() -> None:
    x = image(4, 4, 1)
    assert np.array_equal(transformed(x, 0), x)
    assert len({transformed(x, i).tobytes() for i in range(8)}) == 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(19, 30), (19, 30, 1), (19, 30, 3)])
def test_the_same_kind_of_array_comes_back(fast: Pipeline, dtype: type, shape: tuple[int, ...]) -> None:
    y = image(*shape)
    peak = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    given = (y * peak).astype(dtype)
    before = given.copy()
    found = fast(given).image
    assert (found.shape, found.dtype) == (shape, dtype)
    np.testing.assert_array_equal(given, before)
    expected = fast((given / peak).astype(np.float32)).image
    if peak > 1:
        expected = expected.clip(0, 1)
    step = {np.uint8: 0.5 / 255, np.uint16: 0.5 / 65535, np.float16: 2e-3}.get(dtype, 0)
    np.testing.assert_allclose(found.astype(np.float64) / peak, expected, rtol=0, atol=step + 1e-5)


def test_an_untouched_image_survives_the_conversions() -> None:
    model = pipeline()
    with torch.no_grad():
        model.model.restorer.get_parameter("tail.weight").data.zero_()
    for dtype in (np.uint8, np.uint16):
        y = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 50, 3), dtype, endpoint=True)
        np.testing.assert_array_equal(model(y).image, y)
        np.testing.assert_array_equal(model(y, self_ensemble=True).image, y)


def test_values_outside_the_range_are_kept() -> None:
    model = pipeline()
    with torch.no_grad():
        model.model.restorer.get_parameter("tail.weight").data.zero_()
    y = image(12, 12, 3) * 5 - 2
    np.testing.assert_array_equal(model(y).image, y)


def test_unusual_memory_layouts(fast: Pipeline) -> None:
    y = image(20, 24, 3)
    expected = fast(y).image
    np.testing.assert_array_equal(fast(np.asfortranarray(y)).image, expected)
    np.testing.assert_array_equal(fast(y[::-1].copy()[::-1]).image, expected)
    np.testing.assert_array_equal(fast(y.astype(">f4")).image, expected)


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


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 7), (2, 3), (5, 1), (3, 4)])
@pytest.mark.parametrize(
    "architecture",
    [FAST, Architecture(), Architecture(params=3, scale=4), Architecture(params=3, scale=2, restorer="fast")],
)
def test_tiny_images(architecture: Architecture, h: int, w: int) -> None:
    model = pipeline(architecture, "gaussian" if architecture.scale == 1 else f"sr-x{architecture.scale}")
    found = model(image(h, w, 3), self_ensemble=True)
    assert found.image.shape == (h * architecture.scale, w * architecture.scale, 3)
    assert np.isfinite(found.image).all()
    assert found.estimate is not None
    assert np.isfinite(found.estimate).all()


def test_estimating_alone_gives_the_same_numbers(fast: Pipeline) -> None:
    y = image(60, 70, 3)
    np.testing.assert_array_equal(fast.estimate(y), fast(y).estimate)
    np.testing.assert_array_equal(fast.estimate(y, tile=32), fast(y, self_ensemble=True).estimate)


def test_weights_without_a_trained_estimator() -> None:
    task = TASKS["real"]
    _, card = load_weights(find_weights("gaussian", ["fast"]))
    untrained = replace(card, task="real", recipe={**card.recipe, "lambda_est": 0.0})
    model = Pipeline(VDIR(task.variants["fast"]), task, card=untrained)
    assert Pipeline(VDIR(task.variants["fast"]), task).quantity is not None
    assert model(image(8, 8)).estimate is None
    with pytest.raises(UndegradeError, match="no estimate"):
        model.estimate(image(8, 8))


def test_progress_ends_at_one(fast: Pipeline) -> None:
    seen: list[float] = []
    fast(image(30, 50), tile=16, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) == 8
    assert seen[-1] == 1


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ([[0.0]], "numpy array"),
        (np.zeros((2, 2), np.int32), "int32"),
        (np.zeros((2, 2), bool), "bool"),
        (np.zeros((2, 2), np.complex64), "complex64"),
        (np.zeros(3), "(3,)"),
        (np.zeros((2, 2, 4)), "(2, 2, 4)"),
        (np.zeros((1, 2, 2, 4)), "(1, 2, 2, 4)"),
        (np.zeros((1, 1, 2, 2, 3)), "(1, 1, 2, 2, 3)"),
        (torch.zeros(2, 2, 3), "1 or 3, H, W"),
        (torch.zeros(2, 2, dtype=torch.int32), "int32"),
        (np.zeros((0, 4, 3)), "empty"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "infinity"),
    ],
)
def test_what_is_no_image(fast: Pipeline, bad: np.ndarray, what: str) -> None:
    with pytest.raises(UndegradeError) as error:
        fast(bad)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_arguments(fast: Pipeline) -> None:
    with pytest.raises(UndegradeError, match="tile of 3"):
        fast(image(8, 8), tile=3)
    with pytest.raises(UndegradeError, match="no task 'gausian'"):
        restore(image(8, 8), "gausian")
    with pytest.raises(UndegradeError, match="no variant 'small'"):
        load_pipeline("gaussian", "small")
    with pytest.raises(UndegradeError, match="'nowhere'"):
        Pipeline(VDIR(FAST), TASKS["gaussian"], "nowhere")
    enlarging = Pipeline(VDIR(Architecture(channels=1, params=3, scale=2)), TASKS["sr-x2"])
    with pytest.raises(UndegradeError, match="grey"):
        enlarging(image(8, 8, 3))


@pytest.mark.parametrize(("h", "w"), [(1, 1), (300, 1000), (513, 5), (2, 100_000)])
@pytest.mark.parametrize("side", [4, 64, 512])
@pytest.mark.parametrize(("halo", "stride"), [(48, 4), (80, 4), (120, 8)])
def test_tiles_cover_once_on_the_grid_with_enough_around(h: int, w: int, side: int, halo: int, stride: int) -> None:
    side = max(side, stride)
    covered = np.zeros((h, w), int)
    for rows, columns in tiles(h, w, side, halo, stride):
        covered[rows.start : rows.stop, columns.start : columns.stop] += 1
        for span, length in ((rows, h), (columns, w)):
            assert span.stop - span.start <= side
            assert span.start % stride == 0
            assert span.low % stride == 0
            assert span.low == 0 or span.start - span.low >= halo
            assert span.high == length or (span.high - span.stop >= halo and span.high % stride == 0)
        assert (rows.high - rows.low) * (columns.high - columns.low) >= min(AREA, h * w)
    assert (covered == 1).all()


def enlarger(scale: int) -> Pipeline:
    """A super-resolver that has learned nothing: the interpolation that its residual is added to."""
    model = pipeline(Architecture(params=3, scale=scale, restorer="fast"), f"sr-x{scale}")
    model.model.restorer.get_parameter("tail.weight").data.zero_()
    return model


def centroid(plane: np.ndarray) -> tuple[float, float]:
    weights = plane.astype(np.float64)
    rows, columns = np.indices(plane.shape)
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())


def bicubic(y: np.ndarray, scale: int) -> np.ndarray:
    size = (y.shape[1] * scale, y.shape[0] * scale)
    return np.asarray(Pillow.fromarray(y).resize(size, Pillow.Resampling.BICUBIC))


def shift(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By how many (rows, columns) a lies further down and right than b, by least squares on b's slopes."""
    slopes = np.stack([g.ravel() for g in np.gradient(b)], 1)
    found: np.ndarray = -np.linalg.lstsq(slopes, (a - b).ravel(), rcond=None)[0]
    return found


@pytest.mark.parametrize("scale", [2, 4])
def test_an_enlarged_file_stays_where_it_is(scale: int) -> None:
    model = enlarger(scale)
    rows, columns = np.indices((30, 40))
    y = np.exp(-((rows - 13.3) ** 2 + (columns - 20.8) ** 2) / 18).astype(np.float32)
    found, plain = model(y).image, bicubic(y, scale)
    assert found.shape == plain.shape
    np.testing.assert_allclose(centroid(found), centroid(plain), atol=0.05)
    np.testing.assert_allclose(shift(found, plain), 0, atol=0.05)
    assert np.abs(found - plain).max() < 0.02
    # Of an image that was decimated directly the result lies (s - 1) / 2 pixels further up and left.
    moved = model(y, direct=True).image
    np.testing.assert_allclose(shift(moved[4:-4, 4:-4], found[4:-4, 4:-4]), -(scale - 1) / 2, atol=0.1)
    np.testing.assert_allclose(moved[::scale, ::scale], y, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_self_ensemble_of_an_enlarged_file_stays_where_it_is(scale: int) -> None:
    model = enlarger(scale)
    rows, columns = np.indices((30, 40))
    y = np.exp(-((rows - 13.3) ** 2 + (columns - 20.8) ** 2) / 18).astype(np.float32)
    np.testing.assert_allclose(shift(model(y, self_ensemble=True).image, bicubic(y, scale)), 0, atol=0.05)
    with pytest.raises(UndegradeError, match="flip moves the grid"):
        model(y, direct=True, self_ensemble=True)


SUPER_RESOLVERS = [card for card in shipped_cards() if TASKS[card.task].degradation.scale > 1]


@pytest.mark.parametrize("card", SUPER_RESOLVERS, ids=lambda card: card.name)
def test_trained_super_resolvers_keep_files_where_they_are(card: Card) -> None:
    model = load_pipeline(card.task, card.variant, device="cpu")
    y = make_photo(96, 128, seed=3)
    found, plain = (
        x.astype(np.float64).mean(axis=2)[8:-8, 8:-8]
        for x in (model(y).image, bicubic(y, model.task.degradation.scale))
    )
    np.testing.assert_allclose(shift(found, plain), 0, atol=0.1)


def test_scale_1_has_one_grid(fast: Pipeline) -> None:
    y = image(20, 24, 3)
    np.testing.assert_array_equal(fast(y, direct=True).image, fast(y).image)
    np.testing.assert_array_equal(fast.estimate(y, direct=True), fast.estimate(y))
