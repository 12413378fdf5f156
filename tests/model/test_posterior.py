"""q(c|y) and its draws."""

import torch

from undegrade.model.posterior import Posterior


def test_posterior_samples_have_its_mean_and_variance(generator):
    mean, logvar = torch.tensor([0.3, -2.0]), torch.tensor([-1.0, 0.5])
    posterior = Posterior(mean.view(1, 2, 1, 1).expand(1, 2, 200, 200), logvar.view(1, 2, 1, 1).expand(1, 2, 200, 200))
    c = posterior.sample(generator)
    assert torch.allclose(c.mean((0, 2, 3)), mean, atol=0.02)
    assert torch.allclose(c.var((0, 2, 3)), logvar.exp(), rtol=0.03)
