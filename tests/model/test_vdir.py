"""Every restorer with every conditioning: sizes, reach, start, and what it is conditioned on."""

import pytest
import torch

from tests.model.networks import ENLARGING, make
from undegrade.model.architecture import Conditioning
from undegrade.model.restorers import RESTORERS
from undegrade.model.upsample import Enlarge

ALL = [{"restorer": r, "conditioning": c} for r in RESTORERS for c in Conditioning]
CONDITIONED = [a for a in ALL if a["conditioning"] != Conditioning.NONE]


@pytest.mark.parametrize("fields", ALL, ids=lambda f: "-".join(f.values()))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4), (16, 13)])
def test_any_size_and_both_channel_counts(fields, channels, size):
    model = make(**fields, channels=channels)
    y = torch.rand(2, channels, *size)
    posterior = model.encode(y)
    latent = (2, 4, -(-size[0] // 4), -(-size[1] // 4))
    assert posterior.mean.shape == posterior.logvar.shape == latent
    assert model(y).shape == y.shape
    assert model.decode(posterior.mean, size).shape == y.shape
    assert model.estimate(posterior.mean).shape == (2, 1, *latent[2:])


@pytest.mark.parametrize("restorer", ENLARGING)
@pytest.mark.parametrize("conditioning", [Conditioning.LATENT, Conditioning.NONE])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (9, 6), (3, 16)])
def test_super_resolution_multiplies_the_size(restorer, conditioning, scale, size):
    y = torch.rand(1, 3, *size)
    model = make(restorer=restorer, conditioning=conditioning, scale=scale)
    assert model(y).shape == (1, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize(
    "fields",
    CONDITIONED + [{"scale": s, "restorer": r} for s in (2, 4) for r in ENLARGING],
)
def test_reach_holds_and_is_not_wasteful(fields):
    """Gradients of an output pixel vanish beyond the stated reach, and do not all vanish a little inside it."""
    model = make(channels=1, **fields)
    for p in model.parameters():  # positive weights: no path is cut by a ReLU or by cancellation
        p.data = p.data.abs() + 1e-3
    scale, centre = model.architecture.scale, model.reach + 12
    y = torch.rand(1, 1, 12, 2 * centre, requires_grad=True)  # enough rows for pooling to choose the farthest
    restored = model(y)[0, 0]
    farthest = 0
    for offset in range(model.stride):  # every phase of the coarsest grid
        (gradient,) = torch.autograd.grad(restored[6 * scale, (centre + offset) * scale], y, retain_graph=True)
        columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
        farthest = max(farthest, centre + offset - int(columns.min()), int(columns.max()) - centre - offset)
    assert model.reach - model.stride < farthest <= model.reach


@pytest.mark.parametrize("fields", [*ALL, {"scale": 4}, {"scale": 2, "restorer": "wide"}], ids=str)
def test_a_tile_on_the_grid_needs_no_more_than_the_halo_for_restoring_and_little_less(fields):
    """By gradients, to y and to the latent of the whole image."""
    model = make(channels=1, **fields).double()  # of the farthest little is left
    for p in model.parameters():
        p.data = p.data.abs() + 1e-3
    for module in model.modules():
        if isinstance(module, Enlarge):
            module.float()  # as it works, whatever the precision around it
    scale, stride, halo = model.architecture.scale, model.stride, model.reaches[1]
    start = halo + 2 * stride
    stop = start + 2 * stride
    y = torch.rand(1, 1, 16, stop + start, dtype=torch.float64, requires_grad=True)
    c = torch.rand(1, 4, 4, (stop + start) // 4, dtype=torch.float64, requires_grad=True)
    tile = model.restore(y, c)[..., start * scale : stop * scale].sum()
    reached = []
    for given, cell in zip((y, c), (1, 4), strict=True):
        (gradient,) = torch.autograd.grad(tile, given, retain_graph=True, allow_unused=True)
        if gradient is None:  # a model that ignores it
            continue
        columns = gradient[0].abs().sum((0, 1)).nonzero().flatten()
        reached += [start - cell * int(columns.min()), cell * (int(columns.max()) + 1) - stop]
    assert halo - stride - (4 if model.architecture.conditioning is Conditioning.NONE else 0) < max(reached) <= halo


def test_a_fresh_model_keeps_the_signal_through_its_depth():
    y = torch.rand(1, 3, 32, 32)
    for restorer in ENLARGING:
        assert 0.0 < (make(restorer=restorer)(y) - y).std() < 0.5


def test_latent_is_the_mean_a_seeded_sample_or_the_callers(generator):
    model = make(restorer="fast")
    y = torch.rand(1, 3, 16, 16)
    mean = model.encode(y).mean
    assert torch.equal(model(y), model(y, latent=mean))
    one = model(y, "sample", torch.Generator().manual_seed(5))
    assert torch.equal(one, model(y, "sample", torch.Generator().manual_seed(5)))
    assert not torch.equal(one, model(y, "sample", torch.Generator().manual_seed(6)))
    assert not torch.equal(one, model(y))
    with pytest.raises(ValueError, match="generator"):
        model(y, "sample")


def test_the_restorer_listens_to_the_latent():
    model = make()
    y = torch.rand(1, 3, 16, 16)
    c = model.encode(y).mean
    assert (model(y, latent=c) - model(y, latent=c + 1)).abs().max() > 1e-4


@pytest.mark.parametrize("restorer", RESTORERS)
def test_a_restorer_without_conditioning_ignores_the_latent_and_is_the_same_otherwise(restorer):
    model, alone = make(restorer=restorer), make(restorer=restorer, conditioning=Conditioning.NONE)
    y = torch.rand(1, 3, 16, 16)
    assert torch.equal(alone(y), alone(y, latent=alone.encode(y).mean + 1))
    own, others = (dict(m.restorer.named_parameters()) for m in (model, alone))
    assert {name for name in own if name not in others} <= {"level.condition.weight", "level.condition.bias"}
    different = [name for name in others if own[name].shape != others[name].shape]
    assert len(different) == 1  # the first convolution, without the latent's four channels
    assert own[different[0]].shape[1] - others[different[0]].shape[1] == 4


@pytest.mark.parametrize("restorer", RESTORERS)
def test_a_two_stage_restorer_is_conditioned_on_the_estimate_and_nothing_else_of_the_latent(restorer):
    model = make(restorer=restorer, conditioning=Conditioning.ESTIMATE, params=2)
    y = torch.rand(1, 3, 16, 16)
    c = model.encode(y).mean
    # Its posterior is a point: there is nothing to draw.
    torch.testing.assert_close(model.encode(y).sample(torch.Generator().manual_seed(0)), c)
    assert torch.equal(model(y), model.restorer(y, model.estimate(c)))
    with torch.no_grad():
        model.estimator.conv2.weight.zero_()  # an estimate that is the same whatever the latent
        assert torch.equal(model(y, latent=c), model(y, latent=c + 1))
        before = model(y)
        model.estimator.conv2.bias += 0.5
        assert (model(y) - before).abs().max() > 1e-4
