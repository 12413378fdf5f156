"""``undegrade restore --ray`` without a cluster: its arguments, and the whole way with workers in this process."""

import json
from pathlib import Path
from typing import ClassVar

import pytest

from tests.cluster.places import fill, forget, png
from undegrade.cli import main
from undegrade.cluster.remote import restore_item
from undegrade.cluster.schedule import WorkerDied
from undegrade.cluster.storage import Place

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(autouse=True)
def empty_store():
    forget()
    yield
    forget()


class Local:
    """Workers in this process; what is asked for is done when its result is."""

    made: ClassVar[list["Local"]] = []
    interrupted: ClassVar[int | None] = None
    """The number of the call at which Ctrl-C is pressed."""
    room = 2

    def __init__(self, address, how, gpus=0.0):
        self.address, self.how, self.gpus, self.calls, self.closed = address, how, gpus, [], False
        Local.made.append(self)

    def start(self):
        self.calls.append(lambda: "worker")
        return len(self.calls) - 1

    def restore(self, worker, item):
        self.calls.append(lambda: restore_item(item, self.how))
        return len(self.calls) - 1

    def wait(self, calls, seconds):
        return min(calls)

    def result(self, call):
        if call == Local.interrupted:
            raise KeyboardInterrupt
        return self.calls[call]()

    def close(self):
        self.closed = True


@pytest.fixture
def pools(monkeypatch):
    """Has the command use such workers; returns those that were made."""
    monkeypatch.setattr("undegrade.cluster.pool.RayPool", Local)
    monkeypatch.setattr(Local, "made", [])
    return Local.made


@pytest.fixture
def photos():
    place = Place.of("memory://bucket/photos")
    fill(place, a_png=png(1), trip__b_png=png(2), trip__c_png=png(3), notes_txt=b"sunny")
    return place


def records(url):
    place = Place.of(url)
    return [json.loads(line) for e in place.list() for line in place.fs.cat_file(place.path(e.name)).splitlines()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["s3://b/p"], "s3://b/p is the address of a store, which needs --ray"),
        (["p", "-o", "s3://b/p"], "s3://b/p is the address of a store, which needs --ray"),
        (["p", "--json", "s3://b/p"], "s3://b/p is the address of a store, which needs --ray"),
        (["p", "--ray-gpus", "1"], "--ray-gpus is for the workers of --ray"),
        (["p", "q", "--ray"], "--ray takes one folder or file, not 2"),
        (["p", "-o", "out.png", "--ray"], "-o out.png is a picture's name"),
        (["p", "--json", "s3://b/log.png", "--ray"], "--json s3://b/log.png is a picture's name"),
        (["p", "--ray", "auto", "--ray-gpus", "0"], "--ray-gpus 0 must be above 0"),
        (["p", "--ray", "auto", "--ray-gpus", "nan"], "--ray-gpus nan must be above 0"),
        (["p", "--device", "cuda", "--ray"], "--device cuda with --ray needs --ray-gpus"),
        (["p", "--shard", "3/2", "--ray"], "--shard 3/2: there is no such shard"),
        (["absent", "--ray"], "absent: there is no such file or folder"),
        (["p", "-o", "p", "--ray"], "-o p holds the inputs"),
        (["p", "--task", "paint", "--ray"], "there is no task 'paint'"),
        (["p", "-o", "nonsense://x", "--ray"], "nonsense://x: there is no access to this kind of store"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, sentence, capsys):
    Path("p").mkdir()
    task = [] if "--task" in arguments else ["--task", "gaussian"]  # --ray last: it takes the word after it
    assert main(["restore", *task, *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"undegrade restore: {sentence}")
    assert len(err.splitlines()) == 1


def test_from_store_to_store(photos, pools, capsys):
    fill(photos, bad_png=b"no picture")
    command = ["restore", photos.url, "-o", "memory://bucket/clean", "--task", "gaussian", "--samples", "2"]
    command += ["--device", "cpu"]
    assert main([*command, "--json", "memory://bucket/log", "--ray-gpus", "0.5", "--ray", "auto"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "3 restored; 1 failed; 1 ignored (.txt 1)"
    assert out.startswith("memory://bucket/photos/a.png: 30 x 20, 8-bit colour PNG")
    assert err.splitlines()[1:] == [
        "undegrade restore: 1 file failed:",
        f"  {err.splitlines()[0].removeprefix('undegrade restore: ')}",
    ]
    clean = Place.of("memory://bucket/clean")
    assert [e.name for e in clean.list("trip")] == ["b-std.png", "b.png", "c-std.png", "c.png"]
    assert {Path(r["source"]).name: r["status"] for r in records("memory://bucket/log")} == {
        "a.png": "restored", "bad.png": "failed", "b.png": "restored", "c.png": "restored",
    }  # fmt: skip
    (pool,) = pools
    assert (pool.address, pool.gpus, pool.closed) == ("auto", 0.5, True)
    assert (pool.how.select.device, pool.how.select.threads) == ("cpu", 1)


def test_workers_with_gpus_use_them(photos, pools):
    main(["restore", photos.url, "-o", "out", "--task", "gaussian", "--threads", "3", "--ray-gpus", "1", "--ray"])
    assert (pools[0].how.select.device, pools[0].how.select.threads) == ("cuda", 3)


def test_weights_are_a_shipped_models_name_or_a_file_from_anywhere(photos, pools, weights):
    assert main(["restore", photos.url, "-o", "out", "--weights", "gaussian-fast", "--ray"]) == 0
    assert pools[0].how.select.weights == Path("gaussian-fast")
    Path("own").mkdir()
    for suffix in (".safetensors", ".json"):
        Path("own/w").with_suffix(suffix).write_bytes(Path(weights).with_suffix(suffix).read_bytes())
    assert main(["restore", photos.url, "-o", "out", "--weights", "own/w.safetensors", "--ray"]) == 0
    assert pools[1].how.select.weights == Path("own/w.safetensors").absolute()


def test_a_batch_that_is_done_needs_no_cluster(photos, pools, capsys):
    command = ["restore", photos.url, "-o", "memory://bucket/clean", "--task", "gaussian", "--skip-existing", "--ray"]
    assert main(command) == 0
    assert (len(pools), pools[0].address, pools[0].how.select.device) == (1, None, "cpu")
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out == "all 3 results exist already; nothing was done.\n"
    assert len(pools) == 1


def test_an_interrupted_batch_keeps_its_records_and_says_how_to_go_on(photos, pools, capsys, monkeypatch):
    monkeypatch.setattr(Local, "interrupted", 3)  # two starts, two files
    command = ["restore", photos.url, "-o", "out", "--task", "gaussian", "--json", "log", "--jobs", "2", "--ray"]
    assert main(command) == 130
    assert capsys.readouterr().err.endswith("interrupted, 1 done; the same command with --skip-existing goes on.\n")
    assert pools[0].closed
    assert [r["source"] for r in records("log")] == ["memory://bucket/photos/a.png"]


def test_what_a_worker_was_writing_when_it_was_killed_is_removed(photos, pools, monkeypatch):
    left = Path("out/trip/.undegrade-0123456789abcdef.part")
    real, killed = Local.result, []

    def result(self, call):
        if real(self, call) == "worker" or killed:
            return real(self, call)
        killed.append(call)
        left.parent.mkdir(parents=True, exist_ok=True)  # after the folder was looked at
        left.write_bytes(b"half")
        raise WorkerDied("SIGKILL")

    monkeypatch.setattr(Local, "result", result)
    trip = photos.shown("trip")
    assert main(["restore", trip, "-o", "out/trip", "--task", "gaussian", "--ray"]) == 0
    assert killed
    assert sorted(path.name for path in Path("out/trip").iterdir()) == ["b.png", "c.png"]


def test_records_that_cannot_be_written_stop_the_batch(photos, pools, capsys, monkeypatch):
    def refuse(self, content, relative):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(Place, "put_bytes", refuse)
    assert main(["restore", photos.url, "-o", "out", "--task", "gaussian", "--json", "log", "--ray"]) == 1
    assert "the records cannot be written (Access Denied)" in capsys.readouterr().err
    assert pools[0].closed


def test_parts_of_a_store_and_a_folder_without_pictures(photos, pools, capsys):
    for i in range(1, 5):
        assert main(["restore", photos.url, "-o", "out", "--task", "gaussian", "--shard", f"{i}/4", "--ray"]) == 0
    out = capsys.readouterr().out
    assert out.count(" -> ") == 3
    Path("empty").mkdir()
    assert main(["restore", "empty", "-o", "out", "--task", "gaussian", "--ray"]) == 2
    assert "there are no pictures in empty" in capsys.readouterr().err


def test_a_cluster_without_room(photos, pools, capsys, monkeypatch):
    monkeypatch.setattr(Local, "room", 0)
    assert main(["restore", photos.url, "-o", "out", "--task", "gaussian", "--ray"]) == 2
    assert "the cluster has no machine with 1 CPUs for a worker" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["ray", "fsspec"])
def test_what_is_missing_is_said(photos, package, capsys, monkeypatch):
    module = {"ray": "undegrade.cluster.pool", "fsspec": "undegrade.cluster.storage"}[package]
    monkeypatch.setattr(f"{module}.find_spec", lambda name: None)
    assert main(["restore", photos.url, "-o", "out", "--task", "gaussian", "--ray"]) == 2
    assert "pip install 'undegrade[ray]'" in capsys.readouterr().err
