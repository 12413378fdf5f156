"""One encoding of an image, which the choice of a task, the estimate and the restoration share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.inference.arrays import Image
from undegrade.inference.engine import Engine, Window
from undegrade.inference.estimates import Estimates
from undegrade.inference.latent_image import LatentImage
from undegrade.inference.tiles import Tile
from undegrade.inference.tiling import over_tiles


@dataclass(frozen=True)
class Look:
    """What the encoder found in one image.

    Attributes:
        latent: q(c|y) everywhere; None if it was not kept.
        estimates: EST(c) everywhere; None if they were not asked for, or are no longer kept.
        size: rows and columns of the image.
        common: the mean of mu over the image, (1, 4, 1, 1); None if the latent was not kept.
        numbers: estimate and spread of the whole image, (P,) each; None if they were not asked for.
    """

    latent: LatentImage | None
    estimates: Estimates | None
    size: tuple[int, int]
    common: Window | None = None
    numbers: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None

    def without_maps(self) -> Look:
        """The same, which keeps of the estimates the numbers only: all that restoring needs."""
        return replace(self, estimates=None)


def look_at(
    engine: Engine,
    x: Image,
    side: int,
    *,
    direct: bool = False,
    latent: bool = True,
    spread: bool = False,
    quantity: Quantity | None = None,
    tick: Callable[[int], None] | None = None,
) -> Look:
    """Encode an image tile by tile.

    Args:
        engine: with the model.
        x: as the model is shown it, (H, W, C); it may be a view with any strides.
        side: largest side of a tile, in pixels.
        direct: see :class:`undegrade.inference.options.RestoreOptions`.
        latent: whether the latent is kept, for restoring.
        spread: whether its log sigma^2 is kept too, for samples.
        quantity: that the estimator estimates; None if it is not to be computed.
        tick: called after each tile with its number of pixels.

    Raises:
        UndegradeError: an estimate is not finite.
    """
    kept = LatentImage(x, spread) if latent else None
    found = Estimates(engine.architecture.params, x) if quantity is not None else None

    def add(tile: Tile, window: Window) -> None:
        posterior = engine.encode(engine.to_model(window, direct))
        if found is not None:
            found.add_tile(engine, posterior, tile)
        if kept is not None:
            kept.add_tile(posterior, tile)
        if tick is not None:
            tick(tile.pixels)

    over_tiles(x, side, engine.reaches.encode, engine, add)
    numbers = None if found is None or quantity is None else found.in_units(quantity)
    return Look(kept, found, (x.shape[0], x.shape[1]), None if kept is None else kept.common(), numbers)
