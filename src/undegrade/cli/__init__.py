"""The command line. One module per command; each adds its arguments and returns an exit code.

Exit codes: 0 success; 1 the command ran, but something failed (a file could not be restored, a number differs from
the paper's); 2 the command could not start (wrong arguments, missing data or weights); 130 it was interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from undegrade import __version__
from undegrade.cli import interrupts, streams
from undegrade.cli.colour import Style
from undegrade.errors import UndegradeError
from undegrade.reading import printable

COMMANDS = (
    "restore", "estimate", "models", "serve", "export", "evaluate", "calibrate", "analyse", "train", "results",
    "completion",
)  # fmt: skip
"""Each is a module in this package with ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args) -> int``."""


class _Parser(argparse.ArgumentParser):
    """Repeats arguments in its errors so that they cannot control the terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 130 if it was interrupted."""
    streams.ensure()
    with interrupts.watching():
        try:
            code = _main(argv)
        except SystemExit:
            if not interrupts.received():
                raise
            code = interrupts.EXIT_CODE
        except BaseException as error:
            # A library that is interrupted while it is imported raises errors of its own.
            if not (interrupts.received() or isinstance(error, KeyboardInterrupt)):
                raise
            streams.say("", sys.stderr)  # the terminal has written ^C
            streams.say("interrupted", sys.stderr)
            code = interrupts.EXIT_CODE
    return streams.finished(code)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; the command that was chosen is ``run`` in what it parses."""
    parser = _Parser(prog="undegrade", description="Blind image restoration that also estimates the degradation.")
    parser.add_argument("--version", action="version", version=f"undegrade {__version__}")
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
    return parser


def _main(argv: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    # Options are refused while they are parsed: by the command too.
    head = f"undegrade {given[0]}:" if given and given[0] in COMMANDS else "undegrade:"
    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except UndegradeError as error:
        interrupts.check()
        streams.say(f"{head} {error}", sys.stderr, head, Style.ERROR)
        return 2
    except BrokenPipeError:  # the reader of the output has closed it, as head does
        streams.discard()
        return 1
    except OSError as error:
        if not streams.is_full(error):
            raise
        streams.discard()
        streams.say(f"{head} the output cannot be written ({error.strerror}).", sys.stderr, head, Style.ERROR)
        return 1
