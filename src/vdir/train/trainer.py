"""One training step of eqs. (16)-(19), and everything that must survive a kill.

    discriminator step   Adam on -log D(y) - log(1 - D(yhat)),                      yhat detached
    generator step       Adam on |x - xhat| + beta KL + |y - yhat| + lambda_1 adv + lambda_2 |f(T) - EST(c)|

The randomness of step n is a function of (seed, n) alone: no generator state has to be kept, a resumed run sees the
same crops and noise, and so does every process of a distributed run, which draws the whole batch and keeps its share.
"""

from __future__ import annotations

import copy
import time
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from vdir.data.pixels import TrainingImages, turn_grey
from vdir.degrade import Degradation
from vdir.errors import VdirError
from vdir.model import VDIR, Architecture
from vdir.nets import LATENT_CHANNELS, LATENT_STRIDE, Discriminator, Posterior
from vdir.objective import Losses, discriminator_loss, losses
from vdir.recipe import Recipe
from vdir.train.state import load_optimizer, optimizer_tensors

MAX_SKIPPED = 20
"""So many non-finite steps in a row mean that the run has diverged."""

M = TypeVar("M", bound=nn.Module)

TERMS = (*Losses._fields, "total", "discriminator", "grad_norm")


class Batch(NamedTuple):
    """This process's share of one step's data."""

    x: Tensor
    y: Tensor
    params: Tensor
    noise: Tensor


class Trainer:
    """Networks, averaged weights and optimizers of a run, and the step that changes them.

    Args:
        architecture: of the model.
        degradation: what the clean crops go through.
        recipe: how to train.
        images: clean images, on the device to train on.
        compile_mode: a mode of torch.compile, or None for eager.
    """

    def __init__(
        self,
        architecture: Architecture,
        degradation: Degradation,
        recipe: Recipe,
        images: TrainingImages,
        compile_mode: str | None = None,
    ) -> None:
        self.architecture, self.degradation, self.recipe, self.images = (
            architecture,
            degradation,
            recipe,
            images,
        )
        self.device = images.pixels.device
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if recipe.batch % self.world:
            raise VdirError(f"a batch of {recipe.batch} cannot be shared by {self.world} processes; use a multiple.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = VDIR(architecture)
            discriminator = Discriminator(architecture.channels) if recipe.lambda_adv > 0 else None
        self.model = _placed(model, self.device)
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.adam = _adam(self.model, beta1=0.9)
        self.discriminator = _placed(discriminator, self.device) if discriminator is not None else None
        if self.discriminator is not None:
            self.adam_d = _adam(self.discriminator, beta1=0.5)
        self.forward = torch.compile(self._forward, mode=compile_mode) if compile_mode else self._forward
        self.done = 0
        self.skipped = 0
        self.data_seconds = 0.0

    def batch(self, step: int) -> Batch:
        """The data of a step: crops, their degraded versions, f(T), and the latent's noise."""
        recipe, b = self.recipe, self.recipe.batch
        generator = torch.Generator(self.device).manual_seed(_seed(recipe.seed, step))
        x = self.images.crops(b, recipe.patch * self.degradation.scale, generator)
        x = turn_grey(x, recipe.grey, generator)
        y, params = self.degradation(x, generator)
        latent = (b, LATENT_CHANNELS, *(-(-side // LATENT_STRIDE) for side in y.shape[-2:]))
        noise = torch.randn(latent, generator=generator, device=self.device)
        share = slice(self.rank * b // self.world, (self.rank + 1) * b // self.world)
        last = torch.channels_last
        return Batch(
            x[share].contiguous(memory_format=last),
            y[share].contiguous(memory_format=last),
            params[share],
            noise[share],
        )

    def step(self) -> Tensor:
        """One iteration. Returns the values of :data:`TERMS` on the device, averaged over processes."""
        lr = self.recipe.learning_rate(self.done)
        started = time.perf_counter()
        batch = self.batch(self.done)
        self.data_seconds += time.perf_counter() - started

        with self._precision():
            mean, logvar, xhat, yhat, estimate = self.forward(batch.y, batch.noise)
        yhat = yhat.float()
        loss_d = self._discriminator_step(batch.y, yhat.detach(), lr)
        terms = losses(
            x=batch.x,
            xhat=xhat.float(),
            y=batch.y,
            yhat=yhat,
            posterior=Posterior(mean.float(), logvar.float()),
            params=batch.params,
            estimate=estimate.float(),
            fake_logits=self._judge(yhat),
        )
        r = self.recipe
        total = terms.total(beta=r.beta, lambda_adv=r.lambda_adv, lambda_est=r.lambda_est)
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        norm = self._apply(self.adam, lr, clip=r.clip)
        self._average_weights()
        self.done += 1
        values = torch.stack([*terms, total, loss_d, norm]).detach()
        return self._across_processes(values)

    def _forward(self, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        posterior = self.model.encode(y)
        c = posterior.at(noise)
        size = (y.shape[-2], y.shape[-1])
        return (*posterior, self.model.restore(y, c), self.model.decode(c, size), self.model.estimate(c))

    def _discriminator_step(self, y: Tensor, yhat: Tensor, lr: float) -> Tensor:
        if self.discriminator is None:
            return y.new_zeros(())
        self.discriminator.requires_grad_(True)
        with self._precision():
            logits = self.discriminator(torch.cat((y, yhat)))
        real, fake = logits.float().chunk(2)
        loss = discriminator_loss(real, fake)
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward()
        self._apply(self.adam_d, lr, clip=float("inf"))
        return loss

    def _judge(self, yhat: Tensor) -> Tensor | None:
        if self.discriminator is None:
            return None
        self.discriminator.requires_grad_(False)  # eq. (17) teaches the decoder and the encoder, not D
        with self._precision():
            logits: Tensor = self.discriminator(yhat)
        return logits.float()

    def _apply(self, adam: torch.optim.Adam, lr: float, clip: float) -> Tensor:
        """Average the gradients over processes, clip, and step, unless a gradient is not finite."""
        parameters = [p for group in adam.param_groups for p in group["params"] if p.grad is not None]
        self._average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        if bool(torch.isfinite(norm)):
            self.skipped = 0
            for group in adam.param_groups:
                group["lr"] = lr
            adam.step()
            return norm
        self.skipped += 1
        if self.skipped > MAX_SKIPPED:
            raise VdirError(
                f"training diverged: {self.skipped} steps in a row up to step {self.done} had gradients that are not "
                "finite; resume from the last state with a lower learning rate."
            )
        return torch.zeros_like(norm)

    def _average_weights(self) -> None:
        """EMA of the weights, quicker at the start so that the random start is forgotten."""
        decay = min(self.recipe.ema, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.model.parameters()), 1 - decay)

    def _average_gradients(self, parameters: list[nn.Parameter]) -> None:
        if self.world == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        flat /= self.world
        for grad, piece in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(piece.view_as(grad))

    def _across_processes(self, values: Tensor) -> Tensor:
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()

    def tensors(self) -> dict[str, Tensor]:
        """Everything the next step depends on, but for the images and the recipe."""
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        state |= optimizer_tensors(self.adam, "adam")
        if self.discriminator is not None:
            state |= {f"discriminator.{k}": v for k, v in self.discriminator.state_dict().items()}
            state |= optimizer_tensors(self.adam_d, "adam_d")
        return state

    def load(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Continue after ``step`` iterations from what :meth:`tensors` gave.

        A state without a discriminator, or without its moments, may go on with one; what is missing starts fresh.

        Raises:
            VdirError: the state belongs to another architecture.
        """
        try:
            self.model.load_state_dict(_under("model.", tensors))
            self.ema.load_state_dict(_under("ema.", tensors))
            load_optimizer(self.adam, tensors, "adam")
            if self.discriminator is not None and (weights := _under("discriminator.", tensors)):
                self.discriminator.load_state_dict(weights)
                if any(name.startswith("adam_d.") for name in tensors):
                    load_optimizer(self.adam_d, tensors, "adam_d")
        except (RuntimeError, ValueError) as error:
            raise VdirError(
                f"the training state does not fit the {self.architecture.kind} architecture; use another run folder."
            ) from error
        self.done = step

    def start_from(self, weights: VDIR) -> int:
        """Take over every tensor of another model that has the same name and shape. Returns how many."""
        own = self.model.state_dict()
        taken = {k: v for k, v in weights.state_dict().items() if k in own and own[k].shape == v.shape}
        self.model.load_state_dict(taken, strict=False)
        self.ema.load_state_dict(taken, strict=False)
        return len(taken)


def _placed(module: M, device: torch.device) -> M:
    module.to(device)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _adam(module: nn.Module, beta1: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=0.0, betas=(beta1, 0.999), fused=True)


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
