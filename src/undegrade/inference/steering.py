"""Moves the latent until the estimate equals a level that the user gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from undegrade.degrade.base import Quantity
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, centre, to_float
from undegrade.inference.engine import Engine
from undegrade.inference.estimates import Estimates
from undegrade.inference.tiles import tiles

SIDE = 512
"""Side of the central crop on which the amount is searched, in pixels."""


def amount_of_level(engine: Engine, quantity: Quantity, source: Image, level: float) -> float:
    """The amount for :meth:`Engine.steered` at which the estimate is ``level``.

    It is searched on the central crop of the image, by bisection.

    Args:
        engine: with the model.
        quantity: what its estimator estimates.
        source: (H, W, C).
        level: in the quantity's unit.

    Raises:
        UndegradeError: the estimate is more than one number.
    """
    if quantity.size != 1:
        raise UndegradeError(
            f"the {quantity.name} has {quantity.size} numbers and cannot be overruled by one; leave out level."
        )
    middle = centre(source, SIDE)
    whole = next(tiles(middle.shape[0], middle.shape[1], SIDE, 0, engine.stride))
    y = engine.to_model(to_float(middle))
    xhat = engine.restore(y, engine.pooled(engine.encode(y).mean))

    def read(amount: float) -> float:
        found = Estimates(engine.architecture.params, middle)
        found.add_tile(engine, engine.encode(xhat + np.float32(amount) * (y - xhat)), whole)
        # Near the border of the crop the networks lack the pixels around it: leave these estimates out.
        found = found if middle.shape == source.shape else found.within(engine.networks.both)
        return float(found.in_units(quantity)[0][0])

    return _search(read, level)


def _search(read: Callable[[float], float], target: float, most: float = 64.0, steps: int = 12) -> float:
    """The amount in [0, most] at which the estimate is ``target``, or closest to it.

    A noise level is nearly proportional to the amount; a JPEG quality falls with it. Both are monotone, as bisection
    requires.
    """
    low, high = 0.0, 1.0
    at_low, at_high = read(low), read(high)
    rising = at_high >= at_low
    while (at_high < target) == rising and high < most:
        low, high = high, 2 * high
        at_high = read(high)
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if (read(middle) < target) == rising else (low, middle)
    return (low + high) / 2
