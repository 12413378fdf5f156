"""What a training step costs in arithmetic, to compare its speed with the machine's peak."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from undegrade.model.architecture import Architecture
from undegrade.model.discriminator import Discriminator
from undegrade.model.vdir import VDIR
from undegrade.tasks.recipe import Recipe


def flops_per_step(architecture: Architecture, recipe: Recipe, restorer_alone: bool = False) -> float:
    """Floating-point operations (2 per multiply-add) of one iteration, backward passes counted as twice forward.

    With ``restorer_alone`` of a step that trains the restorer alone: the encoder runs forward only. Of a model with a
    scale head the same, with the head in the restorer's place.

    The discriminator judges y and yhat in its own step, and yhat once more, forward and to its input only, in the
    generator's.
    """
    return recipe.batch * _flops_per_image(architecture, recipe.patch, recipe.lambda_adv > 0, restorer_alone)


@functools.cache
def _flops_per_image(architecture: Architecture, patch: int, adversarial: bool, restorer_alone: bool) -> float:
    with torch.device("meta"):
        model = VDIR(architecture)
        y = torch.empty(1, architecture.channels, patch, patch)
        c = model.encode(y).mean
        restored = _counted(lambda: model.restore(y, c))
        encoded = _counted(lambda: model.encode(y))
        if model.scale is not None:
            return encoded + restored + 3.0 * (_counted(lambda: model.restore_with_scale(y, c)) - restored)
        if restorer_alone:
            return encoded + 3.0 * restored
        generator = encoded + restored + _counted(lambda: (model.decode(c, (patch, patch)), model.estimate(c)))
        if not adversarial:
            return 3.0 * generator
        discriminator = Discriminator(architecture.channels, normalised=False)  # seconds faster, the same count
        return 3.0 * generator + (3 * 2 + 2) * _counted(lambda: discriminator(y))


def _counted(call: Callable[[], object]) -> int:
    """Floating-point operations of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def multiply_adds_per_pixel(architecture: Architecture, size: int = 256, scale: bool = False) -> float:
    """Multiply-adds per input pixel of encoder and restorer, as at inference; with ``scale`` also the head's."""
    with torch.device("meta"):
        model = VDIR(architecture)
        y = torch.empty(1, architecture.channels, size, size)
        c = model.encode(y).mean
        restore = model.restore_with_scale if scale else model.restore
        total = _counted(lambda: (model.encode(y), restore(y, c)))
    return total / 2 / size**2
