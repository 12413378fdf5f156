"""What the networks promise: sizes, reach, start, sampling."""

import json

import pytest
import torch

from undegrade.errors import UndegradeError
from undegrade.model import Discriminator, Encoder, Posterior
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.autoencoder import Estimator
from undegrade.model.blocks import RIRBlock
from undegrade.model.restorers import RESTORERS
from undegrade.model.upsample import Enlarge
from undegrade.model.vdir import VDIR


def make(**fields) -> VDIR:
    torch.manual_seed(0)
    return VDIR(Architecture(**fields)).eval()


ALL = [{"restorer": r, "conditioning": c} for r in RESTORERS for c in Conditioning]
CONDITIONED = [a for a in ALL if a["conditioning"] != Conditioning.NONE]
ENLARGING = [name for name, d in RESTORERS.items() if 2 in d.scales]


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


@pytest.mark.parametrize("scale", [2, 4])
def test_a_super_resolver_starts_from_an_interpolation_on_the_grid_of_direct_decimation(scale):
    """Keys' kernel keeps parabolas: pixel i of y lies on pixel ``scale`` i of xhat, the others in between."""
    model = make(restorer="fast", scale=scale)
    model.restorer.tail.weight.data.zero_()
    i = torch.arange(12.0)
    y = (0.2 + 0.05 * i + 0.003 * i**2).view(1, 1, 1, 12).expand(1, 3, 12, 12)
    u = torch.arange(12.0 * scale) / scale
    expected = 0.2 + 0.05 * u + 0.003 * u**2
    inside = slice(2 * scale, 10 * scale)
    assert torch.allclose(model(y)[0, 0, 5 * scale, inside], expected[inside], atol=1e-5)
    assert torch.allclose(model(y.mT)[0, 0, inside, 5 * scale], expected[inside], atol=1e-5)
    assert torch.equal(model(y)[..., ::scale, ::scale], y)


def test_half_precision_around_the_interpolation_does_not_reach_it():
    y = torch.rand(1, 3, 8, 8)
    enlarge = Enlarge(2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(enlarge(y), enlarge(y.float()))
        assert enlarge(y).dtype == torch.float32
    assert torch.equal(enlarge(y)[..., ::2, ::2], y)


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
    for offset in range(4):  # every phase of the latent's grid
        (gradient,) = torch.autograd.grad(restored[6 * scale, (centre + offset) * scale], y, retain_graph=True)
        columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
        farthest = max(farthest, centre + offset - int(columns.min()), int(columns.max()) - centre - offset)
    assert model.reach - 4 < farthest <= model.reach


def test_a_fresh_residual_branch_is_nearly_the_identity():
    torch.manual_seed(0)
    h = torch.randn(1, 64, 24, 24)
    block = RIRBlock(64, 5)
    change = (block(h) - h).std() / h.std()
    assert 0.01 < change < 0.3


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
    different = [name for name in own if own[name].shape != others[name].shape]
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


def test_posterior_samples_have_its_mean_and_variance(generator):
    mean, logvar = torch.tensor([0.3, -2.0]), torch.tensor([-1.0, 0.5])
    posterior = Posterior(mean.view(1, 2, 1, 1).expand(1, 2, 200, 200), logvar.view(1, 2, 1, 1).expand(1, 2, 200, 200))
    c = posterior.sample(generator)
    assert torch.allclose(c.mean((0, 2, 3)), mean, atol=0.02)
    assert torch.allclose(c.var((0, 2, 3)), logvar.exp(), rtol=0.03)


def test_discriminator_maps_to_logits_at_a_32nd_of_the_size():
    assert Discriminator(3)(torch.rand(2, 3, 96, 65)).shape == (2, 1, 3, 3)


def test_architecture_round_trip_and_refusals():
    a = Architecture(channels=1, params=3, restorer="fast")
    assert Architecture.from_dict(a.to_dict()) == a
    with pytest.raises(UndegradeError, match="update undegrade"):
        Architecture.from_dict({**a.to_dict(), "depth": 3})
    with pytest.raises(UndegradeError, match="cannot build"):
        Architecture.from_dict({**a.to_dict(), "restorer": "transformer"})
    with pytest.raises(UndegradeError, match="cannot build"):
        Architecture.from_dict({**a.to_dict(), "conditioning": "hearsay"})
    with pytest.raises(ValueError, match="works at scale 1, got 2"):
        Architecture(scale=2, restorer="ffdnet")


@pytest.mark.parametrize(("kind", "restorer", "conditioning"), [
    ("full", "full", Conditioning.LATENT), ("fast-alone", "fast", Conditioning.NONE),
    ("ffdnet-two-stage", "ffdnet", Conditioning.ESTIMATE),
])  # fmt: skip
def test_the_one_field_of_old_cards_is_read_as_two(kind, restorer, conditioning):
    old = {"channels": 3, "params": 2, "scale": 1, "kind": kind}
    assert Architecture.from_dict(old) == Architecture(params=2, restorer=restorer, conditioning=conditioning)


def test_bounded_estimates_stay_in_their_bounds_and_old_cards_have_none(generator):
    a = Architecture(restorer="fast", params=2, bounds=(1.0, 0.25))
    assert Architecture.from_dict(json.loads(json.dumps(a.to_dict()))) == a
    old = {k: v for k, v in Architecture(restorer="fast").to_dict().items() if k != "bounds"}
    assert Architecture.from_dict(old).bounds is None
    for bounds in ((1.0,), (1.0, 0.0)):
        with pytest.raises(ValueError, match="2 positive bounds"):
            Architecture(params=2, bounds=bounds)
    torch.manual_seed(0)
    estimate = VDIR(a).estimate(100 * torch.randn(2, 4, 6, 6, generator=generator))
    assert estimate.min() >= 0
    assert estimate[:, 0].max() > 0.25
    assert estimate[:, 1].max() <= 0.25
    estimator = Estimator(2, bounds=(1.0, 0.25))
    torch.nn.init.zeros_(estimator.conv2.weight)
    estimator.conv2.bias = torch.nn.Parameter(torch.tensor([9.0, -9.0]))
    told = estimator(torch.zeros(1, 4, 2, 2))
    torch.testing.assert_close(told[0, :, 0, 0], torch.tensor([1.0, 0.0]))
    (told[:, 0] - 0.5).abs().sum().backward()  # beyond the bound the way back is known
    assert estimator.conv2.bias.grad[0] > 0
    free = VDIR(Architecture(restorer="fast", params=2)).estimate(100 * torch.randn(2, 4, 6, 6, generator=generator))
    assert free.min() < 0


def test_a_fresh_encoder_sees_differences_and_no_brightness() -> None:
    torch.manual_seed(0)
    encoder = Encoder(3)
    dark, bright = (encoder(torch.full((1, 3, 64, 64), value)).mean[..., 7:9, 7:9] for value in (0.2, 0.9))
    assert torch.allclose(dark, bright, atol=1e-5)
    step = torch.full((1, 3, 64, 64), 0.5)
    step[..., 32:] += 0.02  # a block's edge
    assert (encoder(step).mean[..., 7:9, 7:9] - dark).abs().max() > 0.01
