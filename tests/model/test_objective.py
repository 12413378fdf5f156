"""Each term against an independent calculation, and Fig. 2's gradient flow."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from undegrade.model.architecture import Architecture
from undegrade.model.discriminator import Discriminator
from undegrade.model.objective import Losses, active_units, channel_kl, collapse_warning, discriminator_loss, losses
from undegrade.model.posterior import Posterior
from undegrade.model.vdir import VDIR


@pytest.fixture
def terms(generator):
    def rand(*shape):
        return torch.randn(*shape, generator=generator)

    x, xhat, y, yhat = rand(2, 3, 8, 8), rand(2, 3, 8, 8), rand(2, 3, 8, 8), rand(2, 3, 8, 8)
    return {
        "x": x, "xhat": xhat, "y": y, "yhat": yhat, "posterior": Posterior(rand(2, 4, 2, 2), rand(2, 4, 2, 2)),
        "params": rand(2, 5), "estimate": rand(2, 5, 2, 2), "fake_logits": rand(2, 1, 3, 3),
    }  # fmt: skip


def test_kl_equals_torch_distributions(terms):
    q = terms["posterior"]
    expected = kl_divergence(Normal(q.mean, (0.5 * q.logvar).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(q.kl(), expected)
    torch.testing.assert_close(losses(**terms).kl, expected.mean())
    assert Posterior(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)).kl().abs().max() == 0


def test_l1_terms_equal_numpy(terms):
    found = losses(**terms)
    x, xhat, y, yhat = (terms[k].numpy().astype(np.float64) for k in ("x", "xhat", "y", "yhat"))
    assert float(found.restoration) == pytest.approx(np.abs(x - xhat).mean(), rel=1e-6)
    assert float(found.reconstruction) == pytest.approx(np.abs(y - yhat).mean(), rel=1e-6)
    params, estimate = terms["params"].numpy(), terms["estimate"].numpy()
    per_place = [np.abs(params[b] - estimate[b, :, i, j]).mean() for b in range(2) for i in range(2) for j in range(2)]
    assert float(found.estimation) == pytest.approx(np.mean(per_place), rel=1e-5)


def test_by_image_a_decibel_counts_the_same_for_each_image(terms):
    x, xhat = terms["x"].clone(), terms["xhat"].clone()
    xhat[0] = x[0] + (xhat[0] - x[0]) / 50  # an image that is restored 34 dB better
    l1 = (x - xhat).abs().mean((1, 2, 3)).double()
    found = losses(**{**terms, "x": x, "xhat": xhat}, by_image=True).restoration
    assert float(found) == pytest.approx(float((1 + 255 * l1).log().mean() / 255), rel=1e-5)

    def of_scale(a):  # what is to be gained by an error that is smaller by the same factor
        better = x - torch.tensor(a).view(2, 1, 1, 1) * (x - xhat)
        return float(losses(**{**terms, "x": x, "xhat": better}, by_image=True).restoration)

    first, second = of_scale([1.0, 1.0]) - of_scale([0.9, 1.0]), of_scale([1.0, 1.0]) - of_scale([1.0, 0.9])
    assert first == pytest.approx(second, rel=0.25)  # by eq. (14) they would differ by a factor of 50
    same = losses(**{**terms, "xhat": terms["x"].clone().requires_grad_()}, by_image=True).restoration
    same.backward()  # finite where nothing is wrong


def test_adversarial_terms_equal_the_log_likelihoods_of_a_bernoulli(terms):
    fake, real = terms["fake_logits"], torch.linspace(-3, 3, 18).view(2, 1, 3, 3)
    one, zero = torch.ones_like(fake), torch.zeros_like(fake)
    torch.testing.assert_close(losses(**terms).adversarial, -Bernoulli(logits=fake).log_prob(one).mean())
    expected = -Bernoulli(logits=real).log_prob(one).mean() - Bernoulli(logits=fake).log_prob(zero).mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    assert torch.isfinite(discriminator_loss(torch.tensor([-1e4]), torch.tensor([1e4])))


def test_what_is_not_known_is_not_taught(terms):
    estimate = terms["estimate"].clone().requires_grad_()
    params = terms["params"].clone()
    known = losses(**{**terms, "estimate": estimate}).estimation
    params[0, 2] = float("nan")
    found = losses(**{**terms, "estimate": estimate, "params": params}).estimation
    missing = (terms["estimate"][0, 2] - terms["params"][0, 2]).abs().sum() / terms["estimate"].numel()
    torch.testing.assert_close(found, known - missing)
    found.backward()
    assert not estimate.grad[0, 2].any()
    assert estimate.grad[1].all()


def test_what_is_learned_of_a_whole_image_has_its_own_norm(terms):
    def misses(estimate, params):
        return (estimate.mean((2, 3)) - params).square()

    params = terms["params"].clone()
    expected = (terms["estimate"].mean((2, 3)) - params).square()
    torch.testing.assert_close(losses(**terms, misses=misses).estimation, expected.mean())
    params[1, 0] = float("nan")
    found = losses(**{**terms, "params": params}, misses=misses).estimation
    torch.testing.assert_close(found, expected.mean() - expected[1, 0] / expected.numel())


def test_total_is_the_weighted_sum_of_eq_19():
    parts = Losses(*(torch.tensor(v) for v in (1.0, 2.0, 3.0, 4.0, 5.0)))
    assert float(parts.total(beta=0.1, lambda_adv=0.01, lambda_est=2.0)) == pytest.approx(1 + 0.2 + 3 + 0.04 + 10)


def test_without_a_discriminator_the_adversarial_term_is_zero(terms):
    assert float(losses(**{**terms, "fake_logits": None}).adversarial) == 0


FLOW = {  # Fig. 2: which networks each term teaches
    "restoration": {"encoder", "restorer"},
    "kl": {"encoder"},
    "reconstruction": {"encoder", "decoder"},
    "adversarial": {"encoder", "decoder", "discriminator"},
    "estimation": {"encoder", "estimator"},
}


@pytest.mark.parametrize("term", FLOW)
def test_gradient_flow_of_figure_2(term, generator):
    torch.manual_seed(0)
    model, discriminator = VDIR(Architecture(restorer="fast")), Discriminator(3)
    x, y = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    posterior = model.encode(y)
    c = posterior.sample(generator)
    yhat = model.decode(c, (16, 16))
    found = losses(
        x=x, xhat=model.restore(y, c), y=y, yhat=yhat, posterior=posterior, params=torch.rand(2, 1),
        estimate=model.estimate(c), fake_logits=discriminator(yhat),
    )  # fmt: skip
    getattr(found, term).backward()
    networks = dict(model.named_children()) | {"discriminator": discriminator}
    taught = {n for n, net in networks.items() if any(p.grad is not None and p.grad.any() for p in net.parameters())}
    assert taught == FLOW[term]


def test_the_discriminators_own_loss_teaches_only_the_discriminator(generator):
    torch.manual_seed(0)
    model, discriminator = VDIR(Architecture(restorer="fast")), Discriminator(3)
    y = torch.rand(2, 3, 16, 16)
    yhat = model.decode(model.encode(y).sample(generator), (16, 16))
    discriminator_loss(discriminator(y), discriminator(yhat.detach())).backward()
    assert all(p.grad is None for p in model.parameters())
    assert any(p.grad is not None and p.grad.any() for p in discriminator.parameters())


def test_active_units_counts_the_channels_that_carry_information():
    mean = torch.zeros(2, 4, 3, 3)
    mean[:, 1], mean[:, 3] = 2.0, -1.0
    assert active_units(Posterior(mean, torch.zeros_like(mean))) == 2
    assert active_units(Posterior(torch.zeros_like(mean), torch.zeros_like(mean))) == 0


def test_kl_per_channel_is_that_of_torch_distributions(generator):
    mean, logvar = torch.randn(2, 2, 4, 3, 5, generator=generator)
    q = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(q, prior).mean((0, 2, 3))
    torch.testing.assert_close(channel_kl(Posterior(mean, logvar)), expected)


def test_only_a_latent_without_any_active_channel_is_called_collapsed():
    assert collapse_warning([0.0, 0.3, 0.0, 0.0]) is None
    warning = collapse_warning([0.0, 0.009, 0.0, 0.002])
    assert warning is not None
    assert "collapsed" in warning
