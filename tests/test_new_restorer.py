"""A new restorer takes one file, which is this one down to TOY, and its line in ``RESTORERS``."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.extending import add_entry
from tests.pictures import make_photo
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import GaussianNoise
from undegrade.export.model_card import page
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.autoencoder import resize_latent
from undegrade.model.blocks import conv3x3
from undegrade.model.description import RestorerDescription
from undegrade.model.latent import LATENT_STRIDE
from undegrade.model.restorer_module import RestorerModule
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.tasks.recipe import SHORT
from undegrade.train.flops import flops_per_step, multiply_adds_per_pixel
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer
from undegrade.weights.card import Card, load_weights, save_weights

FILTERS = 8


class Toy(RestorerModule):
    """xhat = y + conv(relu(conv(y ++ c))): two convolutions at the same size."""

    reach = 2
    filters = FILTERS

    def __init__(self, channels: int, scale: int, cond_channels: int) -> None:
        super().__init__()
        self.cond_channels = cond_channels
        self.head = conv3x3(channels + cond_channels, FILTERS, relu=True)
        self.tail = conv3x3(FILTERS, channels)

    def features(self, y: Tensor, c: Tensor) -> Tensor:
        given = y
        if self.cond_channels:
            given = torch.cat((y, resize_latent(c, LATENT_STRIDE, (y.shape[-2], y.shape[-1]))), 1)
        return torch.relu(self.head(given))

    def image(self, y: Tensor, h: Tensor) -> Tensor:
        out: Tensor = y + self.tail(h)
        return out


TOY = RestorerDescription("toy", "two convolutions at the same size", Toy, scales=(1,), bytes_per_pixel=200)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """TOY stands in ``RESTORERS``."""
    add_entry(monkeypatch, "RESTORERS", TOY)


def model(conditioning: Conditioning = Conditioning.LATENT) -> VDIR:
    torch.manual_seed(0)
    return VDIR(Architecture(restorer="toy", conditioning=conditioning))


def test_it_can_be_asked_for_by_its_name_and_only_for_what_it_can_do() -> None:
    with pytest.raises(ValueError, match="the toy restorer works at scale 1, got 2"):
        Architecture(restorer="toy", scale=2)
    architecture = Architecture(restorer="toy", channels=1)
    assert Architecture.from_dict(architecture.to_dict()) == architecture
    with pytest.raises(ValueError, match="only full, fast, wide, ffdnet, toy"):
        Architecture(restorer="other")


@pytest.mark.parametrize("conditioning", Conditioning)
def test_it_is_built_with_every_conditioning(conditioning: Conditioning) -> None:
    network = model(conditioning)
    y = torch.rand(1, 3, 9, 14)
    c = network.encode(y).mean
    assert network(y).shape == y.shape
    assert torch.equal(network(y, c), network(y, c + 1)) is (conditioning is Conditioning.NONE)


def test_its_tiles_are_exact() -> None:
    pipeline = Pipeline(TorchEngine(model()), TASKS["gaussian"])
    assert pipeline.engine.reaches.both == 24  # the encoder's 22 and its own 2
    y = np.random.default_rng(0).random((310, 900, 3), np.float32)
    whole, tiled = pipeline(y, tile=10_000), pipeline(y, tile=304)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


def test_its_memory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(TorchEngine(model()), TASKS["gaussian"])
    assert pipeline.engine.bytes_per_pixel == 200
    windows = []
    true = VDIR.restore
    monkeypatch.setattr(VDIR, "restore", lambda self, y, c, _: windows.append(y[0, 0].numel()) or true(self, y, c))
    pipeline(make_photo(800, 900, 0), memory=200 * 400_000)
    assert len(windows) > 1
    assert max(windows) <= 400_000


def test_its_weights_come_back_with_their_card(tmp_path) -> None:
    network = model()
    card = Card("gaussian", "toy", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    loaded, found = load_weights(save_weights(network, tmp_path, "mine", card))
    assert loaded.architecture == Architecture(restorer="toy")
    assert found.architecture["restorer"] == "toy"
    torch.testing.assert_close(loaded.restorer.tail.weight, network.restorer.tail.weight.half().float())


def test_the_card_of_its_package_says_what_it_is() -> None:
    """The words stood in a second table, which a new restorer was not in."""
    card = Card("gaussian", "toy", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    text = page("toy", [card], [Architecture(restorer="toy")], [TASKS["gaussian"]], ["model.onnx"], side=768)
    assert "The restorer: two convolutions at the same size." in text


def test_it_trains_and_its_cost_is_counted() -> None:
    recipe = replace(SHORT, steps=3, batch=2, patch=16, warmup=1)
    source = Synthetic(TrainingImages([make_photo(40, 56, 0)]), GaussianNoise((0, 75)), recipe.grey)
    architecture = Architecture(restorer="toy")
    trainer = Trainer(architecture, source, recipe)
    before = trainer.model.restorer.head.weight.clone()
    rows = torch.stack([trainer.step() for _ in range(3)])
    assert torch.isfinite(rows).all()
    assert rows.shape == (3, len(TERMS))
    assert not torch.equal(before, trainer.model.restorer.head.weight)
    assert flops_per_step(architecture, recipe) > 0
    # The latent costs it four more channels in its first convolution.
    alone = replace(architecture, conditioning=Conditioning.NONE)
    assert multiply_adds_per_pixel(architecture) - multiply_adds_per_pixel(alone) == 9 * 4 * FILTERS
