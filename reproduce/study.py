"""What the studies share: how they start, and how they print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from undegrade.errors import UndegradeError


def parser(doc: str | None, add_arguments: Callable[[argparse.ArgumentParser], None]) -> argparse.ArgumentParser:
    """Of a study's command line, with its own words as the help text."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(made)
    return made


def start(
    doc: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int],
) -> int:
    """Run a study as a command; a problem that the user can solve is said in one line."""
    try:
        return run(parser(doc, add_arguments).parse_args())
    except UndegradeError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 2


def print_header(cells: Sequence[str], words: int = 1) -> None:
    """The head of a Markdown table whose first ``words`` columns are words; its lines follow one by one."""
    print_line(cells)
    print("|" + "|".join([":--"] * words + ["--:"] * (len(cells) - words)) + "|")


def print_line(cells: Sequence[str]) -> None:
    """A line of a Markdown table, at once: the next one may take minutes."""
    print(f"| {' | '.join(cells)} |", flush=True)
