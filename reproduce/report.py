"""What was measured beside what is documented."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from plan import Measured
from schema import HELD_OUT, Ablation, Place
from words import RESULTS

from undegrade.evaluation.evaluate import Cell
from undegrade.evaluation.markdown import beside, table
from undegrade.evaluation.results import Result
from undegrade.metrics import DIGITS, Metric

CLOSE: Mapping[Metric, float] = {"psnr": 0.01, "ssim": 0.0005}
"""Differences that another CPU may make."""


def beside_results(own: Path, names: Sequence[str]) -> tuple[str, bool]:
    """A measurement beside the committed ones, cell by cell, over the same images.

    Args:
        own: what ``undegrade evaluate --json`` wrote.
        names: of files in ``results/``; none where nothing was measured yet.

    Returns:
        A Markdown table and a sentence; whether all is well: the weights are others, or every cell is close.

    Raises:
        UndegradeError: a file is no result.
    """
    ours, expected = Result.read(own), [Result.read(RESULTS / name) for name in names]
    known = {(c.table, c.dataset, c.case): c for result in expected for c in result.cells}
    metrics = list(dict.fromkeys(m for c in ours.cells for image in c.images for m in image.values))
    estimates = any(c.estimate_error is not None for c in ours.cells)
    numbers = list(dict.fromkeys(name for c in ours.cells for name in c.estimate_errors))
    rows: list[list[str]] = []
    off: list[bool] = []
    for cell in ours.cells:
        other = known.get((cell.table, cell.dataset, cell.case))
        # Both are in the order of the file names, so that a part is compared with the same part.
        same = None if other is None else Cell(*_names(other), other.images[: len(cell.images)], other.complete)
        row = [cell.dataset, cell.case, str(len(cell.images))]
        for metric in metrics:
            theirs = None if same is None else same.mean(metric)
            row += beside(cell.mean(metric), theirs, DIGITS[metric])
            if theirs is not None:
                off.append(abs(cell.mean(metric) - theirs) > CLOSE[metric])
        if estimates:
            row += beside(cell.estimate_error, None if same is None else same.estimate_error, 2)[:2]
        for name in numbers:
            theirs = None if same is None else same.estimate_errors.get(name)
            row += beside(cell.estimate_errors.get(name), theirs, 2)[:2]
        rows.append(row)
    header = ["dataset", "case", "images"]
    for metric in metrics:
        header += [f"{metric.upper()}: ours", "expected", "diff."]
    header += ["estimate error: ours", "expected"] * estimates
    header += [text for name in numbers for text in (f"{name} error: ours", "expected")]
    same_weights = all(result.weights_sha256 == ours.weights_sha256 for result in expected)
    verdict = f"{len(off) - sum(off)} of {len(off)} numbers are as expected (within 0.01 dB, 0.0005 SSIM)."
    if not same_weights:
        verdict = "These are other weights than those of the expected numbers."
    beside_what = f"results/{', '.join(names)}" if names else "no expected numbers yet"
    if not names:
        verdict = f"Put it into results/ as {own.name}: then these numbers are the expected ones."
    return f"{own.name} | {beside_what}\n\n{table(header, rows, words=2)}\n{verdict}", not (same_weights and any(off))


def beside_documented(ablation: Ablation, measured: Sequence[Measured]) -> str:
    """What is there of an ablation beside what is documented, a line for each number, as a Markdown table.

    Raises:
        UndegradeError: a file is no result.
    """
    rows = []
    for one in measured:
        expected = one.training.expected_settled if one.settled else one.training.expected
        found = _validations(one.folder / "metrics.jsonl", ablation.every_validation)
        if one.result is not None and one.result.is_file():
            found |= {(c.dataset, c.case): c.mean("psnr") for c in Result.read(one.result).cells if c.images}
        if ablation.measure and not any(place in expected for place in found):
            # Validations are shown where they are documented, or nothing else is measured.
            found = {place: value for place, value in found.items() if place[0] != HELD_OUT}
        rows += [[one.row, *place, *beside(value, expected.get(place), 2)] for place, value in found.items()]
    if not rows:
        return "Nothing is measured yet."
    header = ["training", "on", "case", "PSNR: ours", "expected", "diff."]
    return f"{table(header, rows, words=3)}\nExpected: measured with {ablation.documented}."


def _names(cell: Cell) -> tuple[str, str, str]:
    return cell.table, cell.dataset, cell.case


def _validations(log: Path, every: bool) -> dict[Place, float]:
    """PSNR on the held-out crops, of the last validation or of every one."""
    if not log.is_file():
        return {}
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    validated = {line["step"]: line for line in lines if any(key.startswith("psnr/") for key in line)}
    return {
        (HELD_OUT, f"{key.removeprefix('psnr/')} at step {step}"): value
        for step in (validated if every else list(validated)[-1:])
        for key, value in validated[step].items()
        if key.startswith("psnr/")
    }
