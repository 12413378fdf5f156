"""Figs. 7 and 8: t-SNE of the latents of patches, as thumbnails and as coloured points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vdir.analysis.figures import style
from vdir.analysis.ladder import Ladder
from vdir.analysis.mapping import Codes
from vdir.analysis.sources import SHOWN, Source


def draw_levels(codes: Codes, plane: NDArray[Any], axis: Ladder, path: Path, seed: int = 0) -> Path:
    """Fig. 7: (a) thumbnails, (b) the same points coloured by the level of damage.

    Args:
        codes: N points.
        plane: their places, (N, 2).
        axis: of the damage.
        path: a PNG or JPEG.
        seed: of the order in which points are drawn, so that no level covers the others.
    """
    order = np.random.RandomState(seed).permutation(len(plane))
    with style.figure(_height(plane, 3.1) + 0.35) as drawn:
        left, right = drawn.subplots(1, 2)
        _sheet(left, plane[order], codes.seen[order])
        shown = _points(right, plane[order], c=codes.level[order], cmap=style.ORDERED)
        bar = drawn.colorbar(shown, ax=[left, right], location="right", shrink=0.7, aspect=26, pad=0.01)
        bar.set_label(f"{axis.symbol} ({axis.unit})")
        bar.set_ticks(axis.steps[::2])
        bar.outline.set_visible(False)
        return style.save(drawn, path)


def draw_sources(found: Mapping[str, Source], plane: NDArray[Any], path: Path, seed: int = 0) -> Path:
    """Fig. 8: (a) thumbnails, (b) the same points coloured by where the noise comes from.

    Args:
        found: at least :data:`vdir.analysis.sources.SHOWN`.
        plane: places of their points, in that order, (N, 2).
        path: a PNG or JPEG.
        seed: as above.
    """
    seen = np.concatenate([found[name].seen for name in SHOWN])
    colour = np.repeat(style.COLOURS[: len(SHOWN)], [len(found[name].points) for name in SHOWN])
    order = np.random.RandomState(seed).permutation(len(plane))
    with style.figure(_height(plane, 3.5) + 0.6) as drawn:
        left, right = drawn.subplots(1, 2)
        _sheet(left, plane[order], seen[order])
        _points(right, plane[order], c=list(colour[order]))
        marks = [
            right.scatter([], [], s=22, color=style.COLOURS[i], linewidths=0, label=name)
            for i, name in enumerate(SHOWN)
        ]
        drawn.legend(handles=marks, loc="outside lower right", ncols=len(SHOWN), handletextpad=0.2, columnspacing=1.2)
        return style.save(drawn, path)


def _height(plane: NDArray[Any], width: float) -> float:
    """Of a panel that is as wide as this, in inches."""
    across, up = (max(float(np.ptp(column)), 1e-9) for column in plane.T)
    return width * min(max(up / across, 0.3), 1.5)


def _sheet(axes: Any, plane: NDArray[Any], seen: NDArray[np.uint8]) -> None:
    axes.imshow(style.thumbnails(plane, seen), interpolation="antialiased")
    style.bare(axes)
    axes.set_title("(a) patches", pad=3)


def _points(axes: Any, plane: NDArray[Any], **look: Any) -> Any:
    shown = axes.scatter(plane[:, 0], plane[:, 1], s=9, linewidths=0, **look)
    axes.set_aspect("equal")
    axes.margins(0.02)
    style.bare(axes)
    axes.set_title("(b) AvgPool(c)", pad=3)
    return shown
