"""What a person may ask of a restoration, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError

MOST = 4.0
"""Largest strength."""
BLEND = 0.25
"""Below this strength the answer also fades into the image."""


@dataclass(frozen=True)
class Wishes:
    """How a person wants an image restored; the default is the model's own answer.

    Attributes:
        strength: 0 gives the image back, 1 is the model's own answer, more (up to 4) takes more away. The latent is
            steered to that of the same image with ``strength`` times the damage. Below :data:`BLEND`, where a latent
            without damage would still restore a little, the answer also fades into the image.
        level: in the units of the task's quantity (noise level, JPEG quality): overrule the estimate. The latent is
            steered until the estimator reads this off it.
        samples: draw so many latents from the posterior instead of taking its mean; return the mean of their answers
            and their standard deviation.
        seed: of the samples.
        self_ensemble: the paper's "+": the mean over the eight flips and rotations, eight times the work. The
            estimate stays that of the image as given.
        direct: the small image was made by direct decimation, as in the paper's tables, and by no ordinary resizer or
            camera: the result belongs (scale - 1) / 2 of its pixels further up and left. Of no meaning at scale 1.
    """

    strength: float = 1.0
    level: float | None = None
    samples: int = 0
    seed: int = 0
    self_ensemble: bool = False
    direct: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MOST:
            raise UndegradeError(f"a strength of {self.strength:g} is out of range; give 0 to {MOST:g}.")
        if self.level is not None and not 0 <= self.level < float("inf"):
            raise UndegradeError(f"a level of {self.level:g} makes no sense; give a number from 0 up.")
        if self.samples < 0 or self.samples == 1:
            raise UndegradeError(f"{self.samples} samples have no spread; draw at least 2, or none.")
        if self.samples and self.self_ensemble:
            raise UndegradeError("samples and self-ensemble do not go together; choose one.")


@dataclass(frozen=True)
class Restoration:
    """What a pipeline returns.

    Attributes:
        image: the restored image, of the kind that was given, ``scale`` times as large along each side. With samples,
            their mean.
        estimate: (P,), f(T) in the units of the task's quantity: EST(c) averaged over draws of c, of a single number
            its median over the places that tell it (:attr:`Quantity.places`), of a kernel's Sigma the mean. None where
            the task has no estimator.
        spread: (P,), how unsure the posterior is of the estimate at a place: the standard deviation of EST(c) under
            q(c|y), averaged over the image, in the same units. None with the estimate.
        std: with samples, (H scale, W scale), float32: the standard deviation of every pixel over the samples (root
            mean square over its channels), where the image's range is 0 to 1. Else None.
    """

    image: Any
    estimate: npt.NDArray[np.float64] | None
    spread: npt.NDArray[np.float64] | None = None
    std: Any = None


@dataclass(frozen=True)
class Survey:
    """What an image suffers from, everywhere.

    Attributes:
        estimate: (P,), :attr:`Restoration.estimate`.
        spread: (P,), :attr:`Restoration.spread`.
        map: (P, ceil(H / 4), ceil(W / 4)), EST of the posterior's mean at every position of the latent, in the same
            units.
    """

    estimate: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    map: npt.NDArray[np.float32]
