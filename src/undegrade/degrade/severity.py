"""Degradation along one axis, from mild to strong: the figures of the latent vary it, intervals depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from undegrade.degrade.base import Degradation

Array = NDArray[Any]


class Category(NamedTuple):
    """Images in which a restoration's errors are distributed alike.

    Attributes:
        kind: of degradation; empty where all are alike.
        severity: how strong it is, in a unit of the kind's own; 0 where that is not known.
    """

    kind: str = ""
    severity: float = 0.0


@dataclass(frozen=True)
class Severity:
    """One number that says how much is wrong.

    Attributes:
        name: of the number, e.g. ``"noise level"``.
        symbol: of the number in axes and titles, e.g. ``"σ"``.
        unit: of the number.
        steps: values for Fig. 7, evenly spaced.
        own, mild, strong: the values of Fig. 5: of the image itself, and of less and more degradation.
        reach: how far the latent is steered either way from ``own``.
        at: the degradation of a value.
        read: EST(c) in the quantity's unit, (P, ...), to this number, (...).
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


def first(params: Array) -> Array:
    """The first of the numbers of f(T), (P, ...) -> (...)."""
    return np.asarray(params[0])
