"""What a training step costs in arithmetic, to compare its speed with the machine's peak."""

from __future__ import annotations

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
    with torch.device("meta"):
        model = VDIR(architecture)
        y = torch.empty(recipe.batch, architecture.channels, recipe.patch, recipe.patch)
        if model.scale is not None:
            c = model.encode(y).mean
            with FlopCounterMode(display=False) as counter:
                model.restore_with_scale(y, c)
            both: float = counter.get_total_flops()
            with FlopCounterMode(display=False) as counter:
                model.encode(y)
                model.restore(y, c)
            at_rest: float = counter.get_total_flops()
            with FlopCounterMode(display=False) as counter:
                model.restore(y, c)
            alone: float = counter.get_total_flops()
            return at_rest + 3.0 * (both - alone)
        if restorer_alone:
            with FlopCounterMode(display=False) as counter:
                c = model.encode(y).mean
            once: int = counter.get_total_flops()
            with FlopCounterMode(display=False) as counter:
                model.restore(y, c)
            learning: int = counter.get_total_flops()
            return once + 3.0 * learning
        with FlopCounterMode(display=False) as counter:
            c = model.encode(y).mean
            model.restore(y, c)
            model.decode(c, (recipe.patch, recipe.patch))
            model.estimate(c)
        generator: int = counter.get_total_flops()
        if recipe.lambda_adv == 0:
            return 3.0 * generator
        with FlopCounterMode(display=False) as counter:
            Discriminator(architecture.channels)(y)
    judged: int = counter.get_total_flops()
    return 3.0 * generator + (3 * 2 + 2) * judged


def multiply_adds_per_pixel(architecture: Architecture, size: int = 256, scale: bool = False) -> float:
    """Multiply-adds per input pixel of encoder and restorer, as at inference; with ``scale`` also the head's."""
    with torch.device("meta"):
        model = VDIR(architecture)
        y = torch.empty(1, architecture.channels, size, size)
        with FlopCounterMode(display=False) as counter:
            c = model.encode(y).mean
            if scale:
                model.restore_with_scale(y, c)
            else:
                model.restore(y, c)
    total: int = counter.get_total_flops()
    return total / 2 / size**2
