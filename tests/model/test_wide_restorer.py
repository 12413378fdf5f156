"""The wide restorer: the fast one's function plus levels that start as nothing and learn at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.conftest import TINY
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import GaussianNoise
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.tiles import AREA
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.vdir import VDIR
from undegrade.model.wide_restorer import LEVELS, WideRestorer
from undegrade.tasks import TASKS
from undegrade.train.trainer import Trainer
from undegrade.weights.card import load_weights

FAST, WIDE = Architecture(restorer="fast"), Architecture(restorer="wide")
WHOLE = 100_000
"""A tile no image here exceeds."""


def make(architecture: Architecture = WIDE, seed: int = 0) -> VDIR:
    """A model whose levels add something: their last convolutions are no longer zero."""
    torch.manual_seed(seed)
    model = VDIR(architecture).eval()
    with torch.no_grad():
        for name, p in model.restorer.named_parameters():
            if name.endswith("last.weight"):
                torch.nn.init.kaiming_normal_(p)
            if name == "tail.weight":
                p.mul_(3)  # otherwise y + a tiny residual would hide differences
    return model


@pytest.mark.parametrize("conditioning", Conditioning)
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (5, 2), (13, 27), (40, 37)])
def test_with_fresh_levels_it_is_the_fast_restorer_bit_for_bit(conditioning, scale, size):
    torch.manual_seed(0)
    fast = VDIR(replace(FAST, scale=scale, conditioning=conditioning)).eval()
    wide = VDIR(replace(WIDE, scale=scale, conditioning=conditioning)).eval()
    missing, unknown = wide.load_state_dict(fast.state_dict(), strict=False)
    assert not unknown
    assert {name.split(".")[1] for name in missing} == {"level"}
    y = torch.rand(2, 3, *size)
    assert torch.equal(wide(y), fast(y))


def test_another_level_within_leaves_the_function_unchanged():
    torch.manual_seed(0)
    shallow, deep = WideRestorer(3, levels=LEVELS[:1]), WideRestorer(3, levels=(*LEVELS, (64, 1, 0)))
    with torch.no_grad():
        torch.nn.init.normal_(shallow.level.last.weight, std=0.1)
    missing, unknown = deep.load_state_dict(shallow.state_dict(), strict=False)
    assert not unknown
    assert {name.split(".")[1] for name in missing} == {"level"}
    y, c = torch.rand(1, 3, 31, 22), torch.rand(1, 4, 8, 6)
    assert torch.equal(deep(y, c), shallow(y, c))
    assert (shallow.stride, deep.stride) == (4, 16)
    with torch.no_grad():
        deep.level.level.last.weight += 0.1
    assert not torch.equal(deep(y, c), shallow(y, c))


def test_training_grows_it_from_fast_weights_and_every_tensor_learns_by_muon_at_once(
    images: TrainingImages, headless: Path
):
    recipe = replace(TINY, muon=True, lambda_adv=0.0, ema=0.0, warmup=0, steps=8, freeze_latent_from=0)
    fast, _ = load_weights(headless)
    wide = Trainer(WIDE, Synthetic(images, GaussianNoise((50, 50))), recipe)
    assert wide.start_from(fast) == len(fast.state_dict())
    fast.to(memory_format=torch.channels_last)  # as in training
    y = torch.rand(1, 3, 23, 24)
    assert torch.equal(wide.model(y), fast(y))
    before = {k: v.clone() for k, v in wide.model.restorer.state_dict().items()}
    for _ in range(4):  # the level within moves once the level around it does, whose last layer moves first
        assert torch.isfinite(wide.step()[0])
    for name, value in wide.model.restorer.state_dict().items():
        assert not torch.equal(value, before[name]), name
    # An update by Muon or Adam is of the size of the rate, however small the gradient.
    assert wide.model.restorer.level.last.weight.abs().mean() > 0.5 * TINY.lr
    inside = wide.model.restorer.level.before[0].conv1.weight - before["level.before.0.conv1.weight"]
    assert inside.square().mean().sqrt() > 0.2 * TINY.lr


def test_the_condition_reaches_the_level_and_nothing_does_without():
    model = make()
    y, c = torch.rand(1, 3, 16, 16), torch.rand(1, 4, 4, 4)
    h = torch.rand(1, 96, 8, 8)
    assert not torch.equal(model.restorer.level(h, c), model.restorer.level(h, c + 1))
    alone = make(replace(WIDE, conditioning=Conditioning.NONE))
    assert torch.equal(alone.restore(y, c), alone.restore(y, c + 1))


@pytest.mark.parametrize(("conditioning", "of_the_latent"), [(Conditioning.NONE, 0), (Conditioning.LATENT, 22 - 3)])
def test_reach_is_exact(conditioning, of_the_latent):
    """By gradients, at every phase of the coarsest grid; within a cell of 8 the latent's cell of 4 counts once."""
    model = make(replace(WIDE, channels=1, conditioning=conditioning)).double()
    for p in model.parameters():  # positive weights: no path is cut by a ReLU or by cancellation
        p.data = p.data.abs() + 1e-3
    reach = model.restorer.reach + of_the_latent
    assert reach <= model.reach
    y = torch.rand(1, 1, 12, 2 * reach + 40, dtype=torch.float64, requires_grad=True)
    row = model(y)[0, 0, 6]
    farthest = 0
    for place in range(reach + 16, reach + 24):
        (gradient,) = torch.autograd.grad(row[place], y, retain_graph=True)
        columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
        farthest = max(farthest, place - int(columns.min()), int(columns.max()) - place)
    assert farthest == reach


@pytest.mark.parametrize(("h", "w", "side"), [(301, 293, 230), (24, 3467, 1800), pytest.param(
    699, 603, 320, marks=pytest.mark.slow)])  # fmt: skip
def test_tiles_equal_the_whole_image_bit_for_bit(h: int, w: int, side: int):
    model = Pipeline(TorchEngine(make()), TASKS["gaussian"])
    y = np.random.default_rng(0).random((h, w, 3), np.float32)
    whole, tiled = model(y, tile=WHOLE), model(y, tile=side)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)
    assert np.abs(whole.image - y).mean() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 4])
def test_tiles_when_enlarging(scale: int):
    model = Pipeline(TorchEngine(make(replace(WIDE, scale=scale, params=3))), TASKS[f"sr-x{scale}"])
    y = np.random.default_rng(0).random((24, 3470, 3), np.float32)
    whole, tiled = (model(y, tile=side).image for side in (WHOLE, 1800))
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize(
    "fields", [{}, {"conditioning": Conditioning.NONE}, {"conditioning": Conditioning.ESTIMATE}, {"channels": 1}]
)
def test_no_convolution_has_so_small_an_input_that_another_algorithm_would_do_it(fields):
    """Up to 20,480 elements; a window has AREA pixels at least."""
    with torch.device("meta"):
        model = VDIR(replace(WIDE, **fields))
        sizes: list[int] = []
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].numel()))
        side = int(AREA**0.5)
        y = torch.empty(1, model.architecture.channels, side, side)
        c = model.encode(y).mean
        model.restore(y, c)
        model.estimate(c)
    assert min(sizes) > 20_480


def test_a_tile_smaller_than_the_coarsest_cell_becomes_that_cell():
    model = Pipeline(TorchEngine(make()), TASKS["gaussian"])
    y = np.random.default_rng(0).random((24, 20, 3), np.float32)
    np.testing.assert_array_equal(model(y, tile=5).image, model(y).image)
