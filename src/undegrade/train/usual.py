"""Which gradients are far longer than usual: their steps are left out.

Now and then one batch has a loss of many times the usual, with a gradient to match. Clipping to a fixed norm does not
help where the usual norm is far smaller, and Muon, whose steps have the same length whatever the gradient's, would go
by that batch for as long as its momentum lasts, some fifty steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

FACTOR = 10.0
"""Times the usual norm from which a gradient is left out."""
_MEMORY = 0.02
"""Share of the newest norm in the mean."""
_STEADY = 50
"""Steps before any is left out: at the start of a run norms change fast."""
_IN_A_ROW = 5
"""So many long gradients in a row are the new usual."""


class UsualNorm:
    """The running mean of the norms of gradients.

    Attributes:
        mean: of those that were not left out; 0 before the first.
        steps: how many it has seen.
        outliers: how many were left out in a row.
    """

    def __init__(self) -> None:
        self.mean, self.steps, self.outliers = 0.0, 0, 0

    def admits(self, norm: float) -> bool:
        """Whether a gradient of this finite norm may be followed; it is then remembered."""
        if self.steps >= _STEADY and norm > FACTOR * self.mean and self.outliers < _IN_A_ROW:
            self.outliers += 1
            return False
        if self.outliers >= _IN_A_ROW:
            self.mean, self.steps = 0.0, 0
        self.outliers = 0
        self.steps += 1
        self.mean += max(_MEMORY, 1 / self.steps) * (norm - self.mean)
        return True

    def tensor(self) -> Tensor:
        """What :meth:`load` takes, (3,), float64."""
        return torch.tensor([self.mean, self.steps, self.outliers], dtype=torch.float64)

    def load(self, values: Tensor) -> None:
        """Go on from what :meth:`tensor` gave."""
        mean, steps, outliers = values.tolist()
        self.mean, self.steps, self.outliers = mean, int(steps), int(outliers)
