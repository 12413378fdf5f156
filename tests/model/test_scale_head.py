"""The scale head: its form and cost, and that the restoration does not notice it."""

import math
from dataclasses import replace

import pytest
import torch

from tests.model.networks import make
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.objective import scale_loss
from undegrade.model.restorers import RESTORERS
from undegrade.model.scale_head import LEAST, START
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.train.flops import multiply_adds_per_pixel

FORMS = [{"restorer": name, "scale": scale} for name, d in RESTORERS.items() for scale in d.scales]
ALL = sorted({a for task in TASKS.values() for a in task.variants.values()}, key=repr)


@pytest.mark.parametrize("fields", FORMS, ids=lambda f: f"{f['restorer']}-x{f['scale']}")
@pytest.mark.parametrize("size", [(1, 1), (7, 10), (16, 13)])
def test_the_restoration_is_the_same_to_the_last_bit(fields, size):
    without, model = make(**fields), make(**fields, scale_head=True)
    y = torch.rand(2, 3, *size)
    c = model.encode(y).mean
    xhat, b = model.restore_with_scale(y, c)
    assert torch.equal(xhat, without.restore(y, c))
    assert torch.equal(xhat, model.restore(y, c))
    assert b.shape == (2, 1, *xhat.shape[-2:])
    assert b.min() > LEAST


def test_a_model_without_a_head_says_so():
    y = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match="no scale head"):
        make(restorer="fast").restore_with_scale(y, torch.zeros(1, 4, 2, 2))


def test_a_fresh_head_knows_nothing_and_says_a_usual_error():
    model = make(restorer="fast", scale_head=True)
    _, b = model.restore_with_scale(torch.rand(1, 3, 32, 32), torch.zeros(1, 4, 8, 8))
    assert b.min() > START / 2
    assert b.max() < START * 2


@pytest.mark.parametrize("conditioning", Conditioning)
def test_every_conditioning(conditioning):
    model = make(restorer="fast", scale_head=True, conditioning=conditioning)
    y = torch.rand(1, 3, 12, 12)
    c = model.encode(y).mean
    (_, b), (_, other) = model.restore_with_scale(y, c), model.restore_with_scale(y, c + 1)
    assert torch.equal(b, other) is (conditioning is Conditioning.NONE)


@pytest.mark.parametrize("fields", FORMS, ids=lambda f: f"{f['restorer']}-x{f['scale']}")
def test_the_scale_reads_no_further_than_the_restoration(fields):
    """So that tiles with the restoration's halo are exact for it, too."""
    model = make(channels=1, scale_head=True, **fields)
    for p in model.parameters():  # positive weights: no path is cut by a ReLU or by cancellation
        p.data = p.data.abs() + 1e-3
    centre, each = model.reach + 12, model.restorer.feature_stride
    y = torch.rand(1, 1, 12, 2 * centre, requires_grad=True)
    h = model.restorer.features(y, model.encode(y).mean)
    read = model.scale.conv(h)[0].sum(0)  # the 1x1 convolution that follows reads no neighbours
    farthest = 0
    for place in range(centre // each, centre // each + model.stride // each):  # every phase of the coarsest grid
        (gradient,) = torch.autograd.grad(read[6 // each, place], y, retain_graph=True)
        columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
        farthest = max(farthest, (place + 1) * each - 1 - int(columns.min()), int(columns.max()) - place * each)
    assert model.reach - model.stride < farthest <= model.reach


@pytest.mark.parametrize("architecture", ALL, ids=lambda a: f"{a.restorer}-{a.channels}-x{a.scale}")
def test_it_costs_at_most_3_percent_and_weights_can_still_be_shipped(architecture):
    both = replace(architecture, scale_head=True)
    plain = multiply_adds_per_pixel(both)
    assert plain == multiply_adds_per_pixel(architecture)
    assert 1.005 * plain < multiply_adds_per_pixel(both, scale=True) <= 1.03 * plain
    model = VDIR(both)
    header = 100 * len(model.state_dict())
    assert 2 * sum(p.numel() for p in model.parameters()) + header < 5_000_000


def test_old_architectures_have_none_and_those_without_are_written_as_before():
    plain = Architecture(restorer="fast")
    assert "scale_head" not in plain.to_dict()
    assert Architecture.from_dict(plain.to_dict()) == plain
    headed = replace(plain, scale_head=True)
    assert Architecture.from_dict(headed.to_dict()) == headed
    with pytest.raises(UndegradeError, match="true or false"):
        Architecture.from_dict({**plain.to_dict(), "scale_head": 1})


def test_the_loss_is_laplaces_and_its_minimum_the_mean_absolute_error():
    x, xhat = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.25)
    b = torch.full((1, 1, 2, 2), 0.5)
    expected = -torch.distributions.Laplace(xhat, b).log_prob(x).mean()
    assert scale_loss(x, xhat, b).item() == pytest.approx(expected.item())
    at = [scale_loss(x, xhat, torch.full((1, 1, 2, 2), v)).item() for v in (0.24, 0.25, 0.26)]
    assert at[1] == min(at) == pytest.approx(1 + math.log(0.5))
