"""An enlarged picture stays where it is."""

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.inference.models import image, pipeline
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.inference.load import load_pipeline
from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, shipped_cards


def enlarger(scale: int) -> Pipeline:
    """A super-resolver that has learned nothing: the interpolation that its residual is added to."""
    model = pipeline(Architecture(params=3, scale=scale, restorer="fast"), f"sr-x{scale}")
    model.engine.model.restorer.get_parameter("tail.weight").data.zero_()
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
