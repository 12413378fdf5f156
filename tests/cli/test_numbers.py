"""Every option of every command that takes a number, with numbers that make no sense."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from undegrade.cli import build_parser, main
from undegrade.cli.arguments import MOST_THREADS, Real, Whole
from undegrade.inference import engines

NEEDED = {
    "restore": ["a.png"],
    "estimate": ["a.png"],
    "serve": [],
    "evaluate": ["gaussian", "--folder", "."],
    "calibrate": ["--benchmarks", "."],
    "train": ["gaussian", "--data", ".", "--out", "run"],
    "analyse": ["--data", "."],
    "analyse sources": ["--data", ".", "--photographs", "."],
}
"""The other arguments of commands that take numbers."""
NONSENSE = ("nan", "-inf", "-1", "", " ", "x", "1e999", "-1e999", "0x10", "1,5", "9" * 400)
ENDLESS = ("train --pixels", "train --minutes")
"""These may be infinite, as they are by default."""


def options(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from options(sub, (*path, name))
        elif action.type in (int, float) or isinstance(action.type, Whole | Real):
            yield " ".join((*path, action.option_strings[-1])), action


NUMBERS = dict(options(build_parser()))


class Begun(Exception):
    """The command took its arguments and went to work."""


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def begin(*_: object, **__: object) -> None:
        raise Begun

    for place in ("files.selector.Selector.check", "train.run._start_processes", "serve.server.run",
                  "evaluation.calibrate.calibrate", "cli.measured.choose_method", "inference.load.load_pipeline",
                  "analysis.extra.need"):  # fmt: skip
        monkeypatch.setattr(f"undegrade.{place}", begin)
    monkeypatch.chdir(tmp_path)


def called(name: str, value: str) -> list[str]:
    *path, option = name.split()
    needed = NEEDED.get(" ".join(path), NEEDED[path[0]])
    count = NUMBERS[name].nargs
    return [*path, *needed, *([option, *[value] * count] if isinstance(count, int) else [f"{option}={value}"])]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_makes_no_sense_is_refused_by_name_before_any_work(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN and -1 went on to be seeds, ports, processes, threads and shares."""
    for value in NONSENSE:
        if name in ENDLESS and value in ("1e999", "9" * 400):
            continue
        if value.startswith("-") and isinstance(NUMBERS[name].nargs, int):
            continue  # argparse takes it for an option
        try:
            code = main(called(name, value))
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert code == 2, value
        assert name.split()[-1] in said.err
        assert "Traceback" not in said.err
        assert said.out == ""
    assert list(Path().iterdir()) == []


def test_ranges_are_named_as_their_options() -> None:
    for name, action in NUMBERS.items():
        if isinstance(action.type, Whole | Real):
            assert action.type.option in action.option_strings, name
            assert action.default is None or action.type(str(action.default)) == action.default


def test_every_number_within_its_range_is_taken() -> None:
    for action in NUMBERS.values():
        if isinstance(action.type, Whole):
            assert [action.type(str(n)) for n in (action.type.least, action.type.most)] == [
                action.type.least,
                action.type.most,
            ]
        elif isinstance(action.type, Real):
            assert action.type(str(action.type.most)) == action.type.most
            assert math.isfinite(action.type.most)


def test_the_most_threads_are_those_of_python() -> None:
    assert MOST_THREADS == engines.MOST_THREADS
