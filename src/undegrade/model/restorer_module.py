"""What every restorer p(x|y, c) shares."""

from __future__ import annotations

from torch import Tensor, nn

from undegrade.model.part import Part


class RestorerModule(nn.Module):
    """What every restorer is: xhat = image(y, h) of features h = features(y, c), and how far it sees.

    Attributes:
        filters: channels of h.
        feature_stride: input pixels per element of h, along each side.
        last_reach: input pixels around a part that its layers behind the coarse levels read, a multiple of
            :attr:`stride`: they alone can be computed of a part. None where they cannot.
    """

    filters: int
    feature_stride: int = 1
    last_reach: int | None = None

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

    @property
    def cell_reach(self) -> int:
        """The same around an area that starts and ends on multiples of :attr:`stride`, at most :attr:`reach`.

        Within a cell of a coarser level, :attr:`reach` counts from the far edge.
        """
        return self.reach

    def features(self, y: Tensor, c: Tensor) -> Tensor:
        """h, the last features: what :meth:`image` reads with a 3x3 convolution, and so does the scale head.

        Args:
            y: (B, C, H, W).
            c: the condition, (B, cond_channels, ceil(H / 4), ceil(W / 4)).

        Returns:
            (B, :attr:`filters`, ceil(H / r), ceil(W / r)) with r = :attr:`feature_stride`.
        """
        raise NotImplementedError

    def features_of(self, y: Tensor, c: Tensor, part: Part) -> Tensor:
        """h of a part of y, from all of y and c, where there is a :attr:`last_reach`.

        It is the same as in :meth:`features` but near those edges of the part that are not edges of y:
        ``image(part.of(y), h)`` is right :attr:`last_reach` pixels away from them.

        Args:
            y, c: as for :meth:`features`.
            part: of y; it starts on multiples of :attr:`stride`, and ends there or with y.

        Returns:
            (B, :attr:`filters`, ceil(rows / r), ceil(columns / r)).
        """
        raise NotImplementedError

    def image(self, y: Tensor, h: Tensor) -> Tensor:
        """xhat, (B, C, H scale, W scale), of y and its features."""
        raise NotImplementedError

    def forward(self, y: Tensor, c: Tensor) -> Tensor:
        """y and c as for :meth:`features` -> xhat, (B, C, H scale, W scale)."""
        return self.image(y, self.features(y, c))
