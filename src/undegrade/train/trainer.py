"""One training step of eqs. (16)-(19), and everything that must survive a kill.

    discriminator step   Adam on -log D(y) - log(1 - D(yhat)),                      yhat detached
    generator step       Adam on |x - xhat| + beta KL + |y - yhat| + lambda_1 adv + lambda_2 |f(T) - EST(c)|

A two-stage model (eqs. (6)-(7)) has one step instead: Adam on |x - xhat| for the restorer, and on
lambda_2 |f(T) - EST(c)| for encoder and estimator, with c = mu(y). A model with a scale head has another one: Adam on
|x - xhat| / b + log 2b for the head; nothing else of it learns. A model in int8 follows the same one in float32.
:mod:`undegrade.train.steps` has all kinds.

The randomness of step n depends on (seed, n) alone: a resumed run sees the same crops and noise, and so does every
process of a distributed run, which draws the whole batch and keeps its share.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from undegrade.data.batches import Source
from undegrade.errors import UndegradeError
from undegrade.model import int8
from undegrade.model.architecture import Architecture
from undegrade.model.discriminator import Discriminator
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE
from undegrade.model.vdir import VDIR
from undegrade.tasks.recipe import Recipe
from undegrade.train import selection, steps
from undegrade.train.convolution import install
from undegrade.train.optimizers import adam, average_gradients, optimizers_of
from undegrade.train.passes import Passes
from undegrade.train.state import load_optimizer, optimizer_tensors
from undegrade.train.steps import Batch
from undegrade.train.usual import UsualNorm

MAX_SKIPPED = 20
"""So many non-finite steps in a row mean that the run has diverged."""
CALIBRATION = 150_000
"""Pixels of crops by which the first scales of int8 are chosen."""
M = TypeVar("M", bound=nn.Module)

PARTS = ("encoder", "restorer", "decoder", "estimator", "scale")


class Trainer:
    """Networks, averaged weights and optimizers of a run, and the step that changes them.

    Args:
        architecture: of the model.
        source: where the batches come from, on the device to train on.
        recipe: how to train.
        compile_mode: a mode of torch.compile, or None for eager.
    """

    def __init__(
        self, architecture: Architecture, source: Source, recipe: Recipe, compile_mode: str | None = None
    ) -> None:
        self.architecture, self.source, self.recipe = architecture, source, recipe
        self.device = source.device
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if recipe.batch % self.world:
            raise UndegradeError(
                f"a batch of {recipe.batch} cannot be shared by {self.world} processes; use a multiple."
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = VDIR(architecture)
            discriminator = Discriminator(architecture.channels) if recipe.lambda_adv > 0 else None
        self.teacher: VDIR | None = None
        if recipe.int8:
            teacher, model = model, int8.int8(model)
            self.teacher = _placed(teacher, self.device).requires_grad_(False)
            model.decoder.requires_grad_(False)
            model.estimator.requires_grad_(False)
        self.model = _placed(model, self.device)
        if self.model.scale is not None:  # it learns alone
            self.model.requires_grad_(False)
            self.model.scale.requires_grad_(True)
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizers = optimizers_of(self.model, recipe)
        self.discriminator = _placed(discriminator, self.device) if discriminator is not None else None
        if self.discriminator is not None:
            self.optimizers_d = {"adam_d": adam(self.discriminator.parameters(), beta1=0.5)}
        self.passes = Passes(self.model, compile_mode)
        self.use(selection.usual(recipe.half))
        self.done = 0
        self.skipped = 0
        self.usual = {name: UsualNorm() for name in ("model", "discriminator")}
        self.data_seconds = 0.0

    def use(self, path: str) -> None:
        """Compute convolutions on the CPU in the way of this name in :data:`undegrade.train.selection.PATHS`.

        Raises:
            UndegradeError: there is no such way here.
        """
        kernels, self._half = selection.build(path)
        install(self.model, kernels)
        self.path = path

    def gradients(self, batch: Batch) -> list[Tensor]:
        """Of :func:`undegrade.train.steps.loss_of_most`, of every weight that learns and that it depends on."""
        with self.precision():
            loss = steps.loss_of_most(self, batch)
        learning = [p for p in self.model.parameters() if p.requires_grad]
        return [g for g in torch.autograd.grad(loss, learning, allow_unused=True) if g is not None]

    def batch(self, step: int) -> Batch:
        """The data of a step: crops, their degraded versions, f(T), and the latent's noise."""
        recipe, b = self.recipe, self.recipe.batch
        generator = torch.Generator(self.device).manual_seed(_seed(recipe.seed, step))
        x, y, params = self.source.draw(b, recipe.patch, generator)
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
        """One iteration. Returns :data:`undegrade.train.steps.TERMS` on the device, averaged over processes."""
        lr = self.recipe.learning_rate(self.done)
        frozen = self.recipe.freeze_latent_from is not None and self.done >= self.recipe.freeze_latent_from
        if frozen and self.done == self.recipe.freeze_latent_from:
            self._freeze_latent()
        started = time.perf_counter()
        batch = self.batch(self.done)
        self.data_seconds += time.perf_counter() - started

        work = steps.kind_at(self.done, self.architecture, self.recipe)
        values, norm = work(self, batch, lr)
        self._average_weights()
        self.done += 1
        return self._across_processes(torch.stack([*values, norm]).detach())

    def _freeze_latent(self) -> None:
        """Give the parts that are frozen from now on their averaged weights, which are those that will be kept."""
        for part, averaged in ((self.model.encoder, self.ema.encoder), (self.model.decoder, self.ema.decoder),
                               (self.model.estimator, self.ema.estimator)):  # fmt: skip
            part.load_state_dict(averaged.state_dict())

    def descend(self, loss: Tensor, optimizers: Mapping[str, torch.optim.Optimizer], lr: float, clip: float) -> Tensor:
        """Back-propagate, average over processes, clip, and step, unless a gradient is not finite or an outlier."""
        groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
        for optimizer in optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for group in groups for p in group["params"] if p.grad is not None]
        average_gradients(parameters, self.world)
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        found, usual = norm.item(), self.usual["model" if optimizers is self.optimizers else "discriminator"]
        if math.isfinite(found):
            self.skipped = 0
            if not usual.admits(found):
                print(f"step {self.done} is left out: its gradient is {found / usual.mean:.0f} times as long as usual",
                      file=sys.stderr)  # fmt: skip
                return norm
            for group in groups:
                group["lr"] = lr
            for optimizer in optimizers.values():
                optimizer.step()
            return norm
        self.skipped += 1
        if self.skipped > MAX_SKIPPED:
            raise UndegradeError(
                f"training diverged: {self.skipped} steps in a row up to step {self.done} had gradients that are not "
                "finite; resume from the last state with a lower learning rate."
            )
        return torch.zeros_like(norm)

    def _average_weights(self) -> None:
        """EMA of the weights, quicker at the start so that the random start is forgotten."""
        decay = min(self.recipe.ema, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.model.parameters()), 1 - decay)

    def _across_processes(self, values: Tensor) -> Tensor:
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def precision(self) -> AbstractContextManager[object]:
        if self.device.type == "cuda" or self._half:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def tensors(self) -> dict[str, Tensor]:
        """Everything the next step depends on, but for the images and the recipe."""
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        optimizers = self.optimizers
        if self.discriminator is not None:
            state |= {f"discriminator.{k}": v for k, v in self.discriminator.state_dict().items()}
            optimizers = optimizers | self.optimizers_d
        if self.teacher is not None:
            state |= {f"teacher.{k}": v for k, v in self.teacher.state_dict().items()}
        for name, optimizer in optimizers.items():
            state |= optimizer_tensors(optimizer, name)
        return state | {f"usual.{name}": usual.tensor() for name, usual in self.usual.items() if usual.steps}

    def load(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Continue after ``step`` iterations from what :meth:`tensors` gave.

        A state without a discriminator, or without its moments, may go on with one; what is missing starts fresh.

        Raises:
            UndegradeError: the state belongs to another architecture.
        """
        try:
            self.model.load_state_dict(_under("model.", tensors))
            self.ema.load_state_dict(_under("ema.", tensors))
            if self.teacher is not None:
                self.teacher.load_state_dict(_under("teacher.", tensors))
            for name, optimizer in self.optimizers.items():
                load_optimizer(optimizer, tensors, name)
            if self.discriminator is not None and (weights := _under("discriminator.", tensors)):
                self.discriminator.load_state_dict(weights)
                if any(name.startswith("adam_d.") for name in tensors):
                    load_optimizer(self.optimizers_d["adam_d"], tensors, "adam_d")
            for name, usual in self.usual.items():
                if f"usual.{name}" in tensors:
                    usual.load(tensors[f"usual.{name}"])
        except (RuntimeError, ValueError) as error:
            raise UndegradeError(
                f"the training state does not fit the {self.architecture.restorer} restorer and its "
                "optimizer; use another run folder."
            ) from error
        self.done = step

    def start_from(self, weights: VDIR, parts: Sequence[str] = PARTS) -> int:
        """Take over every tensor of another model's parts that has the same name and shape. Returns how many."""
        own = self.model.state_dict()
        given = {k: v for k, v in weights.state_dict().items() if k.partition(".")[0] in parts}
        taken = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
        self.model.load_state_dict(taken, strict=False)
        if self.teacher is not None:
            self.teacher.load_state_dict(taken, strict=False)
            generator = torch.Generator(self.device).manual_seed(self.recipe.seed)
            crops = max(round(CALIBRATION / self.recipe.patch**2), 1)
            int8.calibrate(self.model, self.source.draw(crops, self.recipe.patch, generator).y)
            taken = self.model.state_dict()
        self.ema.load_state_dict(taken, strict=False)
        return len(taken)


def _placed(module: M, device: torch.device) -> M:
    module.to(device)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
