"""A part of a window is the same to the last bit when the last layers are computed of it alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.model.test_wide_restorer import WIDE, make
from undegrade.inference.engine import LEAST_PART, Engine
from undegrade.inference.onnx_engine import OnnxEngine
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.part import Part
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

HEADED = replace(WIDE, scale_head=True)
SIZE = (301, 290)
PARTS = (
    Part((0, 301), (0, 290)),
    Part((88, 168), (96, 200)),
    Part((0, 64), (160, 290)),
    Part((131, 250), (3, 99)),
    Part((296, 301), (288, 290)),
    Part((40, 41), (40, 41)),
)


def engine(name: str, architecture: Architecture = HEADED) -> Engine:
    model = make(architecture).requires_grad_(False)
    if name == "torch":
        return TorchEngine(model)
    return OnnxEngine(architecture, {n: t.numpy() for n, t in model.state_dict().items()}, 1)


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_a_part_is_that_of_the_whole_bit_for_bit(name: str) -> None:
    used = engine(name)
    y = np.random.default_rng(0).random((1, 3, *SIZE), np.float32)
    c = used.encode(y).mean
    whole, scale = used.restore_with_scale(y, c)
    np.testing.assert_array_equal(used.restore(y, c), whole)
    for part in PARTS:
        np.testing.assert_array_equal(used.restore(y, c, part), part.of(whole))
        xhat, b = used.restore_with_scale(y, c, part)
        np.testing.assert_array_equal(xhat, part.of(whole))
        np.testing.assert_array_equal(b, part.of(scale))


def test_a_part_when_enlarging() -> None:
    used = engine("torch", replace(WIDE, scale=2, params=3))
    y = np.random.default_rng(0).random((1, 3, *SIZE), np.float32)
    c = used.encode(y).mean
    whole = used.restore(y, c)
    for part in PARTS[1:4]:
        np.testing.assert_array_equal(used.restore(y, c, part), part.of(whole, 2))


def test_a_part_of_a_window_of_the_fast_restorer_is_cut_from_it() -> None:
    used = TorchEngine(VDIR(Architecture(restorer="fast")).requires_grad_(False))
    y = np.random.default_rng(0).random((1, 3, 40, 50), np.float32)
    c = used.encode(y).mean
    part = Part((3, 20), (30, 50))
    np.testing.assert_array_equal(used.restore(y, c, part), part.of(used.restore(y, c)))


def test_the_last_layers_are_computed_of_the_part_and_little_around_it() -> None:
    used = engine("torch")
    assert isinstance(used, TorchEngine)
    seen: list[torch.Size] = []
    used.model.restorer.get_submodule("tail").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    y = np.random.default_rng(0).random((1, 3, *SIZE), np.float32)
    used.restore(y, used.encode(y).mean, Part((88, 168), (96, 200)))
    assert seen == [torch.Size((1, 96, (80 + 2 * 16) // 2, (104 + 2 * 16) // 2))]
    # So small an input would be convolved by another algorithm, which rounds differently.
    used.restore(y, used.encode(y).mean, Part((0, 8), (0, 8)))
    assert seen[1][-2:] == (151, 145)
    assert 24 / 4 * LEAST_PART > 20_480


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_tiles_of_which_the_last_layers_see_less_equal_the_whole_image(name: str) -> None:
    model = Pipeline(engine(name), TASKS["gaussian"])
    y = np.random.default_rng(0).random((24, 1500, 3), np.float32)
    whole, tiled = model(y, tile=10_000), model(y, tile=400)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(model(y, tile=400, uncertainty=True).scale, model(y, uncertainty=True).scale)


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_a_kept_part_at_another_strength_equals_that_of_the_whole_image(name: str) -> None:
    model = Pipeline(engine(name), TASKS["gaussian"])
    y = np.random.default_rng(0).random((300, 420, 3), np.float32)
    held = model.hold(y, (131, 210), (3, 99))
    np.testing.assert_array_equal(held.restored(0.7), model(y, strength=0.7).image[131:210, 3:99])
