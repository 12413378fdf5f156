"""Pictures that are given by their path."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from undegrade.image import Picture, read


def opened(image: Any) -> Any:
    """The picture of a file, if a path was given; else what was given."""
    if isinstance(image, PathLike):
        image = Path(image)
    return read(image) if isinstance(image, str | Path) else image


def pixels_of(image: Any) -> Any:
    """The pixels of a picture or its file as a network is shown them; else what was given."""
    image = opened(image)
    return image.visible if isinstance(image, Picture) else image
