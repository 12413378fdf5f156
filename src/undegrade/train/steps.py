"""The kinds of training steps: what each works out, and which parts learn from it.

    joint       all parts, after the discriminator: eqs. (16) and (19)
    latent      encoder, decoder and estimator: eq. (19) without the restoration
    restorer    the restorer on latents of a frozen encoder: eq. (14)
    two_stage   the restorer and, apart from it, encoder and estimator: eqs. (6) and (7)
    scale       the scale head on a frozen model: the first term of eq. (9)
    int8        encoder and restorer in int8, which follow the same model in float32

Each returns the values of :data:`TERMS` but the last, not a number where a term is not worked out, and the norm of the
gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from undegrade.degrade.compose import eight_bits
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.objective import (
    Losses,
    discriminator_loss,
    estimation_loss,
    following_loss,
    losses,
    restoration_loss,
    scale_loss,
)
from undegrade.model.posterior import Posterior
from undegrade.tasks.recipe import Recipe

if TYPE_CHECKING:
    from undegrade.train.trainer import Trainer

TERMS = (*Losses._fields, "total", "discriminator", "grad_norm")


class Batch(NamedTuple):
    """This process's share of one step's data."""

    x: Tensor
    y: Tensor
    params: Tensor
    noise: Tensor


Step = Callable[["Trainer", Batch, float], tuple[list[Tensor], Tensor]]
"""(trainer, batch, learning rate) -> values of the terms, norm of the gradient."""


def kind_at(done: int, architecture: Architecture, recipe: Recipe) -> Step:
    """What the step after ``done`` others does."""
    if recipe.int8:
        return int8
    if architecture.scale_head:
        return scale
    if architecture.conditioning is Conditioning.ESTIMATE:
        return two_stage
    if done < recipe.latent_warmup_steps:
        return latent
    frozen = recipe.freeze_latent_from is not None and done >= recipe.freeze_latent_from
    return restorer if frozen else joint


def loss_of_most(trainer: Trainer, batch: Batch) -> Tensor:
    """The loss of the kind of step that the run has most of, without the adversarial term."""
    passes, architecture = trainer.passes, trainer.architecture
    if architecture.scale_head:
        xhat, b = passes.scale(batch.y, batch.noise)
        return scale_loss(batch.x, xhat.float(), b)
    if architecture.conditioning is Conditioning.ESTIMATE:
        xhat, estimate = passes.two_stage(batch.y)
        return restoration_loss(batch.x, xhat.float(), trainer.recipe.by_image) + estimation_loss(
            estimate.float(), batch.params, trainer.source.misses
        )
    if trainer.recipe.freeze_latent_from == 0:
        return restoration_loss(batch.x, passes.restorer(batch.y, batch.noise).float(), trainer.recipe.by_image)
    mean, _, xhat, yhat, estimate = passes.joint(batch.y, batch.noise)
    loss = restoration_loss(batch.x, xhat.float(), trainer.recipe.by_image) + (batch.y - yhat.float()).abs().mean()
    # Not of the estimate alone: a fresh estimator gives zeros, where the sign of |.| is rounding.
    return loss + estimation_loss(estimate.float(), batch.params, trainer.source.misses) + mean.float().square().mean()


def joint(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """Everything learns, but for the scale head."""
    with trainer.precision():
        mean, logvar, xhat, yhat, estimate = trainer.passes.joint(batch.y, batch.noise)
    yhat = yhat.float()
    loss_d = _discriminator(trainer, batch.y, yhat.detach(), lr)
    terms = losses(
        x=batch.x,
        xhat=xhat.float(),
        y=batch.y,
        yhat=yhat,
        posterior=Posterior(mean.float(), logvar.float()),
        params=batch.params,
        estimate=estimate.float(),
        fake_logits=_judged(trainer, yhat),
        misses=trainer.source.misses,
        by_image=trainer.recipe.by_image,
    )
    r = trainer.recipe
    total = terms.total(beta=r.beta, lambda_adv=r.lambda_adv, lambda_est=r.lambda_est)
    return [*terms, total, loss_d], trainer.descend(total, trainer.optimizers, lr, clip=r.clip)


def latent(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """Encoder, decoder and estimator learn: eq. (19) without the restoration and the adversarial term."""
    with trainer.precision():
        mean, logvar, yhat, estimate = trainer.passes.latent(batch.y, batch.noise)
    terms = losses(
        x=batch.x,
        xhat=batch.x,  # a restoration term of zero
        y=batch.y,
        yhat=yhat.float(),
        posterior=Posterior(mean.float(), logvar.float()),
        params=batch.params,
        estimate=estimate.float(),
        fake_logits=None,
        misses=trainer.source.misses,
    )
    total = terms.total(beta=trainer.recipe.beta, lambda_adv=0.0, lambda_est=trainer.recipe.lambda_est)
    unknown = total.new_full((), float("nan"))
    norm = trainer.descend(total, trainer.optimizers, lr, clip=trainer.recipe.clip)
    return [unknown, *terms[1:], total, unknown], norm


def restorer(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """The restorer alone learns: its term on latents of the frozen encoder, two thirds of a joint step's cost."""
    with trainer.precision():
        xhat = trainer.passes.restorer(batch.y, batch.noise)
    restoration = restoration_loss(batch.x, xhat.float(), trainer.recipe.by_image)
    norm = trainer.descend(restoration, trainer.optimizers, lr, clip=trainer.recipe.clip)
    return _known(restoration=restoration, total=restoration), norm


def two_stage(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """Eqs. (6) and (7) at once: the estimator learns f(T) and nothing else, the restorer acts on what it finds.

    Each learns its own term, so that they can share a step.
    """
    with trainer.precision():
        xhat, estimate = trainer.passes.two_stage(batch.y)
    restoration = restoration_loss(batch.x, xhat.float(), trainer.recipe.by_image)
    estimation = estimation_loss(estimate.float(), batch.params, trainer.source.misses)
    total = restoration + trainer.recipe.lambda_est * estimation
    norm = trainer.descend(total, trainer.optimizers, lr, clip=trainer.recipe.clip)
    return _known(restoration=restoration, estimation=estimation, total=total), norm


def scale(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """The scale head alone learns: |x - xhat| / b + log 2b. The total may be below zero.

    Of images in 8 bits, as intervals are measured: strong noise that is clipped is further off than what is not.
    """
    with trainer.precision():
        xhat, b = trainer.passes.scale(eight_bits(batch.y), batch.noise)
    xhat = xhat.float()
    total = scale_loss(batch.x, xhat, b)
    norm = trainer.descend(total, trainer.optimizers, lr, clip=trainer.recipe.clip)
    return _known(restoration=(batch.x - xhat).abs().mean(), total=total), norm


def int8(trainer: Trainer, batch: Batch, lr: float) -> tuple[list[Tensor], Tensor]:
    """Encoder and restorer learn to give, rounded, what they give in float32."""
    assert trainer.teacher is not None  # Trainer.__init__
    made, wanted = trainer.passes.int8(batch.y, trainer.teacher)
    total = following_loss(batch.x, made, wanted)
    norm = trainer.descend(total, trainer.optimizers, lr, clip=trainer.recipe.clip)
    estimation = estimation_loss(made.estimate, batch.params, trainer.source.misses)
    return _known(restoration=(batch.x - made.xhat).abs().mean(), estimation=estimation, total=total), norm


def _known(**values: Tensor) -> list[Tensor]:
    """The terms but the last, those that are not given as not a number."""
    unknown = values["total"].new_full((), float("nan"))
    return [values.get(term, unknown) for term in TERMS[:-1]]


def _discriminator(trainer: Trainer, y: Tensor, yhat: Tensor, lr: float) -> Tensor:
    """The discriminator's own step; its loss."""
    if trainer.discriminator is None:
        return y.new_zeros(())
    trainer.discriminator.requires_grad_(True)
    with trainer.precision():
        logits = trainer.discriminator(torch.cat((y, yhat)))
    real, fake = logits.float().chunk(2)
    loss = discriminator_loss(real, fake)
    trainer.descend(loss, trainer.optimizers_d, lr, clip=float("inf"))
    return loss


def _judged(trainer: Trainer, yhat: Tensor) -> Tensor | None:
    """D(yhat) as logits, for the generator's step."""
    if trainer.discriminator is None:
        return None
    trainer.discriminator.requires_grad_(False)  # eq. (17) teaches the decoder and the encoder, not D
    with trainer.precision():
        logits: Tensor = trainer.discriminator(yhat)
    return logits.float()
