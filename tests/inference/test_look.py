"""One encoding shared by estimate and restoration gives what two give, and is done once."""

from typing import Any

import numpy as np
import pytest

from tests.inference.models import image, pipeline
from undegrade.errors import UndegradeError
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline


class Counting:
    """An engine that counts the windows that it encodes."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.encoded = engine, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def encode(self, y: Any) -> Any:
        self.encoded += 1
        return self._engine.encode(y)


@pytest.fixture
def counting() -> Pipeline:
    found = pipeline()
    found.engine = Counting(found.engine)
    return found


OPTIONS = [
    RestoreOptions(tile=32),
    RestoreOptions(tile=32, samples=2),
    RestoreOptions(tile=32, self_ensemble=True),
    RestoreOptions(tile=32, strength=0.7),
    RestoreOptions(tile=32, strength=0),
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_look_changes_nothing(fast: Pipeline, options: RestoreOptions, channels: int) -> None:
    y = np.repeat(image(50, 70, 1), 3, 2) if channels == 1 else image(50, 70, 3)
    look = fast.look(y, options)
    alone, shared = fast.run(y, options), fast.run(y, options, look=look)
    np.testing.assert_array_equal(shared.image, alone.image)
    np.testing.assert_array_equal(shared.estimate, alone.estimate)
    np.testing.assert_array_equal(shared.spread, alone.spread)
    if options.samples:
        np.testing.assert_array_equal(shared.std, alone.std)


def test_a_look_without_the_spread_is_not_taken_for_samples(fast: Pipeline) -> None:
    y, options = image(50, 70, 3), RestoreOptions(tile=32, samples=2)
    shared, alone = fast.run(y, options, look=fast.look(y, RestoreOptions(tile=32))), fast.run(y, options)
    np.testing.assert_array_equal(shared.std, alone.std)
    assert alone.std.mean() > 0


def test_nothing_is_encoded_twice(counting: Pipeline) -> None:
    y, options, engine = image(50, 70, 3), RestoreOptions(tile=32), counting.engine
    look = counting.look(y, options)
    once = engine.encoded
    counting.run(y, options, look=look)
    assert engine.encoded == once > 0


def test_at_strength_0_the_self_ensemble_encodes_once(counting: Pipeline) -> None:
    y, engine = image(50, 70, 3), counting.engine
    single = counting.run(y, RestoreOptions(tile=32, strength=0))
    once = engine.encoded
    told: list[float] = []
    ensemble = counting.run(y, RestoreOptions(tile=32, strength=0, self_ensemble=True), told.append)
    assert engine.encoded == 2 * once > 0
    np.testing.assert_array_equal(ensemble.image, y)
    np.testing.assert_array_equal(ensemble.estimate, single.estimate)
    assert told[-1] == 1


def test_a_16_bit_image_of_little_range(fast: Pipeline) -> None:
    y = (500 + 3000 * image(40, 48, 3)).astype(np.uint16)
    options = RestoreOptions(tile=32)
    np.testing.assert_array_equal(fast.run(y, options, look=fast.look(y, options)).image, fast.run(y, options).image)


def test_progress_ends_at_one_and_never_goes_back(fast: Pipeline) -> None:
    y, options = image(50, 70, 3), RestoreOptions(tile=32)
    told: list[float] = []
    look = fast.look(y, options, told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    told.clear()
    fast.run(y, options, told.append, look)
    assert told == sorted(told)
    assert told[-1] == 1


def test_the_look_of_another_image_is_refused(fast: Pipeline) -> None:
    look = fast.look(image(50, 70, 3), RestoreOptions())
    with pytest.raises(UndegradeError, match="another image, of 50 x 70"):
        fast.run(image(70, 50, 3), RestoreOptions(), look=look)
    with pytest.raises(UndegradeError, match="single image"):
        fast.look(np.zeros((2, 9, 9, 3), np.float32), RestoreOptions())
