"""A task's damage along one axis, from little to much: what the figures vary.

gaussian   noise level sigma, 8-bit levels         jpeg   quality factor
sr         width of an isotropic blur, pixels^2    real   sigma_s of a camera, sigma_c a third of it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade import Blur, CameraNoise, Degradation, GaussianNoise, Jpeg, Mixture
from undegrade.degrade.blur import Shape

Array = NDArray[Any]


@dataclass(frozen=True)
class Ladder:
    """One number that says how much is wrong.

    Attributes:
        name: what a person calls the number.
        symbol: what axes and titles call it.
        unit: of the number.
        steps: values for Fig. 7, evenly spaced.
        own, mild, strong: the values of Fig. 5: of the image itself, and of less and more damage.
        reach: how far the latent is steered either way from ``own``.
        at: the degradation of a value.
        read: EST(c) in the quantity's unit, (P, ...), to the number it tells, (...).
    """

    name: str
    symbol: str
    unit: str
    steps: tuple[float, ...]
    own: float
    mild: float
    strong: float
    reach: float
    at: Callable[[float], Degradation]
    read: Callable[[Array], Array]

    def label(self, value: float) -> str:
        """E.g. ``"σ 30"``."""
        return f"{self.symbol} {value:g}"


def ladder(degradation: Degradation) -> Ladder:
    """The axis of a task's damage, by the kind of degradation that it trains on.

    Raises:
        ValueError: a degradation that no axis is known for.
    """
    match degradation:
        case GaussianNoise():
            return Ladder(
                name="noise level",
                symbol="σ",
                unit="8-bit levels",
                steps=tuple(range(10, 60, 5)),  # as in Fig. 7
                own=30,
                mild=10,
                strong=50,
                reach=24,
                at=lambda sigma: GaussianNoise((sigma, sigma)),
                read=_first,
            )
        case Jpeg():
            return Ladder(
                name="JPEG quality",
                symbol="QF",
                unit="quality factor",
                steps=tuple(range(10, 91, 10)),
                own=40,
                mild=80,
                strong=10,
                reach=32,
                at=lambda quality: Jpeg((round(quality), round(quality))),
                read=_first,
            )
        case Blur(factor=factor):
            top = 2.5 * factor
            return Ladder(
                name="blur width",
                symbol="width",
                unit="pixels²",
                steps=tuple(np.linspace(1, top, 10).round(2).tolist()),
                own=(1 + top) / 2,
                mild=1,
                strong=top,
                reach=(top - 1) / 2,
                at=lambda width: Blur.fixed(factor, Shape(width, width, 0.0)),
                read=_width,
            )
        case Mixture(first=first):
            return ladder(first)
        case CameraNoise():
            return Ladder(
                name="sensor noise",
                symbol="σs",
                unit="of full irradiance",
                steps=tuple((np.arange(1, 11) * 0.016).round(3).tolist()),
                own=0.06,
                mild=0.02,
                strong=0.14,
                reach=0.05,
                at=lambda shot: CameraNoise(shot=(shot, shot), read=(shot / 3, shot / 3)),
                read=_first,
            )
    raise ValueError(f"there is no ladder for {degradation}")


def _first(params: Array) -> Array:
    """The number itself; of a camera's two the first."""
    return np.asarray(params[0])


def _width(sigma: Array) -> Array:
    """Half the trace of a kernel's covariance, in pixels^2: for an isotropic Gaussian its width."""
    return np.asarray((sigma[0] + sigma[1]) / 2)
