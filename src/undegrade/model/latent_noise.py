"""Standard-normal noise for latents that depends on where, not on which window it is drawn for.

Samples of a large image are drawn tile by tile; where tiles overlap they must meet the same noise. So the latent's
plane is cut into blocks, and each has a generator of its own, keyed by seed, sample, row and column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from undegrade.model.latent import LATENT_CHANNELS

BLOCK = 64
"""Side of a block in latent positions."""

ESTIMATE_DRAWS = 4
"""Of the posterior, over which EST(c) is averaged: it learned on draws, and being convex reads lower at the mean."""


def latent_noise(seed: int, sample: int, rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Noise of the latent positions [low, high) along both axes: (1, 4, rows, columns), float32."""
    (top, bottom), (left, right) = rows, columns
    noise = np.empty((1, LATENT_CHANNELS, bottom - top, right - left), np.float32)
    for i in range(top // BLOCK, -(-bottom // BLOCK)):
        for j in range(left // BLOCK, -(-right // BLOCK)):
            key = np.random.SeedSequence([seed, sample, i, j])
            block = np.random.Generator(np.random.Philox(key)).standard_normal(
                (LATENT_CHANNELS, BLOCK, BLOCK), np.float32
            )
            y0, y1 = max(top, i * BLOCK), min(bottom, (i + 1) * BLOCK)
            x0, x1 = max(left, j * BLOCK), min(right, (j + 1) * BLOCK)
            noise[0, :, y0 - top : y1 - top, x0 - left : x1 - left] = block[
                :, y0 - i * BLOCK : y1 - i * BLOCK, x0 - j * BLOCK : x1 - j * BLOCK
            ]
    return noise
