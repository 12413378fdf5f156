"""Degradations y = T(x) + n (eq. 1) as frozen values.

A degradation is called with clean images and an explicit generator and returns what training needs:
the degraded image y and f(T), the known truth about the damage that the estimator EST(c) learns
(eq. 18). The same generator state gives the same pixels.
"""

from undegrade.degrade.base import Degradation, Degraded, Quantity
from undegrade.degrade.blur import Blur
from undegrade.degrade.camera import CameraNoise
from undegrade.degrade.jpeg import Jpeg
from undegrade.degrade.mixture import Mixture
from undegrade.degrade.noise import GaussianNoise
from undegrade.degrade.resize import OnDirectGrid, Resize, Resizer

__all__ = [
    "Blur",
    "CameraNoise",
    "Degradation",
    "Degraded",
    "GaussianNoise",
    "Jpeg",
    "Mixture",
    "OnDirectGrid",
    "Quantity",
    "Resize",
    "Resizer",
]
