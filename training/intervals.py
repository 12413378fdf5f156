"""How wide the intervals of a model must be to cover what they say; written to the card of the weights.

    python training/intervals.py WEIGHTS VAL [--draws N] [--patch N] [--seed N] [--groups N]

WEIGHTS is a safetensors file with its card beside it, VAL a folder of held-out pictures, none of them from a benchmark.
Crops of them are degraded as in training, then clipped and rounded to 8 bits, as files are. Where the model has a scale
head, the errors of the pixels give half-widths as a function of b and of the estimated kind of degradation and its
severity; where it has an estimator, the errors of the estimates give those of their spread. How often the intervals
hold is printed for each half of the pictures with widths that were fitted to the other half; the card gets those that
are fitted to all. ``--check`` measures how often those of the card hold, and changes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from undegrade.atomic import replacing
from undegrade.data.batches import Sample, Synthetic
from undegrade.data.training_images import read_folder
from undegrade.degrade.compose import eight_bits
from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.evaluation.conformal import GROUPS, coverage, deciles, fit_pixels
from undegrade.evaluation.markdown import table
from undegrade.files.readings import readings_of, values_of
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS, Task
from undegrade.weights.card import Card, load_weights
from undegrade.weights.intervals import LEVELS, Intervals, WidthsBySeverity

BATCH = 8
"""Crops that are degraded at once: some tasks share a batch among kinds of degradation."""
PIXELS = 2048
"""Of each crop, at random places: its other pixels are much like these."""
GROUPS_OF_ESTIMATES, LEAST_OF_ESTIMATES = 8, 100
"""By their values, and the fewest in a group: strong noise is read too low where it is clipped, weak noise is not."""
ALIKE = Category()
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Errors:
    """Scales, and what the values of these scales are off by; for each image its kind and severity."""

    scale: list[Array] = field(default_factory=list)
    error: list[Array] = field(default_factory=list)
    category: list[Category] = field(default_factory=list)

    def add(self, scale: Any, error: Any, category: Category = ALIKE) -> None:
        self.scale.append(np.atleast_1d(np.asarray(scale, np.float64)))
        self.error.append(np.atleast_1d(np.asarray(error, np.float64)))
        self.category.append(category)

    def together(self) -> tuple[Array, Array]:
        return np.concatenate(self.scale), np.concatenate(self.error)

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.scale + other.scale, self.error + other.error, self.category + other.category)


@dataclass
class Measured:
    """The errors of a model on some pictures: of the pixels, and of the estimates by name."""

    pixels: Errors = field(default_factory=Errors)
    estimates: dict[str, Errors] = field(default_factory=dict)
    crops: int = 0

    def __add__(self, other: Measured) -> Measured:
        names = {**self.estimates, **other.estimates}
        estimates = {n: self.estimates.get(n, Errors()) + other.estimates.get(n, Errors()) for n in names}
        return Measured(self.pixels + other.pixels, estimates, self.crops + other.crops)


def degraded(
    task: Task, photographs: Sequence[Array], patch: int, draws: int, seed: int, grey: float
) -> Iterator[Sample]:
    """Batches as in training, in 8 bits, of crops of these pictures: at least ``draws`` crops in all."""
    source = Synthetic(task.clean.crops(photographs, "cpu", seed), task.degradation, grey)
    for start in range(0, draws, BATCH):
        drawn = source.draw(BATCH, patch, torch.Generator().manual_seed(seed * 100_003 + start))
        yield drawn._replace(y=eight_bits(drawn.y))


def measure(pipeline: Pipeline, batches: Iterator[Sample], seed: int) -> Measured:
    """Restore every crop, and note scales and errors."""
    model: VDIR = pipeline.engine.model  # type: ignore[attr-defined]
    found = Measured()
    places = torch.Generator().manual_seed(seed)
    for batch in batches:
        found.crops += len(batch.y)
        categories = [ALIKE] * len(batch.y)
        if pipeline.quantity is not None:
            for i, (y, params) in enumerate(zip(batch.y, batch.params, strict=True)):
                estimate = add_estimates(found, pipeline, y.permute(1, 2, 0).contiguous().numpy(), params)
                categories[i] = pipeline.category(estimate)
        if model.scale is not None:
            with torch.inference_mode():
                xhat, b = model.restore_with_scale(batch.y, model.pooled(model.encode(batch.y)).mean)
            for one, restored, scale, category in zip(batch.x, xhat, b, categories, strict=True):
                chosen = torch.randint(scale.numel(), (PIXELS,), generator=places)
                off = (one - restored).flatten(1)[:, chosen].T
                found.pixels.add(scale.flatten()[chosen], off, category)
    return found


def add_estimates(found: Measured, pipeline: Pipeline, y: Array, params: torch.Tensor) -> Array:
    """The errors of what a user is told about one picture, which is returned."""
    assert pipeline.quantity is not None
    read = pipeline.estimate_map(y, direct=pipeline.task.degradation.direct)
    truth = values_of(pipeline.quantity, pipeline.quantity.decode(params).tolist())
    for reading in readings_of(pipeline, read):
        if np.isfinite(truth[reading.name]):
            of = found.estimates.setdefault(reading.name, Errors())
            of.add(reading.spread, reading.value - truth[reading.name], Category("", reading.value))
    return read.estimate


def fitted(found: Measured, description: str, groups: int) -> Intervals:
    """Widths for everything that there are errors of."""
    errors = found.pixels
    pixels = fit_pixels(errors.category, errors.scale, errors.error, groups) if errors.scale else None
    estimates = {
        name: fit_pixels(
            of.category, of.scale, of.error, max(min(GROUPS_OF_ESTIMATES, len(of.scale) // LEAST_OF_ESTIMATES), 1)
        )
        for name, of in found.estimates.items()
    }
    return Intervals(pixels, estimates, description)


def halves(widths: WidthsBySeverity, errors: Errors, level: float) -> Array:
    """The half-width of every value."""
    return np.concatenate([widths.at(*of)(b, level) for of, b in zip(errors.category, errors.scale, strict=True)])


def row(name: str, unit: float, checks: Sequence[tuple[WidthsBySeverity, Errors]]) -> list[str]:
    """How often intervals hold, on the whole and in the tenth by scale that is furthest off; their mean width."""
    scale, error = (np.concatenate(parts) for parts in zip(*(e.together() for _, e in checks), strict=True))
    cells = [name, str(len(scale))]
    half = {level: np.concatenate([halves(widths, of, level) for widths, of in checks]) for level in LEVELS}
    for level in LEVELS:
        worst = max((coverage(half[level][d], error[d]) - level for d in deciles(scale)), key=abs)
        cells += [f"{100 * coverage(half[level], error):.1f}", f"{100 * (level + worst):.1f}"]
    return [*cells, f"{2 * unit * half[0.9].mean():.2f}"]


def report(checks: Sequence[tuple[Intervals, Measured]]) -> str:
    """How often intervals hold on pictures, as a Markdown table, in %."""
    rows = []
    pixels: list[tuple[WidthsBySeverity, Errors]] = [
        (i.pixels, m.pixels) for i, m in checks if i.pixels is not None and m.pixels.scale
    ]
    if pixels:
        rows.append(row("pixels (8-bit levels)", 255.0, pixels))
    for name in {name: None for _, m in checks for name in m.estimates}:
        known: list[tuple[WidthsBySeverity, Errors]] = [
            (i.estimates[name], m.estimates[name]) for i, m in checks if name in i.estimates and name in m.estimates
        ]
        if known:
            rows.append(row(name, 1.0, known))
    head = [cell for level in LEVELS for cell in (f"{100 * level:g} %", "worst tenth")]
    return table(["of", "values", *head, "mean width, 90 %"], rows, words=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the safetensors file")
    parser.add_argument("val", type=Path, help="folder of held-out pictures")
    parser.add_argument("--draws", type=int, default=2048, help="crops of each half of the pictures (default: 2048)")
    parser.add_argument("--patch", type=int, default=192, help="side of the crops, in pixels of y (default: 192)")
    parser.add_argument("--seed", type=int, default=0, help="of crops and degradation (default: 0)")
    parser.add_argument("--groups", type=int, default=GROUPS, help=f"of crops by severity, at most (default: {GROUPS})")
    parser.add_argument("--check", action="store_true", help="change nothing")
    args = parser.parse_args()
    print(calibrate(args.weights, args.val, args.draws, args.patch, args.seed, args.check, args.groups))
    return 0


def calibrate(
    weights: Path, val: Path, draws: int, patch: int, seed: int = 0, check: bool = False, groups: int = GROUPS
) -> str:
    """Measure, write the card unless it is only a check, and say how often intervals hold on other pictures.

    Raises:
        UndegradeError: there are too few pictures or crops, or the model has nothing to measure.
    """
    model, card = load_weights(weights)
    if card.task not in TASKS:
        raise UndegradeError(f"{weights}: made for the task {card.task!r}, unknown to this version; update undegrade.")
    task, photographs = TASKS[card.task], read_folder(val, model.architecture.channels)
    if len(photographs) < 2:
        raise UndegradeError(f"{val} holds one picture; give at least two, to fit to one and check with the other.")
    if min(draws, groups) < 1 or patch < 16:
        raise UndegradeError("--draws and --groups must be at least 1, and --patch at least 16.")
    pipeline = Pipeline(TorchEngine(model), task, card)
    if model.scale is None and pipeline.quantity is None:
        raise UndegradeError(f"{weights}: this model has neither a scale head nor an estimator; train a head first.")
    grey = float(card.recipe.get("grey", 0.0))
    if check and pipeline.intervals == Intervals():
        raise UndegradeError(f"{weights}: its card has no intervals to check; leave out --check.")
    one, other = (
        measure(pipeline, degraded(task, photographs[half::2], patch, draws, seed + half, grey), seed)
        for half in (0, 1)
    )
    if check:
        return report([(pipeline.intervals, one + other)])
    together = one + other
    said = f"{together.crops} crops of {patch} x {patch} of {len(photographs)} held-out pictures"
    write(weights, card, fitted(together, said, groups))
    return report([(fitted(one, "", groups), other), (fitted(other, "", groups), one)])


def write(weights: Path, card: Card, intervals: Intervals) -> None:
    """Put intervals on the card of a weights file."""
    content = dataclasses.replace(card, intervals=intervals.to_dict()).to_json()
    with replacing(weights.with_suffix(".json")) as file:
        file.write(content.encode())


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"intervals.py: {error}")
