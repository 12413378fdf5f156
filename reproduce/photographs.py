"""What becomes of photographs: crops to look at, how much of their detail is kept, and the noise that is read off them.

For every set of weights: PSNR, SSIM, and the share of the mean's gradients that is found in the restored picture, where
1 is all and less is plastic. OUT/photographs.png shows the most textured part of one photograph of each camera.

Where the weights of `real` have an estimator, OUT/camera-noise.png and .csv show it beside what was measured: the
standard deviation of photograph minus mean, in the green channel, against brightness; and the one that sensors with the
estimated strengths would give, over the 201 responses of the training noise (median and the middle half). What a camera
smooths away after the sensor is in the first and not in the second.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import study
import torch
from numpy.typing import NDArray

import undegrade
from undegrade import metrics
from undegrade.analysis.figures import style
from undegrade.analysis.measures import detail_kept, monotonicity
from undegrade.analysis.tables import write_csv
from undegrade.data.catalogue import load
from undegrade.degrade import CameraNoise
from undegrade.inference.pipeline import Pipeline
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards

CROP = 112
LEVELS = range(8, 248, 8)
ENOUGH = 400
"""Pixels in a bin of brightness, for its standard deviation to be shown."""
GREEN = 1

Image = NDArray[np.uint8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="of CC15, with real/ and mean/")
    parser.add_argument("--weights", type=Path, nargs="*", help="default: all shipped ones of gaussian and real")
    parser.add_argument("--out", type=Path, default=Path("analysis"))
    parser.add_argument("--format", choices=("png", "jpg"), default="png")


def run(args: argparse.Namespace) -> int:
    names = [path.stem for path in sorted((args.folder / "mean").iterdir())]
    names = [name.removesuffix("_mean") for name in names]
    noisy, means = ([load(next((args.folder / k).glob(f"{n}_{k}.*"))) for n in names] for k in ("real", "mean"))
    pipelines = _pipelines(args.weights)
    results: dict[str, list[Image]] = {"photograph": noisy}
    for name, pipeline in pipelines.items():
        results[name] = [pipeline(y).image for y in noisy]
    study.print_header(("", "PSNR (dB)", "SSIM", "detail kept"))
    protocol = TASKS["real"].protocol
    for name, restored in results.items():
        measured = [protocol.measure(x, xhat) for x, xhat in zip(means, restored, strict=True)]
        kept = np.mean([detail_kept(x, xhat) for x, xhat in zip(means, restored, strict=True)])
        psnr, ssim = (np.mean([m[metric] for m in measured]) for metric in ("psnr", "ssim"))
        study.print_line([name, f"{psnr:.2f}", f"{ssim:.4f}", f"{kept:.3f}"])
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(name.rpartition("_")[0], []).append(i)
    draw_crops(groups, means, results, args.out / f"photographs.{args.format}")
    for pipeline in pipelines.values():
        if pipeline.task.name == "real" and pipeline.quantity is not None:
            read_noise(groups, means, noisy, pipeline, args.out / f"camera-noise.{args.format}")
    return 0


def _pipelines(weights: Sequence[Path] | None) -> Mapping[str, Pipeline]:
    if weights:
        loaded = [undegrade.load(weights=path) for path in weights]
    else:
        loaded = [undegrade.load(c.task, c.variant) for c in shipped_cards() if c.task in ("gaussian", "real")]
    return {p.card.name: p for p in loaded if p.card is not None}


def draw_crops(
    groups: Mapping[str, list[int]], means: Sequence[Image], results: Mapping[str, Sequence[Image]], path: Path
) -> None:
    """A row for each camera and speed: the photograph, each restoration, and the mean of many shots."""
    columns = [*results, "mean of 500 shots"]
    with style.figure(style.WIDTH / len(columns) * len(groups) + 0.3) as drawn:
        grid = drawn.subplots(len(groups), len(columns))
        for n, (group, members) in enumerate(groups.items()):
            row = grid[n]
            i = max(members, key=lambda i: texture(means[i]).max())
            top, left = np.unravel_index(texture(means[i]).argmax(), texture(means[i]).shape)
            part = (slice(top * CROP, top * CROP + CROP), slice(left * CROP, left * CROP + CROP))
            for place, name in zip(row, columns, strict=True):
                image = results[name][i] if name in results else means[i]
                style.picture(place, image[part], name if n == 0 else None)
                if name in results:
                    place.set_xlabel(f"{metrics.psnr(means[i], image):.2f} dB", fontsize=8, labelpad=2)
            row[0].set_ylabel(group.replace("_", ", "), fontsize=8)
        style.save(drawn, path)


def texture(image: Image) -> NDArray[Any]:
    """How much finely grained detail each square part has: (H // CROP, W // CROP).

    The median of the gradients' size: an edge alone, however strong, is no texture.
    """
    grey = image.astype(np.float64).mean(2)
    size = np.hypot(*np.gradient(grey))
    h, w = (n // CROP for n in size.shape)
    parts = size[: h * CROP, : w * CROP].reshape(h, CROP, w, CROP)
    found: NDArray[Any] = np.median(parts, axis=(1, 3))
    return found


def noise_by_brightness(x: Image, y: Image) -> dict[int, float]:
    """Standard deviation of the green channel's noise, in 8-bit levels, where the clean value is near each level."""
    clean, noise = x[..., GREEN].astype(int), y[..., GREEN].astype(np.float64) - x[..., GREEN]
    found = {}
    for level in LEVELS:
        chosen = noise[np.abs(clean - level) <= 4]
        if chosen.size >= ENOUGH:
            found[level] = float(chosen.std())
    return found


def expected(shot: float, read: float, draws: int = 200, side: int = 24) -> NDArray[np.float64]:
    """Quartiles over camera responses of the same standard deviation, for these strengths: (levels, 3)."""
    camera = CameraNoise(shot=(shot, shot), read=(read, read))
    generator = torch.Generator().manual_seed(0)
    rows = []
    for level in LEVELS:
        x = torch.full((draws, 3, side, side), level / 255)
        y = camera(x, generator).image
        rows.append(np.percentile(255 * y[:, GREEN].flatten(1).std(1).numpy(), (25, 50, 75)))
    return np.array(rows)


def read_noise(
    groups: Mapping[str, list[int]], means: Sequence[Image], noisy: Sequence[Image], pipeline: Pipeline, path: Path
) -> None:
    """Write and draw measured and estimated noise against brightness; print how they go together."""
    estimates = [pipeline.estimate(y) for y in noisy]
    measured = [noise_by_brightness(x, y) for x, y in zip(means, noisy, strict=True)]
    rows: list[tuple[Any, ...]] = []
    strengths, truths = [], []
    levels = np.array(LEVELS)
    with style.figure(2.3) as drawn:
        panels = drawn.subplots(1, len(groups), sharey=True)
        for axes, (group, members) in zip(panels, groups.items(), strict=True):
            curves = np.mean([expected(*np.maximum(estimates[i], 0)) for i in members], axis=0)
            axes.fill_between(levels, curves[:, 0], curves[:, 2], color=style.COLOURS[0], alpha=0.2, linewidth=0)
            axes.plot(levels, curves[:, 1], color=style.COLOURS[0], label="estimated, at the sensor")
            for i in members:
                points = measured[i]
                axes.plot(
                    list(points), list(points.values()), ".", color=style.COLOURS[4], label="measured", markersize=3
                )
                rows += [(group, i, level, value, *estimates[i]) for level, value in points.items()]
                strengths.append(float(np.mean([curves[LEVELS.index(level), 1] for level in points])))
                truths.append(float(np.mean(list(points.values()))))
            axes.set_title(group.replace("_", ", "), fontsize=8)
            axes.set(xlim=(0, 255), xticks=(0, 128, 255))
        handles, labels = panels[0].get_legend_handles_labels()
        panels[0].legend(handles[:2], labels[:2], fontsize=6, loc="upper right")
        panels[0].set_ylabel("noise (8-bit levels)")
        panels[len(groups) // 2].set_xlabel("brightness")
        panels[0].set_ylim(bottom=0)
        style.save(drawn, path)
    write_csv(path.with_suffix(".csv"), ("camera", "photograph", "brightness", "measured", "shot", "read"), rows)
    together = monotonicity(np.array(truths), np.array(strengths))
    print(
        f"\nnoise over the brightnesses of each photograph: measured {np.mean(truths):.2f}, estimated at the sensor "
        f"{np.mean(strengths):.2f} 8-bit levels; rank correlation of the two {together:.2f}"
    )


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
