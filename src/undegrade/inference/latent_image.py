"""The latent of a whole image, collected tile by tile: a byte or two per pixel hold what restoring needs."""

from __future__ import annotations

import numpy as np

from undegrade.inference.arrays import Image
from undegrade.inference.engine import Posterior, Window
from undegrade.inference.tiles import Tile, slices
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE


class LatentImage:
    """q(c|y) at every latent position of an image.

    Args:
        x: the image, (H, W, C).
        spread: whether log sigma^2 is kept too; samples need it.
    """

    def __init__(self, x: Image, spread: bool) -> None:
        shape = (1, LATENT_CHANNELS, *(-(-n // LATENT_STRIDE) for n in x.shape[:2]))
        self._mean = np.empty(shape, np.float32)
        self._logvar = np.empty(shape, np.float32) if spread else None

    @property
    def has_spread(self) -> bool:
        """Whether samples can be drawn from it."""
        return self._logvar is not None

    def add_tile(self, posterior: Posterior, tile: Tile) -> None:
        """Keep the posterior of one tile, from that of its window."""
        outer, inner = slices(tile, 1, LATENT_STRIDE), slices(tile, 1, LATENT_STRIDE, inner=True)
        self._mean[:, :, *outer] = posterior.mean[:, :, *inner]
        if self._logvar is not None:
            self._logvar[:, :, *outer] = posterior.logvar[:, :, *inner]

    def common(self) -> Window:
        """The mean of mu over the image, (1, 4, 1, 1), float32, when all tiles were added."""
        mean: Window = self._mean.mean((2, 3), np.float64, keepdims=True).astype(np.float32)
        return mean

    def within(self, tile: Tile) -> Posterior:
        """The posterior of a tile's window; without ``spread`` a point."""
        rows, columns = (slice(*span) for span in latent_span(tile))
        mean = self._mean[:, :, rows, columns]
        logvar = np.full_like(mean, -np.inf) if self._logvar is None else self._logvar[:, :, rows, columns]
        return Posterior(mean, logvar)


def latent_span(tile: Tile) -> tuple[tuple[int, int], tuple[int, int]]:
    """The latent positions [low, high) of a tile's window: rows and columns."""
    rows, columns = ((span.low // LATENT_STRIDE, -(-span.high // LATENT_STRIDE)) for span in tile)
    return rows, columns
