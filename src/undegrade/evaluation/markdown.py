"""Aligned Markdown tables, also readable in a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table. The first ``words`` columns are text, aligned left; the others are numbers, aligned right.

    Raises:
        ValueError: a row is not as long as the header.
    """
    lines = [list(header), *map(list, rows)]
    if any(len(line) != len(header) for line in lines):
        raise ValueError("every row needs as many cells as the header")
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]

    def joined(cells: Sequence[str]) -> str:
        placed = (c.ljust(w) if i < words else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        return f"| {' | '.join(placed)} |"

    rule = [":" + "-" * (w - 1) if i < words else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([joined(lines[0]), f"| {' | '.join(rule)} |", *map(joined, lines[1:])]) + "\n"


def number(value: float | None, digits: int, signed: bool = False) -> str:
    """A number with fixed digits (no negative zero); a dash for None."""
    if value is None:
        return "-"
    return f"{value:{'+' if signed else ''}z.{digits}f}"


def beside(ours: float | None, theirs: float | None, digits: int) -> list[str]:
    """Three cells: our value, the published value, and ours minus the published one."""
    difference = None if ours is None or theirs is None else ours - theirs
    return [number(ours, digits), number(theirs, digits), number(difference, digits, signed=True)]
