"""The published numbers, read from ``paper.toml`` in this folder."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from undegrade.metrics import Metric

Cells = Mapping[str, tuple[float | None, ...]]
"""Dataset -> one value per case of the table; None if nothing is published."""


@dataclass(frozen=True)
class Table:
    """One table of the paper.

    Attributes:
        title: of the table.
        cases: labels of its degradations.
        values: metric -> method -> cells. The paper's own model is ``"VDIR"``.
    """

    title: str
    cases: tuple[str, ...]
    values: Mapping[str, Mapping[str, Cells]]

    def value(self, metric: Metric, method: str, dataset: str, case: str) -> float | None:
        """One published number; None if there is none."""
        row = self.values.get(metric, {}).get(method, {}).get(dataset)
        return row[self.cases.index(case)] if row and case in self.cases else None


@dataclass(frozen=True)
class Peer:
    """PSNR of another method in the cells of one of the tables.

    Attributes:
        name: of the method.
        about: its size, and what it must be given.
        table: whose cells.
        estimated: the values are known only roughly.
        source: where the values are from.
        psnr: dB.
    """

    name: str
    about: str
    table: str
    estimated: bool
    source: str
    psnr: Cells


@dataclass(frozen=True)
class Discrepancy:
    """Published cells that the published setting does not reproduce, although it reproduces similar cells."""

    table: str
    method: str
    case: str
    datasets: tuple[str, ...]
    note: str
    metric: str = "psnr"


@dataclass(frozen=True)
class Paper:
    """The content of ``paper.toml``."""

    tables: Mapping[str, Table]
    peers: tuple[Peer, ...]
    discrepancies: tuple[Discrepancy, ...]

    def value(self, table: str, metric: Metric, method: str, dataset: str, case: str) -> float | None:
        """One published number; None if there is none or no such table."""
        found = self.tables.get(table)
        return found.value(metric, method, dataset, case) if found else None

    def discrepancy(self, table: str, method: str, dataset: str, case: str) -> Discrepancy | None:
        """The known discrepancy of a published cell, if any."""
        for d in self.discrepancies:
            if (d.table, d.method, d.case) == (table, method, case) and dataset in d.datasets:
                return d
        return None


@cache
def paper() -> Paper:
    """Read the file, once."""
    data = tomllib.loads(resources.files("undegrade.evaluation").joinpath("paper.toml").read_text(encoding="utf-8"))
    return Paper(
        tables={name: _table(t) for name, t in data["tables"].items()},
        peers=tuple(Peer(**{**p, "psnr": _cells(p["psnr"])}) for p in data["peers"]),
        discrepancies=tuple(Discrepancy(**{**d, "datasets": tuple(d["datasets"])}) for d in data["discrepancies"]),
    )


def _table(data: Mapping[str, Any]) -> Table:
    metrics = {m: {n: _cells(c) for n, c in data[m].items()} for m in ("psnr", "ssim") if m in data}
    return Table(title=data["title"], cases=tuple(data["cases"]), values=metrics)


def _cells(data: Mapping[str, Sequence[float]]) -> Cells:
    return {name: tuple(None if math.isnan(v) else v for v in row) for name, row in data.items()}
