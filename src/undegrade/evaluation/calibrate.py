"""Checks that this package measures as the paper does. No model is needed.

The paper's tables contain the scores of the degraded images: "JPEG" (Tables VI, VII) and bicubic enlargement of the
small image, "Bicubic" (Tables IV, V). This module measures these cells with the tasks' degradations, protocols and
metrics. If the numbers agree, then dataset, degradation, colour, border, rounding and window are the paper's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from undegrade.data.benchmark import Benchmark
from undegrade.evaluation.evaluate import Cell, Restore, evaluate
from undegrade.evaluation.markdown import beside, table
from undegrade.evaluation.paper import Discrepancy, Paper
from undegrade.metrics import DIGITS, Metric, Protocol, to_8bit

TOLERANCE: Mapping[Metric, float] = {"psnr": 0.02, "ssim": 0.002}
"""Largest allowed difference from the printed mean: libraries for decoding and resizing differ by single levels."""


class Measurable(Interface):
    """The part of a task that is needed here."""

    @property
    def protocol(self) -> Protocol: ...
    @property
    def benchmarks(self) -> tuple[Benchmark, ...]: ...


def unchanged(scale: int) -> Restore:
    """A restorer that returns the degraded image unchanged."""
    return lambda y: y


def bicubic(scale: int) -> Restore:
    """A restorer: Pillow's bicubic enlargement (a = -0.5) of the 8-bit image."""
    from PIL import Image

    def enlarge(y: NDArray[np.float32]) -> NDArray[np.float32]:
        small = Image.fromarray(to_8bit(y))
        large = small.resize((small.width * scale, small.height * scale), Image.Resampling.BICUBIC)
        return np.asarray(large, dtype=np.float32) / np.float32(255)

    return enlarge


BASELINES: Mapping[str, Callable[[int], Restore]] = {"JPEG": unchanged, "Bicubic": bicubic}
"""The paper's name of each method without a model -> a function that builds it for a scale."""


@dataclass(frozen=True)
class Comparison:
    """Our values and the paper's values of one cell.

    Attributes:
        method: key of :data:`BASELINES`.
        cell: our measurement.
        paper: the printed values.
        discrepancy: a known error of the printed values, if any.
    """

    method: str
    cell: Cell
    paper: Mapping[Metric, float]
    discrepancy: Discrepancy | None

    @property
    def agrees(self) -> bool:
        """Whether all values are within the tolerance, or the paper's are known to be wrong."""
        close = all(abs(self.cell.mean(m) - v) <= TOLERANCE[m] for m, v in self.paper.items())
        return close or self.discrepancy is not None


def calibrate(
    tasks: Sequence[Measurable],
    paper: Paper,
    data_dir: Path,
    *,
    tables: Sequence[str] | None = None,
    jobs: int = 1,
    progress: bool = False,
) -> list[Comparison]:
    """Measure every cell of the tasks for which the paper prints a baseline.

    Args:
        tasks: protocols and benchmarks.
        paper: the printed numbers.
        data_dir: contains the folders of the datasets.
        tables: only these tables; None for all.
        jobs: number of images processed in parallel.
        progress: show progress bars on standard error.

    Returns:
        The cells, by table.

    Raises:
        UndegradeError: a dataset is missing.
    """
    found: list[Comparison] = []
    for task in tasks:
        for method, baseline in BASELINES.items():
            for scale in sorted({b.scale for b in task.benchmarks}):
                cells = [
                    b
                    for b in task.benchmarks
                    if b.scale == scale
                    and (tables is None or b.table in tables)
                    and paper.value(b.table, "psnr", method, b.dataset.name, b.case) is not None
                ]
                if cells:
                    title = f"{method}, Table {', '.join(dict.fromkeys(b.table for b in cells))}"
                    measured = evaluate(
                        cells,
                        task.protocol,
                        baseline(scale),
                        data_dir,
                        jobs=jobs,
                        progress=title if progress else None,
                    )
                    found += [_compare(method, cell, task.protocol, paper) for cell in measured]
    return sorted(found, key=lambda c: list(paper.tables).index(c.cell.table))


def _compare(method: str, cell: Cell, protocol: Protocol, paper: Paper) -> Comparison:
    place = (method, cell.dataset, cell.case)
    printed = {m: paper.value(cell.table, m, *place) for m in protocol.metrics}
    return Comparison(
        method=method,
        cell=cell,
        paper={m: v for m, v in printed.items() if v is not None},
        discrepancy=paper.discrepancy(cell.table, *place),
    )


def report(found: Sequence[Comparison]) -> str:
    """The comparison as a Markdown table, with notes on known discrepancies below it."""
    rows = []
    for c in found:
        row = [c.cell.table, c.method, c.cell.dataset, c.cell.case]
        for m in DIGITS:
            row += beside(c.cell.mean(m) if m in c.paper else None, c.paper.get(m), DIGITS[m])
        rows.append([*row, "paper (*)" if c.discrepancy else "yes" if c.agrees else "NO"])
    header = [
        "table",
        "method",
        "dataset",
        "case",
        "PSNR",
        "paper",
        "diff.",
        "SSIM",
        "paper",
        "diff.",
        "agrees",
    ]
    notes = dict.fromkeys(c.discrepancy.note for c in found if c.discrepancy)
    return table(header, rows, words=4) + "".join(f"\n(*) {note}\n" for note in notes)


def record(found: Sequence[Comparison]) -> list[dict[str, object]]:
    """The comparison as values that can be written as JSON."""
    return [
        {
            "table": c.cell.table,
            "method": c.method,
            "dataset": c.cell.dataset,
            "case": c.cell.case,
            "images": len(c.cell.images),
            "ours": {m: c.cell.mean(m) for m in c.paper},
            "paper": dict(c.paper),
            "agrees": c.agrees,
            "discrepancy": c.discrepancy.note if c.discrepancy else None,
        }
        for c in found
    ]
