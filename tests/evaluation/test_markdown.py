"""Markdown tables that a terminal can show too."""

from __future__ import annotations

import pytest

from undegrade.evaluation.markdown import beside, number, table


def test_markdown_tables_are_aligned() -> None:
    text = table(["name", "dB"], [["a", "1.00"], ["longer", "-12.50"]])
    assert text == "| name   |     dB |\n| :----- | -----: |\n| a      |   1.00 |\n| longer | -12.50 |\n"
    with pytest.raises(ValueError, match="as many cells"):
        table(["a"], [["b", "c"]])


def test_numbers_are_rounded_signed_and_never_minus_zero() -> None:
    assert beside(30.014, 30.01, 2) == ["30.01", "30.01", "+0.00"]
    assert beside(30.0, 30.25, 2) == ["30.00", "30.25", "-0.25"]
    assert beside(30.0, None, 2) == ["30.00", "-", "-"]
    assert number(-0.001, 2) == "0.00"
