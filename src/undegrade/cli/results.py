"""``undegrade results``: write the page of results from the files of ``undegrade evaluate --json``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from undegrade.cli.arguments import a_path
from undegrade.reading import printable

HELP = "write docs/results.md: the numbers in results/*.json beside the paper's"


EXAMPLES = """examples:
  undegrade results                                          write docs/results.md again
  undegrade results --check                                  check whether it is up to date
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=a_path,
        default=Path("results"),
        metavar="DIR",
        help="folder of the JSON files (default: results)",
    )
    parser.add_argument(
        "--page", type=a_path, default=Path("docs/results.md"), metavar="FILE", help="the page (default: %(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")


def run(args: argparse.Namespace) -> int:
    """Write or check the page; 1 if ``--check`` finds it out of date."""
    from undegrade.evaluation.paper import paper
    from undegrade.evaluation.results import page, read_folder
    from undegrade.tasks import TASKS
    from undegrade.weights.card import shipped_cards

    text = page(read_folder(args.folder), TASKS, paper(), shipped_cards())
    if args.check:
        current = args.page.is_file() and args.page.read_text(encoding="utf-8") == text
        if not current:
            print(f"{printable(args.page)} is not up to date: run undegrade results.", file=sys.stderr)
        return 0 if current else 1
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(text, encoding="utf-8")
    return 0
