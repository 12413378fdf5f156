"""Figs. 7 and 8: t-SNE of the latents of patches, as thumbnails and as coloured points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.analysis.embedding import Codes
from undegrade.analysis.figures import style
from undegrade.analysis.sources import SHOWN, LatentSource
from undegrade.degrade.severity import Severity


def draw_levels(codes: Codes, plane: NDArray[Any], axis: Severity, path: Path, seed: int = 0) -> Path:
    """Fig. 7: (a) thumbnails, (b) the same points coloured by the level of degradation.

    Args:
        codes: N points.
        plane: their positions, (N, 2).
        axis: of the degradation.
        path: a PNG or JPEG file.
        seed: of the random order of drawing, which keeps one level from covering the others.
    """
    order = np.random.RandomState(seed).permutation(len(plane))
    with _panels(plane, 0.0) as (drawn, above, below):
        _sheet(above, plane[order], codes.pixels[order])
        shown = _points(below, plane[order], c=codes.level[order], cmap=style.ORDERED)
        bar = drawn.colorbar(shown, ax=[above, below], location="right", shrink=0.5, aspect=26, pad=0.01)
        bar.set_label(f"{axis.symbol} ({axis.unit})")
        bar.set_ticks(axis.steps[::2])
        bar.outline.set_visible(False)
        return style.save(drawn, path)


def draw_sources(found: Mapping[str, LatentSource], plane: NDArray[Any], path: Path, seed: int = 0) -> Path:
    """Fig. 8: (a) thumbnails, (b) the same points coloured by the source of the noise.

    Args:
        found: the sources, at least those of :data:`undegrade.analysis.sources.SHOWN`.
        plane: positions of their points, in the order of SHOWN, (N, 2).
        path: a PNG or JPEG file.
        seed: see :func:`draw_levels`.
    """
    pixels = np.concatenate([found[name].pixels for name in SHOWN])
    colour = np.repeat(style.COLOURS[: len(SHOWN)], [len(found[name].points) for name in SHOWN])
    order = np.random.RandomState(seed).permutation(len(plane))
    with _panels(plane, 0.25) as (drawn, above, below):
        _sheet(above, plane[order], pixels[order])
        _points(below, plane[order], c=list(colour[order]))
        marks = [
            below.scatter([], [], s=22, color=style.COLOURS[i], linewidths=0, label=name)
            for i, name in enumerate(SHOWN)
        ]
        drawn.legend(handles=marks, loc="outside lower center", ncols=len(SHOWN), handletextpad=0.2, columnspacing=1.2)
        return style.save(drawn, path)


@contextmanager
def _panels(plane: NDArray[Any], more: float) -> Iterator[tuple[Any, Any, Any]]:
    """A figure with two panels, one above the other if the plane is wide; ``more`` inches are added to its height."""
    across, up = (max(float(np.ptp(column)), 1e-9) for column in plane.T)
    shape = max(up / across, 0.3)
    if shape < 0.7:
        height, rows, columns = 2 * (0.9 * style.WIDTH * shape + 0.3), 2, 1
    else:
        height, rows, columns = 0.45 * style.WIDTH * min(shape, 1.5) + 0.3, 1, 2
    with style.figure(height + more) as drawn:
        first, second = drawn.subplots(rows, columns).flat
        yield drawn, first, second


def _sheet(axes: Any, plane: NDArray[Any], pixels: NDArray[np.uint8]) -> None:
    axes.imshow(style.thumbnails(plane, pixels), interpolation="antialiased")
    style.bare(axes)
    axes.set_title("(a) patches", pad=3)


def _points(axes: Any, plane: NDArray[Any], **look: Any) -> Any:
    shown = axes.scatter(plane[:, 0], plane[:, 1], s=16, linewidths=0, **look)
    axes.set_aspect("equal")
    axes.margins(0.02)
    style.bare(axes)
    axes.set_title("(b) AvgPool(c)", pad=3)
    return shown
