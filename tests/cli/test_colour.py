"""Colour: on a terminal, for names and errors, and never where it would be in the way."""

import io
import sys
from pathlib import Path

import pytest

from tests.cli.restoring import picture
from undegrade.cli import main, streams
from undegrade.cli.colour import Style, has_colour

pytestmark = pytest.mark.usefixtures("here")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("environment", "terminal", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_when(environment: dict[str, str], terminal: bool, colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_colour(Terminal() if terminal else io.StringIO()) is colour


def test_a_closed_stream_has_none() -> None:
    stream = io.StringIO()
    stream.close()
    assert not has_colour(stream)
    monkeypatched = io.TextIOWrapper(io.BytesIO())
    monkeypatched.close()
    assert not has_colour(monkeypatched)


def test_only_the_head_is_coloured_and_names_cannot_paint() -> None:
    terminal = Terminal()
    streams.say("a\x1b[31m.png: is\x1b[0m good", terminal, "a\x1b[31m.png", Style.NAME)
    assert terminal.getvalue() == "\x1b[1ma\\x1b[31m.png\x1b[0m: is\\x1b[0m good\n"
    terminal = Terminal()
    streams.say("good", terminal, "other", Style.NAME)
    streams.say("good", terminal)
    assert terminal.getvalue() == "good\ngood\n"


def test_the_command_colours_names_and_errors(weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    picture("p/a.png")
    picture("p/bad.png")
    for colour in (True, False):
        out, err = (Terminal(), Terminal()) if colour else (io.StringIO(), io.StringIO())
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        assert main(["restore", "p", "-o", f"out{colour}", "--weights", weights]) == 1
        assert ("\x1b[1mp/a.png\x1b[0m: 3 x 2" in out.getvalue()) is colour
        assert ("\x1b[1;31mundegrade restore:\x1b[0m p/bad.png: this is bad" in err.getvalue()) is colour
        assert colour or "\x1b" not in out.getvalue() + err.getvalue()
        Path("empty").mkdir(exist_ok=True)
        assert main(["restore", "empty", "-o", "out"]) == 2
        assert ("\x1b[1;31mundegrade restore:\x1b[0m " in err.getvalue()) is colour


def test_records_are_never_coloured(weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["restore", "a.png", "--json", "log", "--weights", weights]) == 0
    assert "\x1b" not in Path("log").read_text()
