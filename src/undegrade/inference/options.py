"""The options of a restoration, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError

MIN_TILE = 4
"""Smallest side of a tile in pixels. A model whose stride is larger takes its stride."""
MAX_STRENGTH = 4.0
"""Largest strength."""
BLEND = 0.25
"""Below this strength the result is blended with the image."""


@dataclass(frozen=True)
class RestoreOptions:
    """How an image is restored; the defaults give the model's own result.

    Attributes:
        strength: 0 returns the image itself, 1 is the model's own result, more (up to 4) removes more. The latent is
            steered to that of the same image with ``strength`` times the damage. Below :data:`BLEND`, where the latent
            of an image without damage would still change it a little, the result is also blended with the image.
        level: overrules the estimate, in the units of the task's quantity (noise level, JPEG quality): the latent is
            steered until the estimator reads this value.
        samples: number of latents drawn from q(c|y) instead of its mean, 0 or at least 2; the result is the mean of
            their restorations, with their standard deviation beside it.
        seed: of the samples, 0 or more.
        self_ensemble: the paper's "+": the mean over the eight flips and rotations, at eight times the cost. The
            estimate is that of the image as given.
        direct: the small image was made by direct decimation, as in the paper's tables, and not by an ordinary resizer
            or a camera: the result lies (scale - 1) / 2 of its pixels further up and left. Without effect at scale 1.
        tile: largest side of a tile in input pixels, at least :data:`MIN_TILE`; None for the
            default. It changes memory and time, never the result.
        memory: bytes that the work on a tile may take, which then chooses the tile; not with ``tile``. Where memory
            runs out all the same, tiles are halved and the work goes on.

    Raises:
        UndegradeError: on construction, if a value is out of its range or two do not go together.
    """

    strength: float = 1.0
    level: float | None = None
    samples: int = 0
    seed: int = 0
    self_ensemble: bool = False
    direct: bool = False
    tile: int | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise UndegradeError(f"a strength of {self.strength:g} is out of range; give 0 to {MAX_STRENGTH:g}.")
        if self.level is not None and not 0 <= self.level < float("inf"):
            raise UndegradeError(f"a level of {self.level:g} makes no sense; give a number from 0 up.")
        if self.samples < 0 or self.samples == 1:
            raise UndegradeError(f"{self.samples} samples have no spread; draw at least 2, or none.")
        if self.seed < 0:
            raise UndegradeError(f"a seed of {self.seed} is negative; give a number from 0 up.")
        if self.samples and self.self_ensemble:
            raise UndegradeError("samples and self-ensemble do not go together; choose one.")
        if self.tile is not None and self.tile < MIN_TILE:
            raise UndegradeError(
                f"a tile of {self.tile} pixels is too small; give {MIN_TILE} or more, or leave it out."
            )
        if self.memory is not None and (self.tile is not None or not 0 < self.memory < float("inf")):
            raise UndegradeError("memory is a number of bytes above 0, and no tile goes with it; give one of the two.")


@dataclass(frozen=True)
class Restoration:
    """What a pipeline returns.

    Attributes:
        image: the restored image, of the kind that was given, ``scale`` times as large along each side. With samples,
            their mean.
        estimate: (P,), f(T) in the units of the task's quantity: EST(c) averaged over draws of c, of a single number
            its median over the places that tell it (:attr:`Quantity.places`), of a kernel's Sigma the mean. None where
            the task has no estimator.
        spread: (P,), the posterior standard deviation of the estimate at a place: that of EST(c) under q(c|y), averaged
            over the image, in the same units. None with the estimate.
        std: with samples, (H scale, W scale), float32: the standard deviation of every pixel over the samples (root
            mean square over its channels), where the image's range is 0 to 1. Else None.
    """

    image: Any
    estimate: npt.NDArray[np.float64] | None
    spread: npt.NDArray[np.float64] | None = None
    std: Any = None


@dataclass(frozen=True)
class EstimateMap:
    """The estimate of the damage at every place of an image.

    Attributes:
        estimate: (P,), :attr:`Restoration.estimate`.
        spread: (P,), :attr:`Restoration.spread`.
        map: (P, ceil(H / 4), ceil(W / 4)), EST of the posterior's mean at every position of the latent, in the same
            units.
    """

    estimate: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    map: npt.NDArray[np.float32]
