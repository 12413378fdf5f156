"""The command line. One module per command; each adds its arguments and returns an exit code.

Exit codes: 0 success; 1 the command ran, but something failed (a file could not be restored, a number differs from
the paper's); 2 the command could not start (wrong arguments, missing data or weights).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from undegrade.errors import UndegradeError

COMMANDS = ("restore", "estimate", "serve", "evaluate", "calibrate", "analyse", "train", "results")
"""Each is a module in this package with ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args) -> int``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="undegrade", description="Blind image restoration that also estimates the degradation."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"undegrade.cli.{name}")
        sub = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except UndegradeError as error:
        print(f"undegrade {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
