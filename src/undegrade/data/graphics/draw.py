"""Which kind of picture, and a pool of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undegrade.data.graphics import figures, interfaces, pages, sprites, surfaces
from undegrade.data.graphics.pen import Random

Kind = Callable[[Random, int], Image.Image]
"""Draws a square picture of a side."""

KINDS: Mapping[str, tuple[float, Kind]] = MappingProxyType(
    {
        "page": (0.18, pages.page),
        "terminal": (0.08, pages.terminal),
        "table": (0.06, pages.table),
        "interface": (0.18, interfaces.interface),
        "chart": (0.12, figures.chart),
        "map": (0.06, figures.map_),
        "line art": (0.08, figures.line_art),
        "logo": (0.06, figures.logo),
        "gradient": (0.05, surfaces.gradient),
        "screen": (0.05, surfaces.screen),
        "sprites": (0.04, sprites.sprites),
        "bodies": (0.04, surfaces.bodies),
    }
)
"""Share and function of every kind."""

_MADE_SMALLER = 0.12
"""Share of the pictures that were drawn larger and made smaller by an ordinary resizer, as screenshots often are."""
_RESIZERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def draw(seed: int | Random, side: int, kind: str | None = None) -> NDArray[np.uint8]:
    """One picture.

    Args:
        seed: where everything is drawn from; a generator is advanced.
        side: in pixels.
        kind: one of :data:`KINDS`; None draws one.

    Returns:
        (side, side, 3).
    """
    random = np.random.default_rng(seed) if isinstance(seed, int) else seed
    if kind is None:
        shares = np.array([share for share, _ in KINDS.values()])
        kind = list(KINDS)[random.choice(len(KINDS), p=shares / shares.sum())]
    factor = random.uniform(1.2, 2.5) if random.random() < _MADE_SMALLER else 1.0
    picture = KINDS[kind][1](random, round(side * factor)).convert("RGB")
    if factor > 1:
        picture = picture.resize((side, side), _RESIZERS[random.integers(len(_RESIZERS))])
    return np.array(picture, dtype=np.uint8)


def canvases(seed: int, count: int, side: int = 512) -> list[NDArray[np.uint8]]:
    """``count`` pictures to crop from; the first ones are the same for every count."""
    return [draw(np.random.default_rng([seed, i]), side) for i in range(count)]
