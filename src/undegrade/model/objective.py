"""The training objective, eqs. (14)-(19), as named terms.

    restoration     |x - xhat|_1                                  (14); or, by image, f log(1 + |x - xhat|_1 / f)
    kl              D_KL(q(c|y) || N(0, 1)), mean per element     (15), normalised as in (19)
    reconstruction  |y - yhat|_1                                  (18), first term
    adversarial     -log D(yhat)                                  (17)
    estimation      |f(T) - EST(c)|_1                             (18), third term; of a blur kernel another norm
    total           restoration + beta kl + reconstruction + lambda_adv adversarial + lambda_est estimation   (19)
    discriminator   -log D(y) - log(1 - D(yhat))                  (16)
    following       |xhat - xhat'|^2 / |x - xhat'|^2              of a model in int8 and the one that it follows
    scale           |x - xhat| / b + log 2b                       (9), first term, of a Laplace density of scale b

The scale has a head of its own that learns alone (:mod:`undegrade.model.scale_head`); of a fixed b that term is (14).

L1 norms are means over all elements. D outputs logits; -log D = softplus(-logit) and -log(1 - D) = softplus(logit),
which never overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from undegrade.degrade.base import at_each_place
from undegrade.model.posterior import Posterior

_FLOOR = 1 / 255
"""f, the error below which images count alike: one 8-bit level."""

_FOLLOW_FLOOR = 1e-4


class Losses(NamedTuple):
    """The terms of eq. (19), each a scalar, before weighting."""

    restoration: Tensor
    kl: Tensor
    reconstruction: Tensor
    adversarial: Tensor
    estimation: Tensor

    def total(self, *, beta: float, lambda_adv: float, lambda_est: float) -> Tensor:
        """Eq. (19) with eq. (18) in it."""
        return (
            self.restoration
            + beta * self.kl
            + self.reconstruction
            + lambda_adv * self.adversarial
            + lambda_est * self.estimation
        )


Misses = Callable[[Tensor, Tensor], Tensor]
"""EST(c), (B, P, h', w'), and f(T), (B, P), to how far off they are: (B, P, ...), as
:meth:`undegrade.degrade.base.Quantity.misses` has it."""


def losses(
    *,
    x: Tensor,
    xhat: Tensor,
    y: Tensor,
    yhat: Tensor,
    posterior: Posterior,
    params: Tensor,
    estimate: Tensor,
    fake_logits: Tensor | None = None,
    misses: Misses = at_each_place,
    by_image: bool = False,
) -> Losses:
    """The generator's terms.

    Args:
        x, xhat: clean and restored, (B, C, H, W).
        y, yhat: degraded and reconstructed, (B, C, h, w).
        posterior: q(c|y).
        params: f(T), (B, P); nan where it is not known, which teaches nothing.
        estimate: EST(c), (B, P, h', w').
        misses: how estimate and params are compared.
        fake_logits: D(yhat) as logits; None when the recipe has no adversarial term, which then is 0.
        by_image: see :func:`restoration_loss`.
    """
    return Losses(
        restoration=restoration_loss(x, xhat, by_image),
        kl=posterior.kl().mean(),
        reconstruction=F.l1_loss(yhat, y),
        adversarial=x.new_zeros(()) if fake_logits is None else F.softplus(-fake_logits).mean(),
        estimation=estimation_loss(estimate, params, misses),
    )


def restoration_loss(x: Tensor, xhat: Tensor, by_image: bool = False) -> Tensor:
    """Eq. (14), the mean over all elements; or the mean over images of f log(1 + |x - xhat|_1 / f).

    Eq. (14) is a Laplace density of one scale for all images, so what is hard to restore outweighs what is easy. The
    best scale of each image leaves -log p = log |x - xhat|_1 of it, up to a constant: a decibel counts the same for
    each. f keeps images that are all but perfect from counting more than any.

    Args:
        x, xhat: clean and restored, (B, C, H, W).
        by_image: the second of the two.
    """
    if not by_image:
        return F.l1_loss(xhat, x)
    return _FLOOR * ((x - xhat).abs().mean((1, 2, 3)) / _FLOOR).log1p().mean()


def estimation_loss(estimate: Tensor, params: Tensor, misses: Misses = at_each_place) -> Tensor:
    """The third term of eq. (18): the mean over all elements, those of unknown f(T) (nan) counted as right."""
    known = params.isfinite()
    found = misses(estimate, params.nan_to_num())
    return (found * known.reshape(*known.shape, *[1] * (found.ndim - 2))).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Eq. (16) on the logits of y and of the (detached) yhat."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def scale_loss(x: Tensor, xhat: Tensor, b: Tensor) -> Tensor:
    """-log p(x|y, c) of the Laplace density, in nats per pixel and channel.

    Args:
        x, xhat: clean and restored, (B, C, H, W).
        b: (B, 1, H, W), above 0.
    """
    return ((x - xhat).abs().mean(1, keepdim=True) / b + (2 * b).log()).mean()


class Followed(NamedTuple):
    """What a model in int8 is to compute as the one in float32 does: xhat, EST(mu) and log sigma^2."""

    xhat: Tensor
    estimate: Tensor
    logvar: Tensor


def following_loss(x: Tensor, made: Followed, wanted: Followed) -> Tensor:
    """How far one model is from another: of the restoration what it adds to the square error, as a share of it.

    The mean over images of |xhat - xhat'|^2 / (|x - xhat'|^2 + f^2), so that a hundredth of a decibel counts the same
    for each; f, 2.5 8-bit levels, keeps images that are all but perfect from counting more than any. Estimate and
    log variance have small weights of their own.

    Args:
        x: clean, (B, C, H, W).
        made: of the model that learns.
        wanted: of the model that it follows, xhat' first.
    """
    error = (x - wanted.xhat).square().mean((1, 2, 3)) + _FOLLOW_FLOOR
    restoration = ((made.xhat - wanted.xhat).square().mean((1, 2, 3)) / error).mean()
    estimate = (made.estimate - wanted.estimate).square().mean() / (wanted.estimate.square().mean() + 1e-3)
    return restoration + 0.1 * estimate + 0.001 * (made.logvar - wanted.logvar).square().mean()


ACTIVE = 0.01
"""Mean KL, in nats per element, from which a latent channel counts as carrying information."""


def channel_kl(posterior: Posterior) -> Tensor:
    """Eq. (15) averaged over images and places: nats per element of each latent channel, (4,)."""
    return posterior.kl().mean((0, 2, 3))


def active_units(posterior: Posterior, threshold: float = ACTIVE) -> int:
    """Latent channels whose mean KL exceeds ``threshold`` nats; 0 means that the posterior has collapsed."""
    return int((channel_kl(posterior) > threshold).sum().item())


def collapse_warning(kl: Sequence[float], threshold: float = ACTIVE) -> str | None:
    """One sentence where the posterior has collapsed (cf. eq. (20)), None where at least one channel is active.

    Args:
        kl: of each latent channel, :func:`channel_kl`.
        threshold: in nats.
    """
    if any(value > threshold for value in kl):
        return None
    return (
        f"the posterior has collapsed: no latent channel carries more than {threshold:g} nats and the restorer works "
        "without it; lower beta or raise the weights of reconstruction and estimation."
    )
