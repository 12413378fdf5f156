"""What every restorer p(x|y, c) shares."""

from __future__ import annotations

from torch import nn


class RestorerModule(nn.Module):
    """What every restorer is: a module (y, c) -> xhat that knows how far it sees."""

    @property
    def stride(self) -> int:
        """Input pixels per element of its coarsest level, along each side: a power of 2.

        Where the input moves by a multiple of it, and of the condition's 4, the result moves along, unchanged.
        """
        return 1

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        raise NotImplementedError
