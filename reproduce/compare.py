"""A table of the paper that compares models, from results of `undegrade evaluate`: ours, the paper's, the difference.

    python reproduce/compare.py IX "restoration=alone.json" "two-stage=two-stage.json"

Each model is NAME=FILE; where NAME is a row of the paper's table, the paper's number stands beside it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, comparison


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="of the paper, e.g. IX")
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    args = parser.parse_args()
    rows = {}
    for model in args.models:
        name, _, file = model.rpartition("=")
        rows[name] = Result.read(Path(file))
    print(comparison(args.table, rows, paper()))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"compare.py: {error}")
