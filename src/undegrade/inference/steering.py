"""Moving the latent until the estimator reads a level that the user gives."""

from __future__ import annotations

from collections.abc import Callable

from undegrade.degrade.base import Quantity
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, centre, to_float
from undegrade.inference.engine import Engine
from undegrade.inference.estimates import Estimates
from undegrade.inference.tiles import tiles

SIDE = 512
"""Of the middle of the picture on which the amount is found, in pixels."""


def amount_of_level(engine: Engine, quantity: Quantity, source: Image, level: float) -> float:
    """How many times its damage an image would need for the estimator to read ``level``.

    Found on the middle of the image, by bisection over :meth:`Engine.steered`'s amount.

    Args:
        engine: with the model.
        quantity: what its estimator reads.
        source: (H, W, C).
        level: in the quantity's unit.

    Raises:
        UndegradeError: the estimate is more than one number.
    """
    if quantity.size != 1:
        raise UndegradeError(f"the {quantity.name} has {quantity.size} numbers and cannot be overruled by one.")
    middle = centre(source, SIDE)
    whole = next(tiles(middle.shape[0], middle.shape[1], SIDE, 0, engine.model.stride))
    y = engine.to_model(to_float(middle))
    xhat = engine.restore(y, engine.encode(y).mean)

    def read(amount: float) -> float:
        found = Estimates(engine.model.architecture.params, middle)
        found.add_tile(engine, engine.encode(xhat + amount * (y - xhat)), whole)
        # Around the middle lies more image, which the networks would see.
        found = found if middle.shape == source.shape else found.within(engine.model.reach)
        return float(found.in_units(quantity)[0][0])

    return _search(read, level)


def _search(read: Callable[[float], float], wanted: float, most: float = 64.0, steps: int = 12) -> float:
    """The amount of damage at which the estimator reads ``wanted``, or the nearest to it in [0, most].

    The reading is nearly proportional to the amount where it is a noise level, and falls with it where it is a quality;
    either way it is monotone, as a bisection needs.
    """
    low, high = 0.0, 1.0
    at_low, at_high = read(low), read(high)
    rising = at_high >= at_low
    while (at_high < wanted) == rising and high < most:
        low, high = high, 2 * high
        at_high = read(high)
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if (read(middle) < wanted) == rising else (low, middle)
    return (low + high) / 2
