"""Fig. 4: PSNR against JPEG quality in colour, ours beside the paper's, as OUT.png and OUT.csv.

undegrade evaluate jpeg --variant fast --data BENCHMARKS --json results/jpeg-fast.json
python reproduce/fig-04.py results/jpeg-fast*.json --out docs/figures/fig-04
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, merged
from undegrade.tasks import TASKS

TABLE = "VII"
# The palette of Okabe and Ito, told apart by all eyes.
STYLES = {"JPEG": ("#999999", ":", None), "VDIR": ("#0072B2", "--", None)}
OURS = (("#D55E00", "-", "o"), ("#009E73", "-", "s"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="of undegrade evaluate jpeg")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    mine = merged([Result.read(path) for path in args.results], list(TASKS["jpeg"].variants))
    published = paper().tables[TABLE]
    curves: list[tuple[str, str, str, float]] = []
    for dataset in dict.fromkeys(b.dataset.name for b in TASKS["jpeg"].benchmarks if b.table == TABLE):
        for case in published.cases:
            for method, theirs in published.values["psnr"].items():
                value = theirs[dataset][published.cases.index(case)]
                if value is not None:
                    curves.append((dataset, method, case, value))
            for result in mine:
                cell = result.cell(TABLE, dataset, case)
                if cell is not None and cell.complete:
                    curves.append((dataset, f"ours: {result.label}", case, cell.mean("psnr")))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "method", "quality", "psnr"])
        writer.writerows((d, m, c.removeprefix("QF "), f"{v:.4f}") for d, m, c, v in curves)
    draw(curves, args.out.with_suffix(".png"))
    return 0


def draw(curves: list[tuple[str, str, str, float]], path: Path) -> None:
    """A panel for each dataset, a line for each method."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    datasets = [d for d in dict.fromkeys(c[0] for c in curves) if any(c[0] == d and "ours" in c[1] for c in curves)]
    figure, panels = plt.subplots(
        1, len(datasets), figsize=(3.6 * len(datasets), 3.2), layout="constrained", sharey=True, squeeze=False
    )
    for axes, dataset in zip(panels[0], datasets, strict=True):
        ours = iter(OURS)
        for method in dict.fromkeys(c[1] for c in curves if c[0] == dataset):
            points = [(int(c[2].removeprefix("QF ")), c[3]) for c in curves if c[:2] == (dataset, method)]
            colour, line, marker = STYLES[method] if method in STYLES else next(ours)
            label = {"JPEG": "JPEG itself", "VDIR": "VDIR (the paper)"}.get(method, method)
            axes.plot(*zip(*points, strict=True), line, color=colour, marker=marker, markersize=4, label=label)
        axes.set(title=dataset, xlabel="JPEG quality")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("PSNR, RGB (dB)")
    panels[0][0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    raise SystemExit(main())
