"""The style of figures: small type on white, no unnecessary frames, colours for colour-blind readers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.analysis.extra import need
from undegrade.analysis.tables import write

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""The palette of Okabe and Ito (2008), in the order of use."""
ORDERED = "cividis"
"""The colour map of ordered values."""
WIDTH = 7.2
"""Width of a figure in inches: two columns of a paper."""
DPI = 180
WEB_DPI = 120
"""Resolution of JPEG files, which are for web pages."""

_RULES = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "image.interpolation": "nearest",
}


@contextmanager
def figure(height: float) -> Iterator[Any]:
    """A new figure of width :data:`WIDTH`; no display is needed.

    Args:
        height: in inches.

    Raises:
        UndegradeError: matplotlib is not installed.
    """
    matplotlib, figures = need("matplotlib"), need("matplotlib.figure")
    need("matplotlib.backends.backend_agg")
    with matplotlib.rc_context(_RULES):
        yield figures.Figure(figsize=(WIDTH, height), layout="constrained")


def save(drawn: Any, path: Path) -> Path:
    """Write a figure.

    Args:
        drawn: the figure.
        path: ends in ``.png``, or in ``.jpg`` for a small file for web pages.

    Raises:
        UndegradeError: it cannot be written.
    """
    from PIL import Image

    raw, out = io.BytesIO(), io.BytesIO()
    small = path.suffix == ".jpg"
    drawn.savefig(raw, format="png", dpi=WEB_DPI if small else DPI, facecolor="white")
    rgb = Image.open(raw).convert("RGB")
    if small:
        rgb.save(out, "JPEG", quality=75, subsampling="4:2:0", optimize=True)
    else:
        rgb.save(out, "PNG", optimize=True)
    return write(path, out.getvalue())


def bare(axes: Any) -> None:
    """Remove ticks and frame, which pictures and t-SNE plots do not need."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def picture(axes: Any, image: NDArray[Any], title: str | None = None) -> None:
    """Show (H, W, 3 or 1), 8 bits."""
    grey = image.shape[-1] == 1
    axes.imshow(image[..., 0] if grey else image, vmin=0, vmax=255, cmap="gray" if grey else None)
    bare(axes)
    if title is not None:
        axes.set_title(title, pad=3)


def thumbnails(plane: NDArray[Any], pieces: NDArray[np.uint8], side: int = 1100, size: int = 36) -> NDArray[np.uint8]:
    """A sheet with thumbnails at the points of a plane; if two would overlap, only the earlier one is shown.

    Args:
        plane: (N, 2).
        pieces: (N, S, S, C), 8 bits.
        side: longer side of the sheet, pixels.
        size: side of a thumbnail, pixels.

    Returns:
        (H, W, 3), 8 bits, on white.
    """
    from PIL import Image

    low, span = plane.min(0), np.maximum(np.ptp(plane, axis=0), 1e-9)
    corners = ((plane - low) / span.max() * (side - size)).round().astype(int)
    width, height = corners.max(0) + size
    sheet = np.full((height, width, 3), 255, np.uint8)
    placed = np.empty((0, 2), int)
    for (x, y), piece in zip(corners, pieces, strict=True):
        if len(placed) and (np.abs(placed - (x, y)).max(1) < 0.8 * size).any():
            continue
        placed = np.vstack((placed, (x, y)))
        rgb = np.repeat(piece, 3, axis=2) if piece.shape[2] == 1 else piece
        small = np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.BOX))
        top = height - size - y  # y axis upwards, as in the plot of points
        sheet[top : top + size, x : x + size] = small
    return sheet
