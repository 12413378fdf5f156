"""The values that are black and white in a 16-bit image: cameras and microscopes use only part of the range.

Ten, twelve or fourteen bits in a 16-bit file, often above an offset, are a dark grey to a model that was trained on
images in [0, 1]. They are scaled to that range, restored, and scaled back to where they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import LARGEST_FLOAT, Image

WHITE = 65535
PART = 0.25
"""An image that uses less than this part of the 16-bit range, fourteen bits, is scaled."""
LEAST = 255
"""Values between black and white, at least: fewer would make the steps between them visible."""


@dataclass(frozen=True)
class Range:
    """The values of a uint16 image that are shown to the model as 0 and 1. Values outside stay outside.

    Attributes:
        black, white: 0 <= black < white <= 65535.
    """

    black: float
    white: float

    @property
    def is_full(self) -> bool:
        """Whether nothing is to be scaled."""
        return (self.black, self.white) == (0, WHITE)

    @property
    def note(self) -> str:
        """For people."""
        return (
            f"{self.black:g} was taken as black and {self.white:g} as white, of {WHITE}; --white N gives another white"
        )

    def scaled(self, x: Image) -> npt.NDArray[np.float32]:
        """uint16 -> float32, black as 0 and white as 1."""
        y = x.astype(np.float32)
        y -= np.float32(self.black)
        y /= np.float32(self.white - self.black)
        return y

    def back(self, y: npt.NDArray[np.float32]) -> Image:
        """The inverse of :meth:`scaled`: exact for what it gave; other values are rounded, and clipped to uint16."""
        x = y * np.float32(self.white - self.black)
        x += np.float32(self.black)
        back: Image = np.rint(x, out=x).clip(0, WHITE).astype(np.uint16)
        return back


FULL = Range(0, WHITE)


def find_range(x: Image, white: float | None = None) -> Range:
    """Black and white of an image.

    Args:
        x: (H, W, C) of any type that images have.
        white: given by the user; black is then 0.

    Returns:
        :data:`FULL` unless it is a uint16 image with less than a quarter of the range in use, or ``white`` says so.

    Raises:
        UndegradeError: ``white`` is out of range or far below the image's values, or the image is not uint16.
    """
    if white is not None:
        if x.dtype != np.uint16:
            raise UndegradeError(f"white is for 16-bit images, and this one is {x.dtype}; leave it out.")
        if not 1 <= white <= WHITE:
            raise UndegradeError(f"a white of {white:g} is out of range; give 1 to {WHITE}.")
        if (largest := int(x.max())) > LARGEST_FLOAT * white:
            raise UndegradeError(
                f"a white of {white:g} is too low for an image with values up to {largest}; give more."
            )
        return Range(0, white)
    if x.dtype != np.uint16:
        return FULL
    low, high = int(x.min()), int(x.max())
    if high - low >= PART * WHITE or high == low:
        return FULL
    used = np.flatnonzero(np.bincount(x.ravel(), minlength=WHITE + 1))
    if np.gcd.reduce(np.diff(used)) >= 256:  # eight bits, spread over sixteen: a dark picture
        return FULL
    if high - low < LEAST:
        low = min(low, WHITE - LEAST)
        high = low + LEAST
    return Range(low, high)
