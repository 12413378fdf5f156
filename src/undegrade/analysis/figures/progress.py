"""Curves of a training run, from its ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from undegrade.analysis.figures import style
from undegrade.errors import UndegradeError
from undegrade.reading import open_regular

# At most six, since the palette has six colours.
TERMS = ("restoration", "reconstruction", "estimation", "kl", "adversarial", "discriminator")
"""Terms of the objective, in the order of their colours."""

Row = Mapping[str, float]


def read_log(file: Path) -> list[Row]:
    """Read the log of a training run, one row per line.

    Raises:
        UndegradeError: the file cannot be read, is not such a log, or has no step yet.
    """
    try:
        with open_regular(file) as content:
            rows = [_row(line) for line in content.read().decode("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UndegradeError(f"{file} cannot be read; give the metrics.jsonl of a run of undegrade train.") from error
    if len(rows) > 1 and rows[-1] is None:
        rows.pop()  # the last line is incomplete: it is being written, or the run was killed
    known = [row for row in rows if row is not None]
    if not rows:
        raise UndegradeError(f"{file} has no step yet; wait for the first lines.")
    if len(known) < len(rows):
        raise UndegradeError(f"{file} is not a log of undegrade train; give the metrics.jsonl of a run.")
    return known


def _row(line: str) -> Row | None:
    try:
        row = {str(name): float(value) for name, value in json.loads(line).items()}
    except (ValueError, TypeError, AttributeError):
        return None
    return row if {"step", "lr"} <= row.keys() else None


def series(rows: Sequence[Row], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one quantity, for the rows that have it."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in found], [value for _, value in found]


def draw_progress(rows: Sequence[Row], path: Path) -> Path:
    """Three panels over the steps: the terms of the objective, PSNR on the held-out crops, the learning rate.

    The terms are unweighted, on a logarithmic scale, because their units differ. A term that is always zero is left
    out, and the middle panel is left out without validations. PSNR is drawn as the gain since the first validation:
    the cases differ by many dB, and their absolute curves would look flat. The legend gives the final values.
    """
    # With a frozen encoder the KL is still validated, but it is no longer a term of the objective.
    rows = [{k: v for k, v in row.items() if k != "kl" or "reconstruction" in row} for row in rows]
    terms = [name for name in TERMS if any(value > 0 for value in series(rows, name)[1])]
    cases = list(dict.fromkeys(name for row in rows for name in row if name.startswith("psnr/")))[: len(style.COLOURS)]
    heights = [2.2, *([1.8] if cases else []), 0.9]
    with style.figure(sum(heights)) as drawn:
        panels = drawn.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _curves(panels[0], rows, {name: name for name in terms}, "loss, unweighted")
        # A term may be zero before it is used; a logarithmic scale cannot show zeros.
        panels[0].set_yscale("log", nonpositive="mask")
        if cases:
            _curves(*gains(panels[1], rows, cases), "PSNR gained (dB)", "o")
        steps, rates = series(rows, "lr")
        panels[-1].plot(steps, rates, color="0.35")
        panels[-1].set_ylabel("learning rate")
        panels[-1].set_ylim(bottom=0)
        panels[-1].set_xlabel("step")
        drawn.align_ylabels(panels)
        return style.save(drawn, path)


def gains(axes: Any, rows: Sequence[Row], cases: Sequence[str]) -> tuple[Any, list[Row], dict[str, str]]:
    """Arguments of :func:`_curves`: the gain of every case over its first value, and the labels."""
    ends = {case: series(rows, case)[1] for case in cases}
    gained: list[Row] = [{k: v - ends[k][0] if k in ends else v for k, v in row.items()} for row in rows]
    return axes, gained, {case: f"{case.removeprefix('psnr/')}: {ends[case][-1]:.2f}" for case in cases}


def _curves(axes: Any, rows: Sequence[Row], names: Mapping[str, str], label: str, marker: str | None = None) -> None:
    """A line for each quantity; the legend is in the order of the final values."""
    ends: list[tuple[float, Any]] = []
    for (name, shown), colour in zip(names.items(), style.COLOURS, strict=False):
        steps, values = series(rows, name)
        (line,) = axes.plot(steps, values, color=colour, marker=marker, label=shown)
        ends.append((values[-1], line))
    axes.set_ylabel(label)
    axes.grid(axis="y", color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    handles = [line for _, line in sorted(ends, key=lambda end: end[0], reverse=True)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.005, 1.02), borderaxespad=0, handlelength=1.4)
