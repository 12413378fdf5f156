"""A table of the paper that compares models, from results of `undegrade evaluate`: ours, the paper's, the difference.

    python reproduce/compare.py IX "restoration=no-latent.json" "two-stage=two-stage.json"

Each model is NAME=FILE; where NAME is a row of the paper's table, the paper's number stands beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import study

from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="of the paper, e.g. IX")
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--skip-missing", action="store_true", help="leave out models whose file is not there")


def run(args: argparse.Namespace) -> int:
    rows = {}
    for model in args.models:
        name, _, file = model.rpartition("=")
        if Path(file).is_file() or not args.skip_missing:
            rows[name] = Result.read(Path(file))
    print(comparison(args.table, rows, paper()))
    return 0


if __name__ == "__main__":
    raise SystemExit(study.start(__doc__, add_arguments, run))
