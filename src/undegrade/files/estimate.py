"""The estimated degradation of a picture, with names, units and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undegrade.inference.look import Look
from undegrade.inference.pipeline import Pipeline


@dataclass(frozen=True)
class Estimate:
    """The estimated degradation.

    Attributes:
        name: of the quantity, e.g. ``"noise level"``.
        unit: of the quantity.
        values: (P,).
        spread: their posterior standard deviations, (P,).
        words: a description for people.
        names: of the values, (P,).
        units: of the values, (P,).
    """

    name: str
    unit: str
    values: tuple[float, ...]
    spread: tuple[float, ...]
    words: str
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


def estimate_of(pipeline: Pipeline, look: Look) -> Estimate | None:
    """What a pipeline's estimator found in a picture that it looked at; None if the task has no estimator."""
    return None if look.numbers is None else in_words(pipeline, *look.numbers)


def in_words(
    pipeline: Pipeline, estimate: npt.NDArray[np.float64] | None, spread: npt.NDArray[np.float64] | None
) -> Estimate | None:
    """A pipeline's estimate, (P,), and its standard deviation with names and units; None if there is none."""
    quantity = pipeline.quantity
    if estimate is None or spread is None or quantity is None:
        return None
    values, parts = tuple(map(float, estimate)), quantity.parts
    return Estimate(
        quantity.name, quantity.unit, values, tuple(map(float, spread)), quantity.words(values),
        tuple(name for name, _ in parts), tuple(unit for _, unit in parts),
    )  # fmt: skip
