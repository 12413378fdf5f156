"""``undegrade results``: the page of results from the files that ``undegrade evaluate --json`` wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "write docs/results.md from results/*.json, beside the paper's numbers"


EXAMPLES = """examples:
  undegrade results                                          write docs/results.md anew
  undegrade results --check                                  is it up to date?
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--page", type=Path, default=Path("docs/results.md"), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")


def run(args: argparse.Namespace) -> int:
    """Write or check the page; 1 if it was to be checked and is stale."""
    from undegrade.evaluation.paper import paper
    from undegrade.evaluation.results import page, read_folder
    from undegrade.tasks import TASKS

    text = page(read_folder(args.folder), TASKS, paper())
    if args.check:
        fresh = args.page.is_file() and args.page.read_text(encoding="utf-8") == text
        if not fresh:
            print(f"{args.page} is not up to date: run undegrade results.", file=sys.stderr)
        return 0 if fresh else 1
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(text, encoding="utf-8")
    return 0
