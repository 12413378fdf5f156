"""Sizes that the paper and the issue of record state."""

import pytest
import torch

from undegrade.model.architecture import Architecture
from undegrade.model.autoencoder import Decoder, Encoder, Estimator
from undegrade.model.discriminator import Discriminator
from undegrade.model.restorer import Restorer
from undegrade.model.vdir import VDIR
from undegrade.tasks.recipe import PAPER
from undegrade.train.flops import flops_per_step, multiply_adds_per_pixel
from undegrade.weights.card import MAX_BYTES


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_encoder_and_restorer_have_the_papers_2_2_million_parameters():
    assert count(Encoder(3)) == 154_120
    assert count(Restorer(3)) == 2_073_795
    assert count(Encoder(3)) + count(Restorer(3)) == 2_227_915


def test_fast_variant_is_a_million_parameters_and_ten_times_cheaper():
    fast, full = Architecture(restorer="fast"), Architecture()
    model = VDIR(fast)
    assert count(model.encoder) + count(model.restorer) == 1_008_820
    assert multiply_adds_per_pixel(fast) <= 250_000
    assert 2.05e6 < multiply_adds_per_pixel(full) < 2.15e6


def test_wide_variant_is_within_its_budget_and_costs_what_it_says():
    wide = Architecture(restorer="wide")
    model = VDIR(wide)
    assert count(model.encoder) + count(model.restorer) == 2_124_436 <= 2_300_000
    assert multiply_adds_per_pixel(wide) == pytest.approx(0.295e6, rel=0.003)
    assert multiply_adds_per_pixel(wide) <= 300_000
    assert multiply_adds_per_pixel(wide) > multiply_adds_per_pixel(Architecture(restorer="fast")) * 1.2
    header = 100 * len(model.state_dict())  # safetensors' own words about each tensor
    assert 2 * count(model) + header < MAX_BYTES


@pytest.mark.parametrize(("scale", "parameters", "per_input"), [(2, 1_039_960, 0.246e6), (4, 1_164_520, 0.278e6)])
def test_fast_super_resolvers_cost_what_they_say(scale, parameters, per_input):
    fast = Architecture(scale=scale, params=3, restorer="fast")
    model = VDIR(fast)
    assert count(model.encoder) + count(model.restorer) == parameters
    assert multiply_adds_per_pixel(fast) == pytest.approx(per_input, rel=0.003)


@pytest.mark.parametrize(("scale", "parameters", "per_input"), [(2, 2_155_576, 0.303e6), (4, 2_280_136, 0.334e6)])
def test_wide_super_resolvers_cost_what_they_say(scale, parameters, per_input):
    wide = Architecture(scale=scale, params=3, restorer="wide")
    model = VDIR(wide)
    assert count(model.encoder) + count(model.restorer) == parameters
    assert multiply_adds_per_pixel(wide) == pytest.approx(per_input, rel=0.003)


@pytest.mark.parametrize("scale", [2, 4])
def test_super_resolvers_stay_within_the_papers_size_and_can_be_shipped(scale):
    for restorer, least, most in (("full", 2.2e6, 2.5e6), ("wide", 2.1e6, 2.3e6), ("fast", 0.5e6, 1.2e6)):
        model = VDIR(Architecture(scale=scale, params=3, restorer=restorer))
        assert least < count(model.encoder) + count(model.restorer) < most
        header = 100 * len(model.state_dict())  # safetensors' own words about each tensor
        assert 2 * count(model) + header < MAX_BYTES


def test_decoder_mirrors_the_encoder_and_the_estimator_is_two_convolutions():
    convs = [m for m in Decoder(3).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64] * 5 + [3]
    assert len([m for m in Estimator(1).modules() if isinstance(m, torch.nn.Conv2d)]) == 2


def test_discriminator_is_ten_convolutions_and_one_for_the_logits():
    convs = [m for m in Discriminator(3).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64, 64, 128, 128, 256, 256, 512, 512, 512, 512, 1]
    assert [c.stride[0] for c in convs] == [1, 2] * 5 + [1]


def test_a_papers_iteration_costs_what_its_layers_add_up_to():
    # 16 patches of 96x96; restorer, encoder, decoder and estimator at 2 FLOP per multiply-add, three passes each.
    pixels = 16 * 96 * 96
    generator = multiply_adds_per_pixel(Architecture()) + (2304 + 2 * 36864) / 16 + 2 * 36864 / 4 + 1728 + 2880 / 16
    full = flops_per_step(Architecture(), PAPER)
    assert 3 * 2 * generator * pixels < full < 3 * 2 * generator * pixels * 1.6
