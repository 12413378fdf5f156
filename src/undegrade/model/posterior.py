"""q(c|y) = N(mu, diag sigma^2), the variational posterior of the latent (paper eqs. 9, 15)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Posterior(NamedTuple):
    """A diagonal Gaussian over the latent.

    Attributes:
        mean: mu, (B, 4, h, w).
        logvar: log sigma^2, the same shape.
    """

    mean: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw, reparameterised: c = mu + sigma eps, so that gradients reach mu and sigma.

        Args:
            generator: on the posterior's device; without one, torch's global generator is advanced.
        """
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.at(noise)

    def at(self, noise: Tensor) -> Tensor:
        """mu + sigma ``noise``: the sample that belongs to given standard-normal noise."""
        return self.mean + torch.exp(0.5 * self.logvar) * noise

    def kl(self) -> Tensor:
        """D_KL(q(c|y) || N(0, 1)) of every latent element in nats, eq. (15) before its sum: the mean's shape."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1.0)
