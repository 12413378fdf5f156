"""``undegrade calibrate``: reproduce the paper's numbers that need no model."""

from __future__ import annotations

import argparse
import json

from undegrade.cli.arguments import Whole, a_path, add_benchmarks

HELP = "check the paper's numbers for degraded images (needs the benchmark images, no model)"


EXAMPLES = """examples:
  undegrade calibrate --benchmarks sets --tables VI VII      the JPEG rows of two tables
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_benchmarks(parser)
    parser.add_argument("--tables", nargs="+", metavar="T", help="only these tables, e.g. --tables VI VII")
    parser.add_argument(
        "--jobs",
        type=Whole("--jobs", 1, 1024),
        default=2,
        metavar="N",
        help="images processed in parallel (default: 2)",
    )
    parser.add_argument("--json", type=a_path, metavar="FILE", help="also write the numbers to this file")


def run(args: argparse.Namespace) -> int:
    """Print the comparison; 0 if every cell agrees with the paper, else 1."""
    from undegrade.errors import UndegradeError
    from undegrade.evaluation.calibrate import calibrate, record, report
    from undegrade.evaluation.paper import paper
    from undegrade.tasks import TASKS

    found = calibrate(list(TASKS.values()), paper(), args.benchmarks, tables=args.tables, jobs=args.jobs, progress=True)
    if not found:
        raise UndegradeError(f"no table {' or '.join(args.tables)} has cells that need no model; leave out --tables.")
    print(report(found))
    wrong, known = sum(not c.agrees for c in found), sum(c.discrepancy is not None for c in found)
    note = f"; {known} are known discrepancies of the paper" if known else ""
    print(f"{len(found) - wrong - known} of {len(found)} cells agree with the paper{note}.")
    if args.json:
        args.json.write_text(json.dumps(record(found), indent=1) + "\n")
    return 1 if wrong else 0
