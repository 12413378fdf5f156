"""Options out of range get a sentence."""

import dataclasses
import inspect
import math
from typing import Any

import numpy as np
import pytest

from undegrade.errors import UndegradeError
from undegrade.inference.load import restore
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS


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
        ({"seed": -1}, "seed of -1"),
        ({"tile": 3}, "tile of 3"),
        ({"memory": 0.0}, "above 0"),
        ({"memory": 1e9, "tile": 64}, "one of the two"),
    ],
)
def test_options_that_make_no_sense(fast: Pipeline, options: dict[str, Any], what: str) -> None:
    with pytest.raises(UndegradeError, match=what):
        RestoreOptions(**options)
    with pytest.raises(UndegradeError, match=what):
        fast(np.zeros((8, 8, 3), np.float32), **options)


def test_public_calls_spell_out_every_option_with_its_default() -> None:
    """A new option that one of the two calls forgets would be out of reach."""
    fields = {f.name: f.default for f in dataclasses.fields(RestoreOptions)}
    for call in (Pipeline.__call__, restore):
        parameters = inspect.signature(call).parameters
        if call is restore:  # it returns an image alone
            del fields["uncertainty"]
        assert {name: parameters[name].default for name in fields} == fields


def test_enlarging_has_no_strength() -> None:
    pipeline = Pipeline(TorchEngine(VDIR(Architecture(scale=2, params=3))), TASKS["sr-x2"])
    with pytest.raises(UndegradeError, match="has no strength"):
        pipeline(np.zeros((8, 8, 3), np.float32), strength=0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1}, {"seed": 2**70}, {"seed": 1.5}, {"seed": "0"}, {"memory": math.nan}, {"memory": math.inf},
        {"memory": "1"}, {"tile": 64.5}, {"tile": math.nan}, {"tile": [64]}, {"strength": None}, {"strength": "1"},
        {"strength": math.nan}, {"strength": True}, {"samples": 2.5}, {"self_ensemble": 1}, {"level": "high"},
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_one_sentence(options: dict[str, object]) -> None:
    with pytest.raises(UndegradeError) as error:
        RestoreOptions(**options)
    assert next(iter(options)).replace("_", "-") in str(error.value).replace("_", "-")


def test_whole_floats_and_numpys_numbers_are_taken() -> None:
    options = RestoreOptions(tile=64.0, samples=np.int64(2), strength=np.float32(0.5), seed=3.0)
    assert (options.tile, options.samples, options.strength, options.seed) == (64, 2, 0.5, 3)
    assert type(options.tile) is int
