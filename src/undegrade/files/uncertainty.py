"""How far off the pixels of a restored file may be: a picture beside it, its record, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade import image
from undegrade.image import Metadata, Picture
from undegrade.image.png import text_chunk
from undegrade.inference.options import Restoration
from undegrade.inference.uncertainty import LEVEL, ROWS

PER_LEVEL = 512
"""Values of the 16-bit picture per 8-bit level: 65535, the largest, stands for 128 levels or more."""
DOUBTFUL = 0.05
"""Share of the pixels, those of the widest intervals, that the sentence is about."""
_DESCRIPTION = (
    f"Half the width of the interval that holds the true value with a probability of {100 * LEVEL:g} %, at each pixel. "
    f"{PER_LEVEL} are one 8-bit level, 1/255 of the range from black to white; 65535 are 128 levels or more."
)


@dataclass(frozen=True)
class UncertaintyRecord:
    """What was found, in 8-bit levels.

    Attributes:
        file: the picture of half-widths.
        level: probability with which an interval holds the true value.
        per_level: values of the picture per 8-bit level.
        median: of the half-widths.
        doubtful: the half-width that a share of :attr:`doubtful_share` of the pixels exceed.
        doubtful_share: 0 to 1.
        words: the same for people.
    """

    file: str
    level: float
    per_level: int
    median: float
    doubtful: float
    doubtful_share: float
    words: str


def uncertainty_path(output: Path) -> Path:
    """Path of the picture of half-widths, next to the result: ``photo.jpg`` -> ``photo-uncertainty.png``."""
    return output.with_name(f"{output.stem}-uncertainty.png")


def write_uncertainty(output: Path, found: Restoration[Any]) -> UncertaintyRecord:
    """Write the half-widths of every pixel's interval as 16-bit grey, with their scale as the file's description.

    Args:
        output: of the result.
        found: restored with ``uncertainty``.

    Raises:
        UndegradeError: the intervals of the model were not measured, or the file cannot be written.
    """
    half = found.half_width(LEVEL)
    pixels = np.empty(half.shape, np.uint16)
    for row in range(0, len(half), ROWS):
        part = np.rint(half[row : row + ROWS] * np.float32(255 * PER_LEVEL))
        pixels[row : row + ROWS] = part.clip(0, 65535).astype(np.uint16)
    path = uncertainty_path(output)
    metadata = Metadata(comments=(text_chunk("Description", _DESCRIPTION),))
    image.write(path, Picture(pixels, metadata=metadata), image.Format.PNG)
    median, doubtful = (_quantile(pixels, share) / PER_LEVEL for share in (0.5, 1 - DOUBTFUL))
    words = (
        f"{100 * DOUBTFUL:g} % of the pixels may be off by more than {doubtful:.{0 if doubtful >= 10 else 1}f} levels"
    )
    return UncertaintyRecord(str(path), LEVEL, PER_LEVEL, round(median, 3), round(doubtful, 3), DOUBTFUL, words)


def _quantile(pixels: npt.NDArray[np.uint16], share: float) -> float:
    """Of 16-bit values, without a sorted copy."""
    counts = np.bincount(pixels.ravel(), minlength=65536).cumsum()
    return float(np.searchsorted(counts, share * counts[-1]))
