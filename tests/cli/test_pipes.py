"""Named pipes wherever a command takes a file: nobody writes to them, and none is waited for."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.analysis.figures.progress import read_log
from undegrade.cli import main
from undegrade.cli.progress import Progress
from undegrade.data import matfile
from undegrade.data.catalogue import load
from undegrade.data.training_images import read_folder
from undegrade.errors import UndegradeError
from undegrade.evaluation import own_pictures
from undegrade.files.plan import Job
from undegrade.train.log import Log

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pipe in the current folder; whoever waits for it is interrupted."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")

    def waited(*_: object) -> None:
        raise AssertionError("a pipe was waited for")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(20)
    yield Path("pipe.png")
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


READERS: dict[str, Callable[[Path], object]] = {
    "images of benchmarks": load,
    "training images": lambda path: read_folder(path.parent, 3),
    "sizes of pictures": own_pictures._size,
    "arrays": lambda path: matfile.read(path, "x"),
    "HDF5": lambda path: matfile.opened(path).__enter__(),
    "logs of training": read_log,
}


@pytest.mark.parametrize("name", READERS)
def test_folders_of_images_may_hold_pipes(name: str, pipe: Path) -> None:
    """Training, evaluation and analysis waited for ever."""
    with pytest.raises(UndegradeError, match=r"pipe\.png"):
        READERS[name](pipe)


def test_a_log_that_is_a_pipe(pipe: Path) -> None:
    with pytest.raises(OSError, match="pipe, socket or device"):
        Log(pipe).rows()


@pytest.mark.usefixtures("pipe")
def test_records_go_to_no_pipe_that_nobody_reads(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("records")
    Image.fromarray(make_photo(20, 20, 0)).save("a.png")
    assert main(["restore", "a.png", "--task", "gaussian", "--json", "records"]) == 2
    assert "--json records: cannot be written" in capsys.readouterr().err
    reader = os.open("records", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["restore", "a.png", "--task", "gaussian", "--json", "records"]) == 0
        assert os.read(reader, 65536).startswith(b'{"source": "a.png"')
    finally:
        os.close(reader)


def test_the_progress_bar_waits_for_no_pipe_and_asks_no_other_decoder(
    pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(make_photo(20, 30, 0)).save("a.png")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Image, "open", None)
    progress = Progress([Job(path, Path("out") / path) for path in (pipe, Path("a.png"))])
    progress.close()
    assert progress._weights == [600, 600]
