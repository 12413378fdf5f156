"""What a worker does with one file, between a fetch and a put."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.places import fill, png
from undegrade.atomic import lock
from undegrade.cluster import remote
from undegrade.cluster.listing import Item
from undegrade.cluster.remote import RemoteHow, remove_dead_folders, restore_item, work_folder
from undegrade.cluster.storage import Place
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Status, restore_file
from undegrade.files.selector import Selector
from undegrade.inference.options import RestoreOptions
from undegrade.inference.select_task import Choice

GAUSSIAN = Selector(task="gaussian", device="cpu", threads=1)


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def content(place: Place, name: str, folder: Path) -> bytes:
    place.get(name, folder / "copy")
    return (folder / "copy").read_bytes()


def test_the_result_is_that_of_the_file_here(photos, out, root, work, tmp_path):
    fill(photos, trip__a_png=png())
    options = FileOptions(RestoreOptions(samples=2))
    outcome = restore_item(Item("trip/a.png", "trip/b.png"), RemoteHow(photos, out, options, GAUSSIAN), work)
    assert outcome.reason is None
    assert (outcome.source, outcome.output) == (f"{root}/photos/trip/a.png", f"{root}/out/trip/b.png")
    (tmp_path / "here.png").write_bytes(png())
    here = restore_file(Job(tmp_path / "here.png", tmp_path / "there.png"), options, GAUSSIAN)
    assert content(out, "trip/b.png", tmp_path) == (tmp_path / "there.png").read_bytes()
    assert content(out, "trip/b-std.png", tmp_path) == (tmp_path / "there-std.png").read_bytes()
    known, expected = outcome.to_record(), here.to_record()
    for name in ("source", "output", "seconds"):
        del known[name], expected[name]
    assert known == expected
    assert list(work.iterdir()) == []


def test_bad_files_are_told_by_their_addresses(photos, out, work):
    fill(photos, a_png=b"no picture")
    how = RemoteHow(photos, out, FileOptions(), GAUSSIAN)
    bad = restore_item(Item("a.png", "a.png"), how, work)
    assert bad.status == Status.FAILED
    assert str(work) not in bad.reason
    assert bad.source == photos.shown("a.png")
    missing = restore_item(Item("b.png", "b.png"), how, work)
    assert missing.reason.startswith("it cannot be fetched (FileNotFoundError")
    large = restore_item(Item("a.png", "a.png", size=10**11), how, work)
    assert large.reason == "it has 100000 MB, more than a picture of 500 megapixels."
    assert "://" in out.url or not Path(out.root).exists()
    assert list(work.iterdir()) == []


def test_a_result_that_cannot_be_put_is_a_failure(photos, out, work, monkeypatch):
    fill(photos, a_png=png())

    def refuse(self, file, relative):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(Place, "put", refuse)
    outcome = restore_item(Item("a.png", "a.png"), RemoteHow(photos, out, FileOptions(), GAUSSIAN), work)
    assert outcome.status == Status.FAILED
    assert "its result cannot be put into" in outcome.reason
    assert "Access Denied" in outcome.reason


def test_a_file_that_is_left_alone_keeps_no_deviation_of_an_earlier_run(photos, out, work, monkeypatch):
    fill(photos, a_png=png())
    fill(out, a_png=png(1), a_x=b"", **{"a-std_png": png(2)})
    monkeypatch.setattr(Selector, "__call__", lambda *_: Choice(None, "left alone"))
    how = RemoteHow(photos, out, FileOptions(RestoreOptions(samples=2)), GAUSSIAN)
    assert restore_item(Item("a.png", "a.png"), how, work).status is Status.LEFT
    assert [entry.name for entry in out.list()] == ["a.png", "a.x"]
    assert restore_item(Item("a.png", "a.png"), how, work).status is Status.LEFT  # nothing to remove


def test_a_new_work_folder_that_another_worker_removes_before_the_lock_is_made_again(tmp_path, monkeypatch):
    def lock_late(descriptor):
        monkeypatch.setattr(remote, "lock", lock)
        remove_dead_folders(tmp_path)  # by another worker, a moment before
        return lock(descriptor)

    monkeypatch.setattr(remote, "lock", lock_late)
    with work_folder(tmp_path) as folder:
        (folder / "in").mkdir()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_the_folders_of_killed_workers_are_removed_and_those_of_others_stay(tmp_path):
    code = (
        "import sys, time, pathlib\n"
        "from undegrade.cluster.remote import work_folder\n"
        "with work_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'large').write_bytes(bytes(1000))\n"
        "    print(folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    source = str(Path(remote.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": source}
    )
    killed = Path(process.stdout.readline().strip())
    (tmp_path / "undegrade-worker-of-a-user").mkdir()
    with work_folder(tmp_path) as mine:
        remove_dead_folders(tmp_path)
        assert {killed, mine} < set(tmp_path.iterdir())  # both are at work
        process.kill()
        process.wait()
        remove_dead_folders(tmp_path)
        assert mine.exists()
        assert not killed.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["undegrade-worker-of-a-user"]


def test_a_worker_without_room_says_so(photos, out, tmp_path):
    outcome = restore_item(Item("a.png", "a.png"), RemoteHow(photos, out, FileOptions(), GAUSSIAN), tmp_path / "absent")
    assert outcome.status == Status.FAILED
    assert outcome.reason.startswith("its worker has no room for it (FileNotFoundError")
