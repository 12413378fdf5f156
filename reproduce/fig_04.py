"""Fig. 4: PSNR against JPEG quality in colour, ours beside the paper's, as OUT.png and OUT.csv.

undegrade evaluate jpeg --variant fast --benchmarks DATA --json results/jpeg-fast.json
python reproduce/fig_04.py results/jpeg-fast*.json --out docs/figures/fig-04
"""

from __future__ import annotations

import argparse
from pathlib import Path

import study

from undegrade.analysis.figures import style
from undegrade.analysis.tables import write_csv
from undegrade.errors import UndegradeError
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, merged
from undegrade.tasks import TASKS

TABLE = "VII"
STYLES = {"JPEG": ("#999999", ":", None), "VDIR": (style.COLOURS[0], "--", None)}
OURS = ((style.COLOURS[4], "-", "o"), (style.COLOURS[2], "-", "s"))
LABELS = {"JPEG": "JPEG itself", "VDIR": "VDIR (the paper)"}

Point = tuple[str, str, int, float]
"""Dataset, method, quality, PSNR."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, nargs="+", help="of undegrade evaluate jpeg")
    parser.add_argument("--out", type=Path, required=True, help="without ending")


def run(args: argparse.Namespace) -> int:
    mine = merged([Result.read(path) for path in args.results], list(TASKS["jpeg"].variants))
    published = paper().tables[TABLE]
    points: list[Point] = []
    for dataset in dict.fromkeys(b.dataset.name for b in TASKS["jpeg"].benchmarks if b.table == TABLE):
        for case in published.cases:
            quality = int(case.removeprefix("QF "))
            for method in published.values["psnr"]:
                value = published.value("psnr", method, dataset, case)
                if value is not None:
                    points.append((dataset, method, quality, value))
            for result in mine:
                cell = result.cell(TABLE, dataset, case)
                if cell is not None and cell.images:
                    part = "" if cell.complete else f", first {len(cell.images)}"
                    points.append((dataset, f"ours: {result.label}{part}", quality, cell.mean("psnr")))
    if not any(method.startswith("ours") for _, method, _, _ in points):
        raise UndegradeError(f"the results hold no cell of Table {TABLE}; measure the task jpeg.")
    print(f"-> {write_csv(args.out.with_suffix('.csv'), ('dataset', 'method', 'quality', 'psnr'), points)}")
    print(f"-> {draw(points, args.out.with_suffix('.png'))}")
    return 0


def draw(points: list[Point], path: Path) -> Path:
    """A panel for each dataset that was measured, a line for each method."""
    datasets = [d for d in dict.fromkeys(p[0] for p in points) if any(p[0] == d and "ours" in p[1] for p in points)]
    with style.figure(3.2) as drawn:
        panels = drawn.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
        for axes, dataset in zip(panels, datasets, strict=True):
            ours = iter(OURS)
            for method in dict.fromkeys(p[1] for p in points if p[0] == dataset):
                line = [(quality, psnr) for d, m, quality, psnr in points if (d, m) == (dataset, method)]
                colour, dashes, marker = STYLES[method] if method in STYLES else next(ours)
                label = LABELS.get(method, method)
                axes.plot(*zip(*line, strict=True), dashes, color=colour, marker=marker, label=label)
            axes.set(title=dataset, xlabel="JPEG quality")
        panels[0].set_ylabel("PSNR, RGB (dB)")
        panels[0].legend()
        return style.save(drawn, path)


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
