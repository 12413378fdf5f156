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
from undegrade.inference.uncertainty import LEVEL, ROWS, half_widths

PER_LEVEL = 512
"""Values of the 16-bit picture per 8-bit level: 65535, the largest, stands for 128 levels or more."""
DOUBTFUL = 0.05
"""Share of the pixels, those of the widest intervals, that the sentence is about."""
_DESCRIPTION = (
    f"Half the width of the interval that holds the true value with a probability of {100 * LEVEL:g} %, at each pixel. "
    f"{PER_LEVEL} are one 8-bit level, 1/255 of the range from black to white; 65535 are 128 levels or more. One 8-bit "
    "level is {values:g} of this picture's values."
)


@dataclass(frozen=True)
class UncertaintyRecord:
    """What was found, in 8-bit levels.

    Attributes:
        file: the picture of half-widths.
        level: probability with which an interval holds the true value.
        per_level: values of the picture of half-widths per 8-bit level.
        level_values: what one 8-bit level is in values of the restored picture: 1 of 8 bits, 257 of 16; less where the
            picture uses a part of its range.
        median: of the half-widths.
        doubtful: the half-width that a share of :attr:`doubtful_share` of the pixels exceed.
        doubtful_share: 0 to 1.
        words: the same for people.
    """

    file: str
    level: float
    per_level: int
    level_values: float
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
    pixels, counts = np.empty(found.scale.shape, np.uint16), np.zeros(65536, np.int64)
    for row in range(0, len(pixels), ROWS):  # all at once would take several times the memory of the picture
        half = half_widths(found.scale[row : row + ROWS], found.widths, LEVEL)
        part = np.rint(half * np.float32(255 * PER_LEVEL)).clip(0, 65535).astype(np.uint16)
        pixels[row : row + ROWS] = part
        counts += np.bincount(part.ravel(), minlength=65536)
    path, level_values = uncertainty_path(output), round(found.units[0] / 255, 6)
    metadata = Metadata(comments=(text_chunk("Description", _DESCRIPTION.format(values=level_values)),))
    image.write(path, Picture(pixels, metadata=metadata), image.Format.PNG)
    median, doubtful = (_quantile(counts, share) / PER_LEVEL for share in (0.5, 1 - DOUBTFUL))
    words = (
        f"{100 * DOUBTFUL:g} % of the pixels may be off by more than {doubtful:.{0 if doubtful >= 10 else 1}f} levels"
    )
    return UncertaintyRecord(
        str(path), LEVEL, PER_LEVEL, level_values, round(median, 3), round(doubtful, 3), DOUBTFUL, words
    )


def _quantile(counts: npt.NDArray[np.int64], share: float) -> float:
    """Of whole numbers from 0 on, by how often each of them is there."""
    below = counts.cumsum()
    return float(np.searchsorted(below, share * below[-1]))
