"""Where a restoration comes from: what was given, and to which model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.image import Picture


@dataclass(frozen=True)
class Origin:
    """What was given, and to which model.

    Attributes:
        given: the array, tensor or image of Pillow itself, not a copy; of a file, the
            :class:`undegrade.image.Picture` that was read.
        model: name of the model, such as ``"gaussian-fast"``.
        quantity: what its estimator estimates; None if it has none.
        reason: why it was restored or left alone, if nobody gave the task.
    """

    given: Any
    model: str
    quantity: Quantity | None
    reason: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks from reading the file; empty if no file was given."""
        return tuple(self.given.notes) if isinstance(self.given, Picture) else ()

    def words(self, estimate: npt.NDArray[np.float64] | None) -> str:
        """An estimate for people; empty if there is none."""
        return "" if estimate is None or self.quantity is None else self.quantity.words(estimate.tolist())
