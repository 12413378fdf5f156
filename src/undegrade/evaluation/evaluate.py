"""Measures a restorer on the cells of a table: degrade, restore, round to 8 bits, compare with the ground truth.

The restorer is any function from a degraded image to a restored one. ``undegrade calibrate`` runs the same code with
functions that return the image unchanged or enlarge it, and thus checks the protocol.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from undegrade.data.benchmark import Benchmark
from undegrade.data.block_benchmark import MeasuredBlocks, SubmittedBlocks
from undegrade.data.catalogue import Dataset, images, load, pairs
from undegrade.degrade.numbers import Numbers
from undegrade.evaluation.markdown import beside, number, table
from undegrade.evaluation.paper import Paper
from undegrade.metrics import DIGITS, Metric, Protocol, to_8bit

Image = NDArray[np.float32]
Restore = Callable[[Image], NDArray[Any]]
"""y -> xhat: (H, W) or (H, W, 3), nominally in [0, 1], not clipped; height and width are multiplied by the scale."""

Estimate = Callable[[Image], NDArray[Any]]
"""y -> (P,), the estimated f(T) in the quantity's unit."""


@dataclass(frozen=True)
class Measured:
    """The measurement of one image.

    Attributes:
        image: file name of the clean image, without suffix.
        values: the protocol's metrics.
        estimate_error: mean |estimate - f(T)|, in the quantity's unit; None if not measured, if f(T) is unknown, or if
            its numbers have units of their own.
        bicubic: the metrics of the degraded image enlarged by bicubic interpolation; None if not measured.
        estimate_errors: where f(T) is of several numbers with units of their own, |estimate - f(T)| of each that is
            known, by name.
    """

    image: str
    values: Mapping[Metric, float]
    estimate_error: float | None = None
    bicubic: Mapping[Metric, float] | None = None
    estimate_errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One cell of a table: the mean over the images of a dataset.

    Attributes:
        table: number of the paper's table, or ``""``.
        dataset: its name.
        case: label of the degradation.
        images: the measurements, in the order of file names.
        complete: whether these are all images of the dataset.
    """

    table: str
    dataset: str
    case: str
    images: tuple[Measured, ...]
    complete: bool

    def mean(self, metric: Metric) -> float:
        """The mean of the images' values, as in the published tables."""
        return float(np.mean([i.values[metric] for i in self.images]))

    def bicubic(self, metric: Metric) -> float | None:
        """The mean for bicubic interpolation; None if it was not measured."""
        values = [i.bicubic[metric] for i in self.images if i.bicubic is not None]
        return float(np.mean(values)) if values else None

    @property
    def estimate_error(self) -> float | None:
        """The mean error of the estimate over the images; None if it was not measured."""
        errors = [i.estimate_error for i in self.images if i.estimate_error is not None]
        return float(np.mean(errors)) if errors else None

    @property
    def estimate_errors(self) -> dict[str, float]:
        """The mean error of each number of the estimate over the images that know it, by name."""
        names = dict.fromkeys(name for i in self.images for name in i.estimate_errors)
        return {n: float(np.mean([i.estimate_errors[n] for i in self.images if n in i.estimate_errors])) for n in names}


def evaluate(
    benchmarks: Sequence[Benchmark],
    protocol: Protocol,
    restore: Restore,
    data_dir: Path,
    *,
    estimate: Estimate | None = None,
    bicubic: Restore | None = None,
    limit: int | None = None,
    jobs: int = 1,
    progress: str | None = None,
) -> list[Cell]:
    """Measure every cell.

    Args:
        benchmarks: the cells.
        protocol: how images are compared.
        restore: the restorer to measure.
        data_dir: contains the folders of the datasets.
        estimate: also measure this estimator, if f(T) is known.
        bicubic: also measure this enlargement.
        limit: use only the first ``limit`` images of each dataset.
        jobs: number of images processed in parallel, in threads.
        progress: title of a progress bar on standard error; None for no bar.

    Returns:
        One cell per benchmark, in their order.

    Raises:
        UndegradeError: a dataset is missing (raised before the first measurement), or an image cannot be read.
    """
    datasets = list(dict.fromkeys(b.dataset for b in benchmarks))
    files = {d: _files(d, data_dir)[:limit] for d in datasets}
    work = [(d, clean, noisy) for d in datasets for clean, noisy in files[d]]

    def measure(item: tuple[Dataset, Path, Path | None]) -> dict[Benchmark, Measured]:
        dataset, clean, noisy = item
        mine = [b for b in benchmarks if b.dataset == dataset]
        return dict(_measure_image(mine, protocol, restore, estimate, bicubic, clean, noisy))

    # Images are the outer loop: each is decoded once for all of its cases.
    with ThreadPoolExecutor(jobs) as pool:
        bar = tqdm(
            pool.map(measure, work),
            total=len(work),
            desc=progress,
            unit="image",
            disable=progress is None,
            file=sys.stderr,
        )
        done = list(bar)
    return [
        Cell(
            table=b.table,
            dataset=b.dataset.name,
            case=b.case,
            images=tuple(results[b] for results in done if b in results),
            complete=len(files[b.dataset]) == b.dataset.count,
        )
        for b in benchmarks
    ]


def evaluate_blocks(
    blocks: MeasuredBlocks,
    folder: Path,
    protocol: Protocol,
    restore: Restore,
    *,
    limit: int | None = None,
    progress: str | None = None,
) -> Cell:
    """Measure blocks of photographs with public ground truth.

    Args:
        blocks: the benchmark.
        folder: its folder, found by :meth:`undegrade.data.block_benchmark.Blocks.find`.
        protocol: how blocks are compared.
        restore: the restorer to measure.
        limit: use only the first ``limit`` blocks.
        progress: title of a progress bar on standard error; None for no bar.

    Raises:
        UndegradeError: a file cannot be read, or the library for its format is missing.
    """
    pairs = islice(blocks.pairs(folder), limit)
    total = blocks.count if limit is None else min(limit, blocks.count)
    images = tuple(
        Measured(p.name, protocol.measure(p.clean, to_8bit(restore(p.noisy.astype(np.float32) / np.float32(255)))))
        for p in tqdm(pairs, total=total, desc=progress, unit="block", disable=progress is None, file=sys.stderr)
    )
    return Cell(blocks.table, blocks.name, "real", images, complete=len(images) == blocks.count)


def submit_blocks(
    blocks: SubmittedBlocks, folder: Path, out: Path, restore: Restore, method: str, progress: str | None = None
) -> None:
    """Write the files for a submission; see :meth:`undegrade.data.block_benchmark.SubmittedBlocks.submit`."""
    done = blocks.submit(folder, out, restore, method)
    for _ in tqdm(done, total=blocks.count, desc=progress, unit="block", disable=progress is None, file=sys.stderr):
        pass


def _files(dataset: Dataset, data_dir: Path) -> list[tuple[Path, Path | None]]:
    if dataset.degraded is None:
        return [(path, None) for path in images(dataset, data_dir)]
    return list(pairs(dataset, data_dir))


def _measure_image(
    benchmarks: Sequence[Benchmark],
    protocol: Protocol,
    restore: Restore,
    estimate: Estimate | None,
    bicubic: Restore | None,
    clean: Path,
    noisy: Path | None,
) -> Iterator[tuple[Benchmark, Measured]]:
    image = load(clean)
    for benchmark in benchmarks:
        x = protocol.clean(image, benchmark.scale)
        truth: NDArray[np.float32] | None = None
        if benchmark.degradation is not None:
            y, truth = benchmark.degrade(x)
        elif noisy is not None:
            y = protocol.clean(load(noisy)).astype(np.float32) / np.float32(255)
        else:
            raise ValueError(f"{benchmark.dataset.name} has no degraded images")
        error, errors = None, {}
        if estimate is not None and truth is not None:
            assert benchmark.degradation is not None  # the truth is known
            misses, quantity = np.abs(estimate(y) - truth), benchmark.degradation.quantity
            if isinstance(quantity, Numbers):  # a mean over levels, grain and qualities would say nothing
                named = zip(quantity.numbers, misses.tolist(), strict=True)
                errors = {number.name: miss for number, miss in named if math.isfinite(miss)}
            else:
                error = float(misses.mean())
        plain = None if bicubic is None else protocol.measure(x, to_8bit(bicubic(y)))
        yield benchmark, Measured(clean.stem, protocol.measure(x, to_8bit(restore(y))), error, plain, errors)


def report(cells: Sequence[Cell], protocol: Protocol, paper: Paper, method: str = "VDIR") -> str:
    """Our cells beside the paper's as a Markdown table, with bicubic and the error of the estimate if measured."""
    plain = any(i.bicubic is not None for c in cells for i in c.images)
    estimates = any(c.estimate_error is not None for c in cells)
    numbers = list(dict.fromkeys(name for c in cells for name in c.estimate_errors))
    rows = []
    for c in cells:
        row = [c.table or "-", c.dataset, c.case, str(len(c.images))]
        for m in protocol.metrics:
            row += beside(c.mean(m), paper.value(c.table, m, method, c.dataset, c.case), DIGITS[m])
            row += [number(c.bicubic(m), DIGITS[m])] * plain
        row += [number(c.estimate_error, 2)] * estimates
        rows.append(row + [number(c.estimate_errors.get(name), 2) for name in numbers])
    header = ["table", "dataset", "case", "images"]
    for m in protocol.metrics:
        header += [m.upper(), "paper", "diff."] + ["bicubic"] * plain
    header += ["estimate error"] * estimates
    return table(header + [f"{name} error" for name in numbers], rows, words=3)
