"""``-``: one picture through standard input and standard output."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture
from tests.image.makers import RGB, pillow
from undegrade.cli import main, piped
from undegrade.image import read

pytestmark = pytest.mark.usefixtures("here")


def undegrade(*arguments: str, given: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "undegrade", "restore", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, **options)


def test_a_picture_goes_through(weights: str, tmp_path: Path) -> None:
    picture("in.png")
    assert main(["restore", "in.png", "-o", "file.png", "--weights", weights]) == 0
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = undegrade(
        "-", "-o", "-", "--weights", weights, given=Path("in.png").read_bytes(),
        env={**os.environ, "TMPDIR": str(scratch)},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == Path("file.png").read_bytes()
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("-: 30 x 20, 8-bit colour PNG; estimated noise level ")
    assert line.endswith(" s -> -")
    assert not list(scratch.glob("undegrade-*"))


class Stream(io.TextIOWrapper):
    """A standard stream of bytes that may be a terminal."""

    def __init__(self, data: bytes = b"", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def bytes(self) -> bytes:
        return self.buffer.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(data: bytes = b"", *, source: bool = False, target: bool = False) -> Stream:
        out = Stream(terminal=target)
        monkeypatch.setattr(sys, "stdin", Stream(data, terminal=source))
        monkeypatch.setattr(sys, "stdout", out)
        return out

    return put


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "avif", "bmp", "gif", "ppm"])
def test_every_format_can_be_read_from_a_stream(
    weights: str, format: str, streams: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = streams(pillow(RGB, format))
    assert main(["restore", "-", "-o", "-", "--weights", weights]) == 0
    Path("result").write_bytes(out.bytes)
    assert read("result").format == (format if format in ("png", "jpeg", "webp", "tiff", "avif") else "png")
    assert read("result").pixels.shape == RGB.shape


def test_a_stream_to_a_file_and_a_file_to_a_stream(weights: str, streams: Any) -> None:
    picture("a.png")
    out = streams(Path("a.png").read_bytes())
    assert main(["restore", "-", "-o", "deep/b.tif", "--weights", weights]) == 0
    assert out.bytes == b""
    assert main(["restore", "a.png", "-o", "-", "--weights", weights]) == 0
    with Pillow.open(io.BytesIO(out.bytes)) as streamed:
        np.testing.assert_array_equal(np.asarray(streamed), read("deep/b.tif").pixels)
    assert {p.name for p in Path().iterdir()} == {"a.png", "deep"}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "-: the picture is empty; copy or download it again."),
        (b"hello, this is no picture", "-: the picture is not a PNG, JPEG"),
        (pillow(RGB, "png")[:-200], "-: the picture is damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_one_sentence_and_no_output(
    weights: str, data: bytes, what: str, streams: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = streams(data)
    assert main(["restore", "-", "-o", "-", "--weights", weights]) == 1
    assert out.bytes == b""
    error = capsys.readouterr().err
    assert error.startswith(f"undegrade restore: {what}")
    assert error.count("\n") == 1
    assert tempfile.gettempdir() not in error


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["-", "a.png", "-o", "-"], "there are 2 inputs"),
        (["-", "-", "-o", "-"], "there are 2 inputs"),
        (["-"], "-o restored is no name for the picture of standard input; end it in .png, .jpg"),
        (["-", "-o", "out.gif"], "-o out.gif is no name"),
        (["-", "-o", "folder.png"], "-o folder.png is no name"),
        (["folder.png", "-o", "-"], "folder.png is a folder"),
        (["-", "-o", "-", "--json", "-"], "--json cannot be combined with -"),
        (["-", "-o", "-", "--samples", "2"], "--samples cannot be combined with -, since it writes two pictures"),
        (["-", "-o", "-", "--skip-existing"], "--skip-existing cannot be combined"),
        (["-", "-o", "-", "--uncertainty"], "--uncertainty cannot be combined with -, since it writes two pictures"),
        (["-", "-o", "-", "--shard", "1/2"], "--shard cannot be combined"),
        (["-", "-o", "s3://a/b.png"], "needs --ray"),
        (["-", "-o", "-", "--ray", ""], "--ray restores folders on other machines"),
        (["-", "-o", "-", "--name", "{stem}.png"], "--name cannot be combined"),
    ],
)
def test_wrong_uses(arguments: list[str], what: str, streams: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.png").mkdir()
    out = streams(b"")
    assert main(["restore", *arguments]) == 2
    assert what in capsys.readouterr().err
    assert out.bytes == b""


def test_terminals_are_no_pictures(streams: Any, capsys: pytest.CaptureFixture[str]) -> None:
    streams(source=True)
    assert main(["restore", "-", "-o", "-"]) == 2
    assert "there is no picture on standard input; add < photo.png" in capsys.readouterr().err
    streams(target=True)
    assert main(["restore", "-", "-o", "-"]) == 2
    assert "standard output is this terminal; add > restored.png" in capsys.readouterr().err


def test_a_stream_without_end_is_refused(
    weights: str, streams: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(piped, "MAX_BYTES", 100)
    streams(pillow(RGB, "png"))
    assert main(["restore", "-", "-o", "-", "--weights", weights]) == 2
    assert "which no picture has" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_output_is_told(weights: str) -> None:
    picture("in.png")
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "undegrade", "restore", "in.png", "-o", "-", "--weights", weights]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"the output cannot be written (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr
