"""Lines, records and the progress bar of ``undegrade restore``."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture, records
from tests.pictures import make_photo
from undegrade.cli import main, progress

pytestmark = pytest.mark.usefixtures("here")


def test_names_that_the_terminal_cannot_show(weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    picture("p/a.png")
    Path("p/a.png").rename(os.fsdecode(b"p/\xff\xe4.png"))
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["restore", "p", "-o", "out", "--json", "log", "--weights", weights]) == 0
    assert terminal.buffer.getvalue().startswith(rb"p/\udcff\udce4.png: 3 x 2")
    (record,) = records(Path("log").read_text("ascii"))
    assert os.fsencode(str(record["source"])) == b"p/\xff\xe4.png"


def test_records_go_behind_those_of_a_machine_that_stopped(weights: str, quick: list[str]) -> None:
    picture("a.png")
    Path("log").write_text('{"source": "x.png"}\n{"sour')
    assert main(["restore", "a.png", "--json", "log", "--weights", weights]) == 0
    lines = Path("log").read_text().splitlines()
    assert lines[:2] == ['{"source": "x.png"}', '{"sour']
    assert json.loads(lines[2])["source"] == "a.png"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_records_that_cannot_be_written_stop_the_batch(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    picture("p/a.png")
    picture("p/b.png")
    assert main(["restore", "p", "-o", "out", "--json", "/dev/full", "--weights", weights]) == 1
    assert "the records cannot be written (No space left on device)" in capsys.readouterr().err
    assert quick == ["a.png"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_weighed_by_pixels_and_leaves_out_what_took_no_work(
    weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.new("RGB", (30, 10)).save("a.png")
    Pillow.new("RGB", (10, 10)).save("bad.png")
    Pillow.new("RGB", (20, 10)).save("c.png")
    Path("d.png").write_bytes(b"nothing of the kind")
    seen: list[tuple[str, float, float]] = []
    done = progress.Progress.done

    def noted(self: progress.Progress, index: int, counted: bool) -> None:
        before = self._bar.n
        done(self, index, counted)
        seen.append((self._bar.desc, before, self._bar.n, self._bar.total))

    monkeypatch.setattr(progress.Progress, "done", noted)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    Path("restored").mkdir()
    Path("restored/c.png").write_bytes(b"there")
    assert main(["restore", "a.png", "bad.png", "c.png", "d.png", "--skip-existing", "--weights", weights]) == 1
    # 300, 100 and 200 pixels, and 200 for the one whose header says nothing
    assert seen == [
        ("1 of 4", 150, 300, 800),
        ("2 of 4", 300, 300, 700),
        ("3 of 4", 300, 300, 500),
        ("4 of 4", 400, 500, 500),
    ]
    assert "100%" in terminal.getvalue()


def test_a_single_small_file_has_no_bar(weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["restore", "a.png", "--weights", weights]) == 0
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "BIG", 600)
    assert main(["restore", "a.png", "--weights", weights]) == 0
    assert "1 of 1" in terminal.getvalue()


def test_what_was_noticed_while_reading_is_in_the_line_and_in_the_record(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(make_photo(16, 16, 0)).save("a.jpg", exif=b"Exif\0\0nonsense")
    assert main(["restore", "a.jpg", "-o", "out", "--json", "log.jsonl", "--weights", weights]) == 0
    note = "left out EXIF data that cannot be read"
    assert f"8-bit colour JPEG of quality 75 ({note})" in capsys.readouterr().out
    assert records(Path("log.jsonl").read_text())[0]["notes"] == [note]


def test_nothing_removed_is_not_called_restored(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png")
    assert main(["restore", "a.png", "-o", "out", "--strength", "0", "--weights", weights]) == 0
    out = capsys.readouterr().out
    assert "unchanged (strength 0)" in out
    assert "restored with" not in out
