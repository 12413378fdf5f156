"""The JSON files of ``undegrade evaluate``, and the page of results made from them.

Each file is the result of one model (task, variant, weights) on one machine, with the values of every image. The page
depends only on the files and on ``paper.toml``: the same files give the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from undegrade.degrade.numbers import Numbers
from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.markdown import beside, number, table
from undegrade.evaluation.paper import Paper
from undegrade.metrics import DIGITS, Metric
from undegrade.reading import parse_json, read_regular
from undegrade.tasks import Task
from undegrade.weights.card import Card

NAMES: Mapping[Metric, str] = {"psnr": "PSNR (dB)", "ssim": "SSIM"}

_MAX_RESULT = 50_000_000
"""Largest file of results that is read, in bytes."""


@dataclass(frozen=True)
class Result:
    """The result of one evaluation, or several merged ones.

    Attributes:
        task: its name.
        variant: of the task; if weights of another task or another network were measured, their name.
        self_ensemble: whether the mean over eight flips and rotations was measured.
        weights_sha256: of the weights file, in hex, and of one with a scale head of the file without it; "" for another
            network that is no file.
        machine: hardware and software, by kind (``"cpu"``, ``"gpu"``, ``"engine"``), and the ``"precision"`` if it is
            not float32.
        seconds: wall time of the whole evaluation.
        cells: the measurements.
    """

    task: str
    variant: str
    self_ensemble: bool
    weights_sha256: str
    machine: Mapping[str, str]
    seconds: float
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """The variant, with the paper's ``+`` for the self-ensemble."""
        return self.variant + "+" * self.self_ensemble

    def cell(self, table: str, dataset: str, case: str) -> Cell | None:
        """The measurement of one cell; None if it was not measured."""
        return next((c for c in self.cells if (c.table, c.dataset, c.case) == (table, dataset, case)), None)

    def write(self, path: Path) -> None:
        """Write a JSON file with the attributes, and for each cell the means and the number of images.

        Raises:
            UndegradeError: the file cannot be written.
        """
        values = asdict(self)
        for cell, written in zip(self.cells, values["cells"], strict=True):
            written["count"] = len(cell.images)
            written["mean"] = {m: cell.mean(m) for m in cell.images[0].values} if cell.images else {}
            written["mean_estimate_error"] = cell.estimate_error
            written["mean_estimate_errors"] = cell.estimate_errors
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(_without_infinity(values), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UndegradeError(f"{path}: cannot be written ({error.strerror}); choose another file.") from error

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read a file that :meth:`write` wrote.

        Raises:
            UndegradeError: it cannot be read, or it is not such a file.
        """
        try:
            values: dict[str, Any] = parse_json(read_regular(path, _MAX_RESULT))
            values["cells"] = tuple(_cell(c) for c in values["cells"])
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UndegradeError(
                f"{path}: not a result of undegrade evaluate ({error}); write it again, or move it away."
            ) from error


def _without_infinity(value: Any) -> Any:
    """The PSNR of equal images is infinite, which JSON cannot hold: null instead."""
    if isinstance(value, dict):
        return {k: _without_infinity(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(v) for v in value]
    return None if value == math.inf else value


def _image(values: Mapping[str, Any]) -> Measured:
    metrics = {k: values[k] for k in ("values", "bicubic") if values.get(k) is not None}
    known = {k: {m: math.inf if v is None else v for m, v in found.items()} for k, found in metrics.items()}
    return Measured(**{**values, **known})


def _cell(values: Mapping[str, Any]) -> Cell:
    measured = tuple(map(_image, values["images"]))
    return Cell(values["table"], values["dataset"], values["case"], measured, values["complete"])


def read_folder(folder: Path) -> list[Result]:
    """All results of a folder, in the order of their file names.

    Raises:
        UndegradeError: there is no such folder, or a JSON file in it is not a result.
    """
    if not folder.is_dir():
        raise UndegradeError(
            f"there is no folder {folder}; write results to it with undegrade evaluate --json {folder}/NAME.json."
        )
    return [Result.read(path) for path in sorted(folder.glob("*.json"))]


def merged(results: Sequence[Result], variants: Sequence[str]) -> list[Result]:
    """Merge the results of each label; the order is that of the variants. A long evaluation can run in parts.

    Raises:
        UndegradeError: the parts are of different weights, or two of them contain the same cell.
    """
    whole: dict[tuple[int, str], Result] = {}
    for r in results:
        key = (variants.index(r.variant) if r.variant in variants else len(variants), r.label)
        if key not in whole:
            whole[key] = r
            continue
        known = whole[key]
        if known.weights_sha256 != r.weights_sha256:
            raise UndegradeError(f"the results of {r.task} {r.label} are of different weights; measure them again.")
        twice = {(c.table, c.dataset, c.case) for c in known.cells} & {(c.table, c.dataset, c.case) for c in r.cells}
        if twice:
            raise UndegradeError(f"two results of {r.task} {r.label} contain {min(twice)}; move one of them away.")
        whole[key] = replace(known, cells=known.cells + r.cells, seconds=known.seconds + r.seconds)
    return [whole[key] for key in sorted(whole)]


def page(results: Sequence[Result], tasks: Mapping[str, Task], paper: Paper, cards: Sequence[Card] = ()) -> str:
    """The page of results as Markdown; of weights whose card is given it says on what they were trained."""
    hardware = {card.restorer_sha256: card.hardware for card in cards}
    parts = [
        "# Results\n",
        "Generated by `undegrade results` from the files in `results/`; do not edit. Columns named *ours* were\n"
        "measured with this package by `undegrade evaluate`; `undegrade calibrate` shows that it measures as the\n"
        "paper does. The other columns of these tables are printed in the paper, whose own model is VDIR. In the\n"
        "tables of other methods, *(est.)* marks a value that is known only roughly. *+* is the self-ensemble.\n",
    ]
    for task in tasks.values():
        mine = [r for r in results if r.task == task.name]
        parts.append(f"## {task.name}\n\n{task.summary}\n")
        parts += [_machines(mine, hardware)] if mine else ["Not measured yet.\n"]
        mine = merged(mine, list(task.variants))
        for name in dict.fromkeys(b.table for b in task.benchmarks):
            parts += [_cells(name, metric, task, mine, paper) for metric in task.protocol.metrics]
            parts += _estimates(name, task, mine) + _peers(name, task, paper)
    return "\n".join(parts)


def comparison(name: str, rows: Mapping[str, Result], paper: Paper) -> str:
    """A Markdown table that compares models, e.g. of an ablation: one row per model, beside the paper's values.

    Args:
        name: of the paper's table; its datasets and cases are the columns.
        rows: name of a model (the same as in the paper's table, if it is there) -> its measurements.
        paper: the published numbers; methods that are not in ``rows`` come first.

    Raises:
        UndegradeError: there is no such table.
    """
    if name not in paper.tables:
        raise UndegradeError(f"the paper has no table {name!r}; choose from {', '.join(paper.tables)}.")
    published = paper.tables[name]
    theirs = published.values["psnr"]
    columns = [(d, c) for d in dict.fromkeys(d for cells in theirs.values() for d in cells) for c in published.cases]
    lines = []
    for method in dict.fromkeys((*(m for m in theirs if m not in rows), *rows)):
        line = [method]
        for dataset, case in columns:
            cells = rows[method].cells if method in rows else ()
            ours = [c.mean("psnr") for c in cells if (c.dataset, c.case) == (dataset, case) and c.images]
            line += beside(ours[0] if ours else None, published.value("psnr", method, dataset, case), DIGITS["psnr"])
        lines.append(line)
    header = ["", *(text for d, c in columns for text in (f"{d}, {c}: ours", "paper", "diff."))]
    used = [c for r in rows.values() for c in r.cells if (c.dataset, c.case) in columns]
    partly = sorted({len(c.images) for c in used if not c.complete})
    note = f"\nOurs are over the first {' or '.join(map(str, partly))} images only.\n" if partly else ""
    return f"{published.title}, {NAMES['psnr']}\n\n{table(header, lines)}{note}"


def _machines(results: Sequence[Result], hardware: Mapping[str, str]) -> str:
    lines = []
    for r in results:
        machine = ", ".join(r.machine[kind] for kind in sorted(r.machine))
        trained = f" (trained on {hardware[r.weights_sha256]})" if r.weights_sha256 in hardware else ""
        weights = f"weights `{r.weights_sha256[:12]}`{trained}, " if r.weights_sha256 else ""
        sets = ", ".join(dict.fromkeys(c.dataset for c in r.cells))
        lines.append(f"- {r.label} on {sets}: {weights}{r.seconds:.0f} s on {machine}")
    return "\n".join(lines) + "\n"


def _cells(name: str, metric: Metric, task: Task, results: Sequence[Result], paper: Paper) -> str:
    """One table of the paper with our columns."""
    published = paper.tables.get(name)
    methods = list(published.values.get(metric, {})) if published else []
    plain = "Bicubic" not in methods and any(
        c.table == name and c.images and c.bicubic(metric) is not None for r in results for c in r.cells
    )
    rows = []
    for b in (b for b in task.benchmarks if b.table == name):
        theirs = {m: paper.value(name, metric, m, b.dataset.name, b.case) for m in methods}
        row = [b.dataset.name, b.case, *(number(v, DIGITS[metric]) for v in theirs.values())]
        if plain:
            found = [c.bicubic(metric) for r in results if (c := r.cell(name, b.dataset.name, b.case)) and c.images]
            row.append(number(next((v for v in found if v is not None), None), DIGITS[metric]))
        for r in results:
            cell = r.cell(name, b.dataset.name, b.case)
            ours = cell.mean(metric) if cell and cell.images else None
            row.append(
                number(ours, DIGITS[metric]) + ("" if cell is None or cell.complete else f" ({len(cell.images)})")
            )
            target = theirs.get("VDIR")
            if target is not None:
                row.append(number(ours - target if ours is not None else None, DIGITS[metric], signed=True))
        rows.append(row)
    header = ["dataset", "case", *methods] + ["Bicubic"] * plain
    for r in results:
        header += [f"ours: {r.label}"] + ([f"{r.label} − VDIR"] if "VDIR" in methods else [])
    title = f"Table {name}: {published.title}" if published else "Not in the paper"
    notes = [
        f"{d.method}, {d.case}, {' and '.join(d.datasets)}: {d.note}"
        for d in paper.discrepancies
        if (d.table, d.metric) == (name, metric)
    ]
    if any(not c.complete for r in results for c in r.cells if c.table == name):
        notes.append("(n): only the first n images.")
    below = "".join(f"\n{note}\n" for note in notes)
    return f"### {title}, {NAMES[metric]}\n\n{table(header, rows, words=2)}{below}"


def _estimates(name: str, task: Task, results: Sequence[Result]) -> list[str]:
    """The tables of the estimator's mean errors, one for each number with a unit of its own."""
    quantity = task.degradation.quantity
    tables = []
    for what, unit in dict.fromkeys(quantity.parts):

        def error(cell: Cell | None, what: str = what) -> float | None:
            several = isinstance(quantity, Numbers)
            return None if cell is None else cell.estimate_errors.get(what) if several else cell.estimate_error

        mine = [r for r in results if any(c.table == name and error(c) is not None for c in r.cells)]
        if not mine:
            continue
        rows = []
        for b in (b for b in task.benchmarks if b.table == name):
            cells = [r.cell(name, b.dataset.name, b.case) for r in mine]
            rows.append([b.dataset.name, b.case, *(number(error(c), 2) for c in cells)])
        title = f"### Mean error of the estimated {what}{f', {unit}' if unit else ''}\n"
        tables.append(f"{title}\n{table(['dataset', 'case', *(r.label for r in mine)], rows, words=2)}")
    return tables


def _peers(name: str, task: Task, paper: Paper) -> list[str]:
    """The table of other methods in the same cells."""
    published = paper.tables.get(name)
    cases = published.cases if published else tuple(dict.fromkeys(b.case for b in task.benchmarks if b.table == name))
    rows = []
    for peer in (p for p in paper.peers if p.table == name):
        for dataset, values in peer.psnr.items():
            if not any((b.table, b.dataset.name) == (name, dataset) for b in task.benchmarks):
                continue  # peers without a table of the paper belong to the task that has their dataset
            if len(values) != len(cases):
                continue  # measured for a task with other cases of that dataset
            shown = (number(v, 2) + " (est.)" * (peer.estimated and v is not None) for v in values)
            rows.append([peer.name, peer.about, peer.source, dataset, *shown])
    if not rows:
        return []
    header = ["method", "about", "source", "dataset", *cases]
    return [f"### Other methods, {NAMES['psnr']}\n\n{table(header, rows, words=4)}"]
