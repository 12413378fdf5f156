"""The options of ``undegrade train``, and their checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from undegrade.degrade import Degradation, GaussianNoise
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.tasks import Task, check_variant, task_named
from undegrade.tasks.recipe import Recipe

RECIPE_FIELDS = (
    "steps", "batch", "patch", "lr", "lambda_adv", "lambda_est", "latent_warmup_steps", "freeze_latent_from",
    "by_image", "seed",
)  # fmt: skip
"""Options that replace the recipe's field of the same name."""

_HEAD_WARMUP = 50
"""Steps of warm-up of a scale head, at most."""
_HEAD_RATE = 5e-3
"""Its learning rate. After 350 steps at 1e-3, b and error of held-out pictures went together less well (correlation of
their logarithms 0.81 to 0.88) than at 1e-2 (0.87 to 0.94)."""

_INT8_RATE, _INT8_STEPS, _INT8_BATCH, _INT8_PATCH = 3e-5, 200, 8, 64
"""Of a fine-tuning for int8. At several times the rate the weights leave what they are to follow."""

_AT_LEAST = {
    "steps": 1, "batch": 1, "patch": 1, "lr": 0, "lambda_adv": 0, "lambda_est": 0, "latent_warmup_steps": 0,
    "freeze_latent_from": 0, "seed": 0, "stop_at": 1, "pixels": 1, "validate_every": 1, "log_every": 1,
    "save_minutes": 0, "minutes": 0, "cooldown": 0, "sidd_megapixels": 0,
}  # fmt: skip

_MOST = 10**15
"""No number of steps, pixels or minutes is larger."""


@dataclass(frozen=True)
class TrainOptions:
    """The command line of ``undegrade train``, where each is explained; None for what was not given."""

    task: str
    data: Path
    out: Path
    variant: str | None = None
    recipe: str | None = None
    only: list[str] | None = None
    licence: str = "not stated"
    val: Path | None = None
    sidd: Path | None = None
    sidd_share: float = 0.5
    sidd_megapixels: float = 320.0
    init: Path | None = None
    init_parts: list[str] | None = None
    steps: int | None = None
    batch: int | None = None
    patch: int | None = None
    lr: float | None = None
    lambda_adv: float | None = None
    lambda_est: float | None = None
    no_latent: bool = False
    two_stage: bool = False
    scale_head: bool = False
    int8: bool = False
    sigma: list[float] | None = None
    latent_warmup_steps: int | None = None
    freeze_latent_from: int | None = None
    by_image: bool | None = None
    seed: int | None = None
    open_ended: bool = False
    cooldown: float | None = None
    stop_at: int | None = None
    pixels: float = math.inf
    minutes: float = math.inf
    validate_every: int = 1000
    log_every: int = 100
    save_minutes: float = 5.0
    compact: bool = False
    device: str | None = None
    compile: str = "auto"
    convolution: str = "auto"


@dataclass(frozen=True)
class Plan:
    """What is trained, and how: the options and the task's defaults together."""

    task: Task
    variant: str
    recipe_name: str
    recipe: Recipe
    architecture: Architecture
    degradation: Degradation


def plan(options: TrainOptions) -> Plan:
    """Bring options and defaults together.

    Raises:
        UndegradeError: there is no such task, variant or recipe, or a number makes no sense.
    """
    _check_numbers(options)
    task = task_named(options.task)
    variant = options.variant or next(iter(task.variants))
    check_variant(task, variant)
    recipes = task.recipes[variant]
    name = options.recipe or next(iter(recipes))
    if name not in recipes:
        raise UndegradeError(f"{task.name} {variant} has no recipe {name!r}; choose one of {', '.join(recipes)}.")
    given = {k: getattr(options, k) for k in RECIPE_FIELDS if getattr(options, k) is not None}
    if options.steps is not None and (options.open_ended or options.cooldown is not None):
        raise UndegradeError("a run without end has no number of steps; leave out --steps or --open-ended.")
    recipe = replace(recipes[name], **given)
    if options.int8:
        recipe = _for_int8(recipe, options)
    if options.open_ended or options.cooldown is not None:
        recipe = recipe.open_ended()
    architecture = task.variants[variant]
    if options.no_latent:
        # Nothing but the restorer learns, from the first step on.
        architecture = replace(architecture, conditioning=Conditioning.NONE)
        recipe = replace(recipe, latent_warmup_steps=0, freeze_latent_from=0, lambda_adv=0.0, lambda_est=0.0)
        variant = f"{variant}-no-latent"
    if options.two_stage:
        if recipe.lambda_est == 0:
            raise UndegradeError(
                "a two-stage model needs an estimate to condition its restorer on; give --lambda-est above 0."
            )
        architecture = replace(architecture, conditioning=Conditioning.ESTIMATE)
        # One kind of step from the first to the last; nothing is asked of the latent itself.
        recipe = replace(recipe, latent_warmup_steps=0, freeze_latent_from=None, lambda_adv=0.0, beta=0.0)
        variant = f"{variant}-two-stage"
    if options.scale_head:
        if options.init_parts is not None:
            raise UndegradeError("a scale head learns on a whole model; leave out --init-parts.")
        architecture = replace(architecture, scale_head=True)
        # One kind of step for all, and only as long a warm-up as so short a run has room for.
        recipe = replace(
            recipe, latent_warmup_steps=0, freeze_latent_from=None, lambda_adv=0.0, lambda_est=0.0, muon=False,
            warmup=min(recipe.warmup, _HEAD_WARMUP), lr=_HEAD_RATE if options.lr is None else options.lr,
        )  # fmt: skip
    degradation = task.degradation if options.sigma is None else _between(task, *options.sigma)
    if options.sidd is not None:
        _check_sidd(options, task, recipe)
    return Plan(task, variant, name, recipe, architecture, degradation)


def _for_int8(recipe: Recipe, options: TrainOptions) -> Recipe:
    """The recipe of a fine-tuning for int8: short, at a low rate, in float32, whose rounding is not in the way."""
    if options.scale_head or options.no_latent or options.two_stage:
        raise UndegradeError(
            "--int8 is for finished weights of the method itself; leave out --scale-head, --no-latent and --two-stage."
        )
    if options.init_parts is not None:
        raise UndegradeError("whole models are fine-tuned for int8; leave out --init-parts.")
    return replace(
        recipe, int8=True, latent_warmup_steps=0, freeze_latent_from=None, lambda_adv=0.0, muon=False, half=False,
        warmup=min(recipe.warmup, _HEAD_WARMUP), lr_floor=0.0,
        lr=options.lr or _INT8_RATE, steps=options.steps or _INT8_STEPS, batch=options.batch or _INT8_BATCH,
        patch=options.patch or _INT8_PATCH,
    )  # fmt: skip


def _check_numbers(options: TrainOptions) -> None:
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        if value is not None and not value >= least:
            flag = f"--{name.replace('_', '-')}"
            raise UndegradeError(f"{flag} {value:g} makes no sense; give a number of {least} or more.")
        if value is not None and value > _MOST and not (name in ("pixels", "minutes") and math.isinf(value)):
            flag = f"--{name.replace('_', '-')}"
            raise UndegradeError(f"{flag} is too large to make sense; give a number of at most {_MOST:g}.")
    if not 0 <= options.sidd_share <= 1:
        raise UndegradeError(f"--sidd-share {options.sidd_share:g} is no share; give a number between 0 and 1.")


def _check_sidd(options: TrainOptions, task: Task, recipe: Recipe) -> None:
    """Whether pairs of photographs make sense."""
    if not task.blocks:
        raise UndegradeError(f"--sidd is for tasks of photographs, which {task.name} is not; leave it out.")
    if recipe.lambda_est > 0:
        raise UndegradeError(
            "what the cameras of SIDD did is not known and cannot be learned; leave --lambda-est at 0."
        )


def _between(task: Task, low: float, high: float) -> Degradation:
    """The task's noise, but of these levels."""
    if not isinstance(task.degradation, GaussianNoise):
        raise UndegradeError(f"--sigma is for white noise, which {task.name} is not about; leave it out.")
    if not 0 <= low <= high <= 255:
        raise UndegradeError(
            f"--sigma {low:g} {high:g} is no range of noise levels; give the lower one first, both of 0 to 255."
        )
    return replace(task.degradation, sigma=(low, high))
