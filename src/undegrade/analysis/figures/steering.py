"""Figure of steering: a strip of restorations, and curves over the shift of the latent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.analysis.figures import style
from undegrade.analysis.steering import Steered
from undegrade.degrade.severity import Severity


def draw_steering(found: Steered, axis: Severity, path: Path) -> Path:
    """Top: every second restoration. Bottom: estimate, noise left, detail kept and PSNR over the shift.

    Each curve is the mean over the pictures; its band is the 10th to 90th percentile.
    """
    shown = range(0, len(found.shifts), 2)
    measures = [
        (found.estimate, f"EST(c), {axis.symbol}"),
        (found.noise_left, "noise left (levels)"),
        (found.detail_kept, "detail kept"),
        (found.psnr, "PSNR (dB)"),
    ]
    measures = [(values, name) for values, name in measures if np.isfinite(values).all() and np.ptp(values) > 0]
    with style.figure(3.55) as drawn:
        above, below = drawn.subfigures(2, 1, height_ratios=(1, 1.05))
        for place, j in zip(above.subplots(1, len(shown)), shown, strict=True):
            style.picture(place, _middle(found.strip[j]), _signed(found.shifts[j]))
        for i, (place, (values, name)) in enumerate(
            zip(np.atleast_1d(below.subplots(1, len(measures))), measures, strict=True)
        ):
            _curve(place, found.shifts, values, style.COLOURS[i])
            place.set_title(name, pad=3)
            if i == 0 and values is found.estimate:
                place.plot(found.shifts, axis.own + found.shifts, color="0.45", linewidth=1, linestyle=(0, (4, 3)))
                where = {"transform": place.transAxes, "ha": "right", "va": "bottom"}
                place.text(0.98, 0.04, "dashed: target", color="0.35", fontsize=7, **where)
        below.supxlabel(f"shift of the latent ({axis.unit})", fontsize=9)
        return style.save(drawn, path)


def _curve(axes: Any, x: NDArray[Any], values: NDArray[Any], colour: str) -> None:
    low, high = np.percentile(values, (10, 90), axis=0)
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, values.mean(0), color=colour)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xticks([x[0], 0, x[-1]])
    axes.locator_params(axis="y", nbins=4)


def _signed(shift: float) -> str:
    return "own latent" if shift == 0 else f"{shift:+.3g}".replace("-", "−")


def _middle(image: NDArray[np.uint8], side: int = 128) -> NDArray[np.uint8]:
    top, left = (max(n - side, 0) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]
