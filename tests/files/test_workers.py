"""A batch in several processes: the same results as in one, and no process takes another's work with it."""

import os
import signal
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undegrade import UndegradeError
from undegrade.files import claims, workers
from undegrade.files.batch import How, turns
from undegrade.files.claims import claim
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Status
from undegrade.files.selector import Selector
from undegrade.files.workers import Workers
from undegrade.inference.select_task import Choice

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
ALWAYS, ONCE, LONG = 13, 14, 15


@dataclass(frozen=True)
class Leave(Selector):
    """Leaves every picture alone, so that no model is needed; heights say what happens to the process.

    Attributes:
        weights: a folder for notes.
    """

    def __call__(self, image, quality, progress=None):
        note = self.weights / str(os.getpid())
        note.touch()
        height = len(image)
        if height == ALWAYS:
            os.kill(os.getpid(), signal.SIGKILL)
        if height == ONCE and not (self.weights / "once").exists():
            (self.weights / "once").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if height == LONG:
            (self.weights / "long").touch()
            time.sleep(60)
        return Choice(None, "left alone")


def no_lock(descriptor):
    return None


def _without_locks(folder):
    claims.lock = no_lock
    return WithoutLocks(weights=folder)


@dataclass(frozen=True)
class WithoutLocks(Leave):
    """The same on a file system that has no locks."""

    def __reduce__(self):
        return _without_locks, (self.weights,)


@dataclass(frozen=True)
class Unable(Selector):
    """Ends the process that it is sent to."""

    def __reduce__(self):
        return os._exit, (3,)


class Told:
    def __init__(self):
        self.begun, self.fractions = [], []

    def start(self, index):
        self.begun.append(index)

    def within(self, index, fraction):
        self.fractions.append((index, fraction))


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def batch(folder: Path, *heights: int):
    jobs = []
    for i, height in enumerate(heights):
        Image.fromarray(np.full((height, 20), i, np.uint8)).save(folder / f"{i}.png")
        jobs.append(Job(folder / f"{i}.png", folder / "out" / f"{i}.png"))
    return turns(jobs)


def gone(pid: int) -> bool:
    """Whether a process has ended, within some seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_dead_processes_are_replaced_and_the_others_go_on(tmp_path, notes):
    told = Told()
    files = batch(tmp_path, 20, ALWAYS, 21, ONCE, 22, 23)
    outcomes = dict(Workers(files, How(FileOptions(), Leave(weights=notes)), 2, told).run())
    assert sorted(outcomes) == list(range(6))
    assert {i for i, o in outcomes.items() if o.status == Status.LEFT} == {0, 2, 3, 4, 5}
    assert outcomes[1].status == Status.FAILED
    assert outcomes[1].reason == (
        "its process ended twice (SIGKILL), perhaps out of memory; give fewer --jobs or less --memory."
    )
    assert sorted(told.begun) == [0, 1, 1, 2, 3, 3, 4, 5]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "2.png", "3.png", "4.png", "5.png"]
    assert all(gone(int(p.name)) for p in notes.iterdir() if p.name.isdigit())


def test_without_locks_the_claim_of_a_dead_process_is_removed_and_that_of_another_run_stays(
    tmp_path, notes, monkeypatch
):
    monkeypatch.setattr(claims, "lock", no_lock)
    files = batch(tmp_path, ONCE, 21)
    with claim(files[1].job.output):
        outcomes = dict(Workers(files, How(FileOptions(), WithoutLocks(weights=notes)), 1, Told()).run())
        assert claims.claim_path(files[1].job.output).exists()
    assert {i: o.status for i, o in outcomes.items()} == {0: Status.LEFT, 1: Status.BUSY}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["0.png"]


def test_processes_that_cannot_start_are_one_sentence(tmp_path, notes):
    with pytest.raises(UndegradeError, match=r"^the processes of --jobs end while they start \(exit code 3\)"):
        list(Workers(batch(tmp_path, 20), How(FileOptions(), Unable()), 1, Told()).run())


def test_a_system_without_room_for_so_many_processes_goes_on_with_fewer(tmp_path, notes, monkeypatch):
    process = workers.SpawnProcess
    start, started, heard, room = process.start, [], [], 1

    def limited(self):
        if len(started) >= room:
            raise OSError(24, "Too many open files")
        started.append(self)
        start(self)

    monkeypatch.setattr(process, "start", limited)
    run = Workers(batch(tmp_path, 20, 21, 22), How(FileOptions(), Leave(weights=notes)), 3, Told(), heard.append)
    assert {i: o.status for i, o in run.run()} == dict.fromkeys(range(3), Status.LEFT)
    assert heard == ["1 of 3 processes can be started (Too many open files); they go on."]
    room = 0
    started.clear()
    with pytest.raises(UndegradeError, match=r"^no process of --jobs can be started \(Too many open files\)"):
        list(Workers(batch(tmp_path, 20), How(FileOptions(), Leave(weights=notes)), 1, Told()).run())


def test_stopping_stops_the_files_at_work_and_leaves_nothing(tmp_path, notes):
    with closing(Workers(batch(tmp_path, LONG, 20), How(FileOptions(), Leave(weights=notes)), 2, Told()).run()) as run:
        assert next(run)[0] == 1
        while not (notes / "long").exists():
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 40  # not the 60 seconds of the file
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["1.png"]
    assert all(gone(int(p.name)) for p in notes.iterdir() if p.name.isdigit())


def test_what_another_run_is_at_is_left_to_it_after_a_second_look(tmp_path, notes):
    files = batch(tmp_path, 20, 21, 22)
    told = Told()
    with claim(files[0].job.output) as mine:
        assert mine
        found = list(Workers(files, How(FileOptions(), Leave(weights=notes)), 1, told).run())
    assert [(i, o.status) for i, o in found] == [(1, Status.LEFT), (2, Status.LEFT), (0, Status.BUSY)]
    assert told.begun == [0, 1, 2, 0]


def test_the_libraries_of_a_process_are_told_its_threads(monkeypatch):
    monkeypatch.delenv("VIPS_CONCURRENCY", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with workers._environment(3):
        assert (os.environ["VIPS_CONCURRENCY"], os.environ["OMP_NUM_THREADS"]) == ("3", "7")
    assert "VIPS_CONCURRENCY" not in os.environ
