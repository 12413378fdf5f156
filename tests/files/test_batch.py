"""What counts as a result that another run has written meanwhile."""

import os
from pathlib import Path

import numpy as np
import pytest

from undegrade.files.batch import How, restore_turn, turns
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Status
from undegrade.files.selector import Selector
from undegrade.image import Format, Picture, read, write
from undegrade.inference.select_task import Choice


@pytest.fixture
def job(tmp_path: Path) -> Job:
    write(tmp_path / "a.png", Picture(np.zeros((20, 20), np.uint8)), Format.PNG)
    (tmp_path / "out.png").write_bytes(b"an old result")
    return Job(tmp_path / "a.png", tmp_path / "out.png")


@pytest.fixture
def how(monkeypatch: pytest.MonkeyPatch) -> How:
    monkeypatch.setattr(Selector, "__call__", lambda *_: Choice(None, "left alone"))
    return How(FileOptions(), Selector())


def test_an_old_result_is_old_where_files_are_numbered_anew(job: Job, how: How) -> None:
    """Some network file systems give a file another inode each time that it is looked at."""
    (turn,) = turns([job])
    status = job.output.stat()
    copy = job.output.with_name("copy")
    copy.write_bytes(job.output.read_bytes())
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    kept = job.output.rename(job.output.with_name("kept"))  # so that its inode stays in use
    copy.rename(job.output)
    assert job.output.stat().st_ino != kept.stat().st_ino
    assert restore_turn(turn, how).status is Status.LEFT
    assert read(job.output).pixels.shape == (20, 20)


def test_a_result_that_was_written_since_the_beginning_is_kept(job: Job, how: How) -> None:
    (turn,) = turns([job])
    job.output.write_bytes(b"another run's")
    assert restore_turn(turn, how).status is Status.SKIPPED
    assert job.output.read_bytes() == b"another run's"
