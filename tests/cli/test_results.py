"""``undegrade results`` writes the page and checks it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from tests.evaluation.known_results import FULL
from undegrade.cli import results as command


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv))


def test_check_fails_until_the_page_is_written_anew(tmp_path: Path) -> None:
    folder, md = tmp_path / "results", tmp_path / "docs" / "results.md"
    options = ("--folder", str(folder), "--page", str(md))
    FULL.write(folder / "full.json")
    assert run(*options, "--check") == 1
    assert not md.exists()
    assert run(*options) == 0
    assert run(*options, "--check") == 0
    dataclasses.replace(FULL, seconds=99.0).write(folder / "full.json")
    assert run(*options, "--check") == 1
