"""Files that may hold anything."""

import os
import socket
from pathlib import Path

import pytest

from undegrade.reading import (
    NotRegular,
    check_fields,
    json_text,
    name,
    open_regular,
    parse_json,
    read_regular,
    shown,
    whole,
)


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
    for path in (tmp_path / "pipe", tmp_path / "s", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(NotRegular, match="pipe, socket or device"):
            open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(NotRegular, match="larger than 1 MB"):
        read_regular(tmp_path / "sparse", 10**6)
    (tmp_path / "x").write_bytes(b"1234")
    assert read_regular(tmp_path / "x", 4) == b"1234"
    with pytest.raises(NotRegular):
        read_regular(tmp_path / "x", 3)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "NaN", "[Infinity]", "", b"\xff", "1" * 5000])
def test_what_is_no_json_is_an_error_of_one_kind(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


@pytest.mark.parametrize(
    "value", [[], None, {"b": 1}, {"a": 0}, {"a": True}, {"a": 1.0}, {"a": 10**30}, {"a": 1, "c": 1}]
)
def test_a_schema_finds_what_is_wrong(value: object) -> None:
    with pytest.raises(ValueError, match="it"):
        check_fields(value, {"a": whole(1, 9)}, {"b": name})
    check_fields({"a": 9, "b": "x-1"}, {"a": whole(1, 9)}, {"b": name})


def test_values_in_messages_are_short_and_printable() -> None:
    assert shown("a\nb\x1b") == repr("a\nb\x1b")
    assert len(shown("x" * 10**6)) < 200
    assert len(shown([["x" * 10**6]])) < 200


def test_json_text_keeps_lists_of_numbers_on_one_line():
    values = {"a": [1, -2.5, 1e-7], "b": [[0, 1], ["x"]], "c": "[1,\n  2]", "d": [], "e": {"f": [None, 1]}}
    text = json_text(values)
    assert parse_json(text) == values
    assert '  "a": [1, -2.5, 1e-07],\n' in text
    assert "    [0, 1],\n" in text
    assert json_text("[1,   2]") == '"[1,   2]"\n'
