"""Figs. 5 and 6: a picture restored with modified latents, and these latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from undegrade.analysis.figures import style
from undegrade.analysis.manipulation import LATENTS, Manipulated
from undegrade.degrade.severity import Severity
from undegrade.metrics import psnr

CROP = 128


def draw_restorations(found: Manipulated, axis: Severity, path: Path, corner: tuple[int, int] | None = None) -> Path:
    """Fig. 5: the picture with a frame around the crop, the degraded crop, and four restorations with their PSNR.

    Args:
        found: the results to draw.
        axis: of the degradation.
        path: a PNG or JPEG file.
        corner: top and left of the crop in pixels of the restored picture; None for the centre.
    """
    h, w = found.x.shape[:2]
    side = min(CROP, h, w)
    top, left = corner or ((h - side) // 2, (w - side) // 2)
    top, left = min(max(top, 0), h - side), min(max(left, 0), w - side)
    scale = h // found.y.shape[0]
    titles = {
        "own": f"(c) {axis.label(axis.own)}, its own",
        "flipped": f"(d) {axis.label(axis.own)}, flipped",
        "milder": f"(e) {axis.label(axis.mild)}",
        "stronger": f"(f) {axis.label(axis.strong)}",
    }
    with style.figure(5.22) as drawn:
        grid = drawn.subplots(2, 3)
        whole = grid[0, 0]
        # A square part of the picture around the crop, as the other panels are square.
        square = min(h, w)
        y0 = min(max(top + side // 2 - square // 2, 0), h - square)
        x0 = min(max(left + side // 2 - square // 2, 0), w - square)
        style.picture(whole, found.x[y0 : y0 + square, x0 : x0 + square], "(a) clean")
        whole.add_patch(_frame(left - x0, top - y0, side))
        cut = (slice(top, top + side), slice(left, left + side))
        small = (slice(top // scale, (top + side) // scale), slice(left // scale, (left + side) // scale))
        degraded = f"(b) {axis.label(axis.own)}"
        if scale == 1:
            degraded += f": {psnr(found.x, found.y):.2f} dB"
        style.picture(grid[0, 1], found.y[small], degraded)
        places = (grid[0, 2], grid[1, 0], grid[1, 1], grid[1, 2])
        for place, latent in zip(places, LATENTS, strict=True):
            result = found.results[latent]
            style.picture(place, result.image[cut], f"{titles[latent]}: {result.psnr:.2f} dB")
        return style.save(drawn, path)


def draw_latents(found: Manipulated, axis: Severity, path: Path) -> Path:
    """Fig. 6: the four channels of each latent; each channel has one colour scale for all rows."""
    names = {
        "own": f"{axis.label(axis.own)}",
        "flipped": f"{axis.label(axis.own)}, flipped",
        "milder": f"{axis.label(axis.mild)}",
        "stronger": f"{axis.label(axis.strong)}",
    }
    shape = found.results["own"].latent.shape
    height = style.WIDTH * (shape[1] / shape[2]) * 1.02 + 0.8
    with style.figure(min(height, 9.0)) as drawn:
        grid = drawn.subplots(len(LATENTS), shape[0])
        for channel in range(shape[0]):
            planes = [found.results[latent].latent[channel] for latent in LATENTS]
            # Percentiles, since values at the border are extreme: the encoder pads with zeros.
            low, high = np.percentile(planes, (0.5, 99.5))
            for row, plane in enumerate(planes):
                place = grid[row, channel]
                shown = place.imshow(plane, vmin=low, vmax=high, cmap=style.ORDERED)
                style.bare(place)
                if row == 0:
                    place.set_title(f"channel {channel}", pad=3)
                if channel == 0:
                    place.set_ylabel(names[LATENTS[row]], labelpad=4)
            bar = drawn.colorbar(shown, ax=list(grid[:, channel]), location="bottom", shrink=0.8, aspect=22, pad=0.012)
            bar.outline.set_visible(False)
            bar.ax.locator_params(nbins=4)
        return style.save(drawn, path)


def _frame(left: int, top: int, side: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor="white", linewidth=1.4)
