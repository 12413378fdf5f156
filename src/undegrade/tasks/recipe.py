"""How a model is trained: one frozen value, and three named presets.

:data:`PAPER` is the paper's section IV-F with the authors' weights where it is silent. :data:`SHORT` is for
short runs: a higher rate with warm-up and cosine decay, gradient clipping, an average of the weights. :data:`SHORT_CPU`
is for CPUs.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any


class Decay(enum.StrEnum):
    """How the learning rate falls."""

    HALVING = "halving"
    COSINE = "cosine"
    CONSTANT = "constant"
    """Not at all: a run that never ends, from which others branch off to cool down."""
    LINEAR = "linear"
    SQUARE_ROOT = "square root"
    """By 1 - sqrt(progress): fast at first, then long near the floor."""


_OLD_NAMES = {"lead": "latent_warmup_steps", "rest_from": "freeze_latent_from"}
"""Fields of recipes on cards and in states written before version 0.2."""


@dataclass(frozen=True)
class Recipe:
    """Everything about a training run but the model and the data.

    Attributes:
        steps: iterations (one discriminator and one generator step each); None for a run without end, whose rate is
            :attr:`Decay.CONSTANT`.
        batch: images per step over all processes together.
        patch: side of the clean crops, in pixels of y (times the scale in pixels of x).
        lr: Adam's learning rate after warm-up, for generator and discriminator.
        lr_floor: where the decay ends.
        warmup: steps of linear rise from 0.
        decay: halved every ``halve_every`` steps down to the floor, constant, or a curve from ``hold`` to ``steps``.
        halve_every: for :attr:`Decay.HALVING`.
        hold: the step at which a decay over the whole length starts.
        beta: weight of the KL term, averaged over latent elements.
        lambda_adv: lambda_1, weight of the adversarial term; 0 trains without a discriminator.
        lambda_est: lambda_2, weight of the estimation term.
        clip: largest norm of the generator's gradient; inf does not clip.
        ema: decay of the averaged weights, which are what is kept; 0 keeps the last weights.
        grey: share of crops turned grey, so that a colour model serves grey images too.
        muon: whether the square convolutions of restorer and encoder, nearly all of their weights, learn by Muon
            (:mod:`undegrade.train.muon`) instead of Adam.
        latent_warmup_steps: train everything except the restorer, which is most of the work, for so many first steps.
        freeze_latent_from: the step from which encoder, decoder and estimator keep their weights and only the restorer
            learns, on latents drawn from q(c|y); None never.
        by_image: the restoration term weighs a decibel of each image alike
            (:func:`undegrade.model.objective.restoration_loss`), where eq. (14) weighs each level of error alike.
        half: convolve in bfloat16 on a CPU that multiplies it natively, at twice the speed; the weights stay in
            float32. A GPU always does.
        int8: finished weights are fine-tuned for int8 (:mod:`undegrade.model.int8`).
        seed: of everything random in the run.

    Raises:
        ValueError: the run has no end, but its rate falls over its length.
    """

    steps: int | None
    batch: int
    patch: int
    lr: float
    lr_floor: float
    warmup: int = 0
    decay: Decay = Decay.COSINE
    halve_every: int = 100_000
    hold: int = 0
    beta: float = 0.01
    lambda_adv: float = 1e-3
    lambda_est: float = 1.0
    clip: float = math.inf
    ema: float = 0.0
    grey: float = 0.0
    muon: bool = False
    latent_warmup_steps: int = 0
    freeze_latent_from: int | None = None
    by_image: bool = False
    half: bool = False
    int8: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is None and self.decay not in (Decay.CONSTANT, Decay.HALVING):
            raise ValueError(f"a rate that falls as {self.decay} needs a last step")

    def learning_rate(self, step: int) -> float:
        """The learning rate of iteration ``step``, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.decay is Decay.HALVING:
            return max(self.lr * 0.5 ** (step // self.halve_every), self.lr_floor)
        if self.decay is Decay.CONSTANT or self.steps is None:
            return self.lr
        start = max(self.hold, self.warmup)
        progress = min(max((step - start) / max(self.steps - start, 1), 0.0), 1.0)
        left = {
            Decay.COSINE: 0.5 * (1 + math.cos(math.pi * progress)),
            Decay.LINEAR: 1 - progress,
            Decay.SQUARE_ROOT: 1 - math.sqrt(progress),
        }[self.decay]
        return self.lr_floor + (self.lr - self.lr_floor) * left

    def open_ended(self) -> Recipe:
        """The same at a constant rate and without a last step."""
        return replace(self, steps=None, decay=Decay.CONSTANT)

    def cooldown(self, start: int, steps: int, decay: Decay) -> Recipe:
        """The same as far as step ``start``, then down to the floor within ``steps``."""
        return replace(self, steps=start + steps, hold=start, decay=decay)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, the inverse of :meth:`from_dict`."""
        values = asdict(self)
        return {**values, "decay": str(self.decay), "clip": None if math.isinf(self.clip) else self.clip}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Rebuild from :meth:`to_dict`; fields newer than the description take their defaults, which change nothing.

        Raises:
            ValueError: a field is missing that has no default, or one is there that this version does not know.
        """
        values = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
        known = {f.name: f.default is MISSING for f in fields(cls)}
        wrong = set(values) - set(known) | {name for name, needed in known.items() if needed and name not in values}
        if wrong:
            raise ValueError(f"not a recipe of this version: differs in {sorted(wrong)}")
        changed: dict[str, Any] = {"decay": Decay(values.get("decay", cls.decay))}
        if values.get("clip", math.inf) is None:
            changed["clip"] = math.inf
        return cls(**{**values, **changed})


PAPER = Recipe(
    steps=400_000,
    batch=16,
    patch=96,
    lr=2e-4,
    lr_floor=2e-5,
    decay=Decay.HALVING,
    halve_every=100_000,
    beta=0.01,
    lambda_adv=1e-3,
    lambda_est=1.0,
)
"""Section IV-F: Adam 2e-4, halved every 100,000 iterations until 2e-5, which is met at about 400,000."""

SHORT = Recipe(
    steps=150_000,
    batch=16,
    patch=96,
    lr=6e-4,
    lr_floor=1e-6,
    warmup=1_000,
    decay=Decay.COSINE,
    beta=0.01,
    lambda_adv=1e-3,
    lambda_est=1.0,
    clip=1.0,
    ema=0.999,
    grey=0.1,
)
"""For half an hour on a large GPU: all terms, cosine decay, averaged weights."""

SHORT_CPU = Recipe(
    steps=24_000,
    batch=12,
    patch=64,
    lr=1e-3,
    lr_floor=1e-6,
    warmup=500,
    decay=Decay.COSINE,
    beta=0.01,
    lambda_adv=0.0,
    lambda_est=1.0,
    clip=1.0,
    ema=0.999,
    grey=0.1,
    muon=True,
    freeze_latent_from=12_000,
    half=True,
)
"""For the fast variants on a CPU: small crops; no adversarial term, whose discriminator would double the arithmetic of
a step (:func:`undegrade.train.flops.flops_per_step`); Muon, which learns more in a step; bfloat16 where the CPU
has it; the second half for the restorer alone, whose steps cost two thirds."""
