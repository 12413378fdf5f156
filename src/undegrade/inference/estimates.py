"""The estimated degradation of an image, collected tile by tile: EST(c) at every latent position, and for the image."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image
from undegrade.inference.engine import Engine, Posterior
from undegrade.inference.latent_image import latent_span
from undegrade.inference.options import EstimateMap
from undegrade.inference.tiles import Tile, slices
from undegrade.model.latent import LATENT_STRIDE
from undegrade.model.latent_noise import ESTIMATE_DRAWS, latent_noise


class Estimates:
    """EST(c) and its posterior standard deviation at every latent position of an image.

    Attributes:
        drawn: (P, ceil(H / 4), ceil(W / 4)), EST(c) averaged over :data:`ESTIMATE_DRAWS` draws of c ~ q(c|y).
        spread: the same shape, the standard deviation of EST(c) under q(c|y).
        mean: the same shape, EST at the posterior mean.
    """

    def __init__(self, params: int, x: Image) -> None:
        h, w = (-(-n // LATENT_STRIDE) for n in x.shape[:2])
        self.drawn, self.spread, self.mean = (np.empty((params, h, w), np.float32) for _ in range(3))

    def add_tile(self, engine: Engine, posterior: Posterior, tile: Tile) -> None:
        """Add the estimates of one tile, from the posterior of the tile's whole window.

        The draws are seeded by position. Draws are used because the estimator was trained on draws: it is convex, hence
        EST at the posterior mean is lower than the mean of EST(c), for a noise level by half a level.
        """
        outer, inner = slices(tile, 1, LATENT_STRIDE), slices(tile, 1, LATENT_STRIDE, inner=True)
        rows, columns = latent_span(tile)
        (at_mean,) = engine.estimate(posterior.mean)
        differences, squares = np.zeros_like(at_mean), np.zeros_like(at_mean)
        for n in range(ESTIMATE_DRAWS):
            difference = engine.estimate(posterior.at(latent_noise(0, n, rows, columns)))[0] - at_mean
            differences += difference
            squares += np.square(difference)
        self.drawn[:, *outer] = (at_mean + differences / np.float32(ESTIMATE_DRAWS))[:, *inner]
        self.spread[:, *outer] = np.sqrt(squares / np.float32(ESTIMATE_DRAWS))[:, *inner]
        self.mean[:, *outer] = at_mean[:, *inner]

    def within(self, margin: int) -> Estimates:
        """The estimates at least ``margin`` pixels inside the image; all of them if none is."""
        margin //= LATENT_STRIDE
        h, w = self.drawn.shape[1:]
        if min(h, w) <= 2 * margin:
            return self
        inner = copy.copy(self)
        place = slice(margin, -margin or None)
        inner.drawn, inner.spread = self.drawn[:, place, place], self.spread[:, place, place]
        inner.mean = self.mean[:, place, place]
        return inner

    def in_units(self, quantity: Quantity) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Estimate and spread of the whole image, (P,) each, in the quantity's units."""
        learned = quantity.of_image(self.drawn, self.spread)
        spread = self.spread.mean(axis=(1, 2), dtype=np.float64)
        if not (np.isfinite(learned).all() and np.isfinite(spread).all()):
            raise UndegradeError(f"the model's estimate of the {quantity.name} is not finite; use other weights.")
        return quantity.within_range(quantity.decode(learned)), quantity.decode_spread(learned, spread)

    def as_map(self, quantity: Quantity) -> EstimateMap:
        """Estimate and spread of the whole image, and the estimate at every position."""
        return EstimateMap(*self.in_units(quantity), quantity.within_range(quantity.decode(self.mean)))
