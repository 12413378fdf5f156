"""The axis from mild to strong degradation along which a task is analysed."""

from __future__ import annotations

from undegrade.degrade import Degradation
from undegrade.degrade.severity import Severity
from undegrade.errors import UndegradeError


def severity(degradation: Degradation) -> Severity:
    """The axis of a task's degradation.

    Raises:
        UndegradeError: the degradation has none.
    """
    axis = degradation.severity
    if axis is None:
        kind = type(degradation).__name__
        raise UndegradeError(
            f"the degradation of this task ({kind}) has no axis from mild to strong, which this analysis needs; "
            f"add a severity to {kind}, or analyse another task."
        )
    return axis
