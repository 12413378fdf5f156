"""Degradations y = T(x) + n (eq. 1) as frozen values.

A degradation is called with clean images and an explicit generator and returns what training needs:
the degraded image y and f(T), the known truth about the damage that the estimator EST(c) learns
(eq. 18). The same generator state gives the same pixels.
"""

from vdir.degrade.base import Degradation, Degraded, Quantity
from vdir.degrade.blur import Blur
from vdir.degrade.camera import CameraNoise
from vdir.degrade.either import Either
from vdir.degrade.jpeg import Jpeg
from vdir.degrade.noise import GaussianNoise
from vdir.degrade.resize import OnDirectGrid, Resize, Resizer

__all__ = [
    "Blur",
    "CameraNoise",
    "Degradation",
    "Degraded",
    "Either",
    "GaussianNoise",
    "Jpeg",
    "OnDirectGrid",
    "Quantity",
    "Resize",
    "Resizer",
]
