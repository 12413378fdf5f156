"""Do intervals hold as much as they say? Of one model, on held-out pictures and on benchmarks.

For every set and case: the share of the true values (pixels and channels) within the intervals of 50, 80, 90 and 95 %;
at 90 % also within each tenth of the pixels by b, of which the one that is furthest off is shown; and the mean width of
the 90 % interval in 8-bit levels. Two baselines stand beside it, both made to cover 90 % of this very set and case:

    constant    one width for a picture, taken from its true errors, which nobody knows who restores it
    samples     the standard deviation over samples, times a factor taken from the true errors of the set; of every
                eighth picture only, as they take nine times as long

The pictures are clipped and rounded to 8 bits, as files are; of JPEGs the quality in the header is used, as of files.

DATA is the folder of the benchmark sets. VAL is the folder of held-out pictures that the widths on the card were fitted
to: each half of them is measured with widths that are fitted to the other half here, under the degradations of the
validation. Writes OUT.csv and OUT.png, the reliability diagram.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import study
import torch
from numpy.typing import NDArray

import undegrade
from undegrade.analysis.figures import style
from undegrade.analysis.tables import write_csv
from undegrade.data.catalogue import images, load, pairs
from undegrade.data.clean import centre
from undegrade.data.training_images import read_folder
from undegrade.degrade import Codec, Saved
from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.evaluation.conformal import coverage, deciles, fit_pixels
from undegrade.evaluation.markdown import number
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import to_8bit
from undegrade.tasks import Task
from undegrade.weights.intervals import LEVELS, WidthsBySeverity

CELLS = {
    "CBSD68": ("sigma 10", "sigma 30", "sigma 50", "sigma 70"),
    "LIVE1": ("QF 10", "QF 40", "QF 80", "QF 90"),
    "CC15": ("real",),
    "BSD100": ("x2 g_2.0", "x2 bicubic", "x4 g_2.0", "x4 bicubic"),
}
"""Of the benchmarks of a task, those that are measured; quality 90 is no benchmark, but what most cameras save."""
SIDE = 256
"""Of the centres of held-out pictures."""
PIXELS = 20_000
"""Of each picture, at random places."""
SHOWN = 0.9
LEAST = 1e-6

Array = NDArray[Any]


@dataclass
class Cell:
    """One set under one degradation: of each picture scales, errors and, with samples, standard deviations.

    Attributes:
        data, case: what they are called.
        category: that is estimated of each picture.
        b: (N,) of each picture.
        error: (N, C).
        std: (N,); None of pictures that no samples were taken of.
    """

    data: str
    case: str
    category: list[Category] = field(default_factory=list)
    b: list[Array] = field(default_factory=list)
    error: list[Array] = field(default_factory=list)
    std: list[Array | None] = field(default_factory=list)


@dataclass(frozen=True)
class Score:
    """Of one way to make 90 % intervals: coverage in each tenth by b, and the mean width in 8-bit levels."""

    tenths: tuple[float, ...]
    width: float

    @property
    def worst(self) -> float:
        return max(self.tenths, key=lambda share: abs(share - SHOWN))


@dataclass(frozen=True)
class Row:
    """What is measured of a cell: coverage by level, ours and the baselines (None where there are no samples)."""

    data: str
    case: str
    pictures: int
    covered: tuple[float, ...]
    ours: Score
    constant: Score
    samples: Score | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="of the benchmark sets")
    parser.add_argument("--weights", type=Path, required=True, help="with a scale head, and intervals on their card")
    parser.add_argument("--datasets", nargs="+", choices=CELLS, default=list(CELLS), help="only these (default: all)")
    parser.add_argument("--val", type=Path, help="held-out pictures (default: none)")
    parser.add_argument("--limit", type=int, help="only the first N pictures of each set")
    parser.add_argument("--samples", type=int, default=8, help="of the second baseline; 0 leaves it out (default: 8)")
    parser.add_argument("--every", type=int, default=8, metavar="N", help="samples of every N-th picture (default: 8)")
    parser.add_argument("--out", type=Path, help="write OUT.csv and OUT.png")


def run(args: argparse.Namespace) -> int:
    pipeline = undegrade.load(weights=args.weights)
    pipeline.check_intervals()
    widths = pipeline.intervals.pixels
    assert widths is not None  # check_intervals()
    study.print_header(
        ("set", "case", "pictures", *(f"{100 * level:g} %" for level in LEVELS), "worst tenth", "width",
         "constant: worst tenth", "width", "samples: worst tenth", "width"), words=2,
    )  # fmt: skip
    rows = []
    for cell, of in cells(pipeline, args):
        rows.append(row(cell, widths if of is None else of))
        study.print_line(line(rows[-1]))
    if not rows:
        raise UndegradeError(f"nothing is measured of {pipeline.task.name}; give --val, or weights of another task.")
    if args.out is not None:
        header = ("set", "case", "pictures", *(f"covered_{level:g}" for level in LEVELS))
        header += tuple(f"{way}_{i}" for way in ("ours", "constant", "samples") for i in (*range(1, 11), "width"))
        print(f"-> {write_csv(args.out.with_suffix('.csv'), header, [values(r) for r in rows])}")
        print(f"-> {draw(rows, args.out.with_suffix('.png'))}")
    return 0


def cells(pipeline: Pipeline, args: argparse.Namespace) -> Iterator[tuple[Cell, WidthsBySeverity | None]]:
    """Every cell of the model's task, measured one after the other, and its widths where they are not the card's."""
    task, random = pipeline.task, np.random.default_rng(0)
    data, val, limit = args.data, args.val, args.limit

    def add(cell: Cell, x: Array, y: Array, direct: bool) -> None:
        y = to_8bit(y).astype(np.float32) / np.float32(255)
        measure(cell, pipeline, x, y, direct, 0 if len(cell.b) % args.every else args.samples, random)

    if val is not None:
        halves = [Cell("held-out", name) for name in ("first half", "second half")]
        for half, cell in enumerate(halves):
            for x, y in held_out(task, val, pipeline.architecture.channels, half, limit):
                add(cell, x, y, task.degradation.direct)
        for cell, other in zip(halves, halves[::-1], strict=True):
            yield cell, fit_pixels(other.category, other.b, other.error)
    ninety = Saved(Codec.JPEG, (90, 90))
    more = [replace(b, case="QF 90", degradation=ninety) for b in task.benchmarks if b.case == "QF 80"]
    for benchmark in (*task.benchmarks, *more):
        if benchmark.dataset.name not in args.datasets or benchmark.case not in CELLS[benchmark.dataset.name]:
            continue
        cell = Cell(benchmark.dataset.name, benchmark.case)
        if benchmark.degradation is None:
            for clean, noisy in pairs(benchmark.dataset, data)[:limit]:
                y = task.protocol.clean(load(noisy)).astype(np.float32) / np.float32(255)
                add(cell, task.protocol.clean(load(clean)), y, True)
        else:
            for path in images(benchmark.dataset, data)[:limit]:
                x = task.protocol.clean(load(path), benchmark.scale)
                add(cell, x, benchmark.degrade(x)[0], benchmark.direct)
        yield cell, None


def held_out(task: Task, val: Path, channels: int, half: int, limit: int | None) -> Iterator[tuple[Array, Array]]:
    """x and y of one half (0 or 1) of the held-out pictures, under the degradations of the validation."""
    side = SIDE - SIDE % task.degradation.scale
    photographs = [centre(p, side) for p in read_folder(val, channels) if min(p.shape[:2]) >= side][half::2][:limit]
    if not photographs:
        raise UndegradeError(
            f"fewer than 2 pictures in {val} are {side} pixels high and wide; give more, or larger ones."
        )
    for label, degradation in task.validation.items():
        if label in task.validation_images:  # other clean images than photographs
            continue
        generator = torch.Generator().manual_seed(0)
        for photograph in photographs:
            clean = torch.from_numpy(photograph).permute(2, 0, 1)[None].float() / 255
            y = degradation(clean, generator).image[0].permute(1, 2, 0).contiguous().numpy()
            yield photograph, y


def measure(
    cell: Cell, pipeline: Pipeline, x: Array, y: Array, direct: bool, samples: int, random: np.random.Generator
) -> None:
    """Restore one picture and note b, errors and standard deviations at some of its pixels."""
    found = pipeline(y, direct=direct, uncertainty=True)
    error = (found.image - x.astype(np.float32) / 255).reshape(found.scale.size, -1)
    chosen = random.choice(found.scale.size, min(PIXELS, found.scale.size), replace=False)
    quality = int(cell.case.removeprefix("QF ")) if cell.case.startswith("QF ") else None
    cell.category.append(pipeline.category(found.estimate, quality))
    cell.b.append(found.scale.ravel()[chosen])
    cell.error.append(error[chosen])
    std = pipeline(y, direct=direct, samples=samples).std.ravel()[chosen] if samples else None
    cell.std.append(std)


def row(cell: Cell, widths: WidthsBySeverity) -> Row:
    """What is said of a cell."""
    b, error = np.concatenate(cell.b), np.concatenate(cell.error)
    constant = np.concatenate([np.full(len(e), np.quantile(np.abs(e), SHOWN)) for e in cell.error])
    sampled = [(s, b, e) for s, b, e in zip(cell.std, cell.b, cell.error, strict=True) if s is not None]
    samples = None
    if sampled:
        std, *of = (np.concatenate(parts) for parts in zip(*sampled, strict=True))
        std = np.maximum(std, LEAST)
        samples = score(*of, std * np.quantile(np.abs(of[1]) / std[:, None], SHOWN))
    half = {
        level: np.concatenate([widths.at(*of)(b, level) for of, b in zip(cell.category, cell.b, strict=True)])
        for level in LEVELS
    }
    return Row(
        cell.data, cell.case, len(cell.b), tuple(coverage(half[level], error) for level in LEVELS),
        score(b, error, half[SHOWN]), score(b, error, constant), samples,
    )  # fmt: skip


def score(b: Array, error: Array, half: Array) -> Score:
    """Of intervals of these half-widths."""
    tenths = tuple(coverage(half[part], error[part]) for part in deciles(b))
    return Score(tenths, float(2 * 255 * half.mean(dtype=np.float64)))


def line(found: Row) -> list[str]:
    """A line of the table, in % and 8-bit levels."""
    cells = [found.data, found.case, str(found.pictures), *(number(100 * share, 1) for share in found.covered)]
    for way in (found.ours, found.constant, found.samples):
        cells += ["-", "-"] if way is None else [number(100 * way.worst, 1), number(way.width, 1)]
    return cells


def values(found: Row) -> list[Any]:
    """A line of the CSV file."""
    ways: list[float | None] = []
    for way in (found.ours, found.constant, found.samples):
        ways += [None] * 11 if way is None else [*way.tenths, way.width]
    return [found.data, found.case, found.pictures, *found.covered, *ways]


def draw(rows: Sequence[Row], path: Path) -> Path:
    """The reliability diagram: coverage against level, a line for each cell; and coverage of the 90 % intervals in each
    tenth of the pixels by b, the mean of the cells, of all three ways."""
    with style.figure(3.2) as drawn:
        left, right = drawn.subplots(1, 2)
        levels = [100 * level for level in LEVELS]
        left.plot([40, 100], [40, 100], color="#999999", linewidth=0.8, linestyle="--")
        for i, found in enumerate(rows):
            left.plot(
                levels, [100 * share for share in found.covered], label=f"{found.data} {found.case}", linewidth=1.0,
                color=style.COLOURS[i % len(style.COLOURS)], marker="osD^vP"[i % 6],
            )  # fmt: skip
        left.set(xlabel="said (%)", ylabel="true values within (%)", xlim=(45, 100), ylim=(45, 100), xticks=levels)
        left.legend(fontsize=7)
        right.axhline(100 * SHOWN, color="#999999", linewidth=0.8, linestyle="--")
        ways = {"intervals of b": [r.ours for r in rows], "one width for a picture": [r.constant for r in rows]}
        if scaled := [r.samples for r in rows if r.samples is not None]:
            ways["samples, scaled"] = scaled
        for (name, scores), colour in zip(ways.items(), style.COLOURS, strict=False):
            mean = 100 * np.mean([s.tenths for s in scores], axis=0)
            right.plot(range(1, 11), mean, marker="o", color=colour, label=name)
        right.set(
            xlabel="tenth of the pixels by b", ylabel="true values within 90 % intervals (%)", xticks=range(1, 11)
        )
        right.legend()
        return style.save(drawn, path)


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
