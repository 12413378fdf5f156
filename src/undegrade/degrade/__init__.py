"""Degradations y = T(x) + n (eq. 1) as frozen values.

A degradation is called with clean images and an explicit generator and returns what training needs:
the degraded image y and f(T), the known truth about the degradation that the estimator EST(c) learns
(eq. 18). The same generator state gives the same pixels.
"""

from undegrade.degrade.additive import AdditiveNoise, Channels
from undegrade.degrade.base import Degradation, Degraded, Quantity
from undegrade.degrade.blur import Blur
from undegrade.degrade.camera import CameraNoise
from undegrade.degrade.compose import Chain, OneOf, Rounded, Sparing
from undegrade.degrade.impulse import Impulse, Impulses
from undegrade.degrade.jpeg import Jpeg
from undegrade.degrade.mixture import Mixture
from undegrade.degrade.noise import GaussianNoise
from undegrade.degrade.noise_grain_quality import NOISE_GRAIN_QUALITY, Measured, Nothing
from undegrade.degrade.numbers import Number, Numbers
from undegrade.degrade.resize import OnDirectGrid, Resize, Resizer
from undegrade.degrade.saved import Codec, Saved
from undegrade.degrade.signal_noise import PoissonGaussian, Speckle

__all__ = [
    "NOISE_GRAIN_QUALITY",
    "AdditiveNoise",
    "Blur",
    "CameraNoise",
    "Chain",
    "Channels",
    "Codec",
    "Degradation",
    "Degraded",
    "GaussianNoise",
    "Impulse",
    "Impulses",
    "Jpeg",
    "Measured",
    "Mixture",
    "Nothing",
    "Number",
    "Numbers",
    "OnDirectGrid",
    "OneOf",
    "PoissonGaussian",
    "Quantity",
    "Resize",
    "Resizer",
    "Rounded",
    "Saved",
    "Sparing",
    "Speckle",
]
