"""A part of an image: rows and columns of which a restoration is wanted."""

from __future__ import annotations

from typing import Any, NamedTuple


class Part(NamedTuple):
    """Rows and columns [start, stop) of an image.

    Attributes:
        rows: the first, and the one after the last.
        columns: the same along the other axis.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]

    def of(self, x: Any, times: int = 1, divided: int = 1) -> Any:
        """The part of an array or tensor (..., h, w) that has ``times / divided`` the image's resolution: a view."""
        rows, columns = (slice(start * times // divided, -(-stop * times // divided)) for start, stop in self)
        return x[..., rows, columns]

    def around(self, halo: int, stride: int, size: tuple[int, int]) -> Part:
        """The part and what surrounds it.

        Args:
            halo: pixels on each side.
            stride: the result starts and ends on multiples of it.
            size: height and width of the image, where the result ends.
        """
        low = [max((start - halo) // stride * stride, 0) for start, _ in self]
        high = [min(-(-(stop + halo) // stride) * stride, n) for (_, stop), n in zip(self, size, strict=True)]
        return Part((low[0], high[0]), (low[1], high[1]))

    def within(self, other: Part) -> Part:
        """The same place, counted from the start of another part that it lies in."""
        (top, left) = (start for start, _ in other)
        return Part((self.rows[0] - top, self.rows[1] - top), (self.columns[0] - left, self.columns[1] - left))

    @property
    def pixels(self) -> int:
        """How many there are."""
        (top, bottom), (left, right) = self
        return (bottom - top) * (right - left)
