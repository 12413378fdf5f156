"""``undegrade restore`` with ``--jobs``, with ``--shard``, and twice at a time on one folder."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture, records
from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.files import batch
from undegrade.files.claims import claim
from undegrade.image import read

pytestmark = [
    pytest.mark.usefixtures("here", "sigint_is_not_ignored"),
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

COMMAND = [sys.executable, "-m", "undegrade", "restore"]


def children(pid: int) -> list[int]:
    """The restoring processes of a run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def ended(pids: list[int], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def photos(count: int, side: int) -> None:
    Path("p").mkdir()
    for i in range(count):
        Pillow.fromarray(make_photo(side, side, i)).save(f"p/{i:03}.png")


def test_jobs_do_what_one_process_does(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        picture(f"p/{i}.png", i)
    Path("p/bad.png").write_bytes(b"no picture")
    options = ["--weights", weights, "--samples", "2", "--seed", "5", "--json"]
    assert main(["restore", "p", "-o", "one", *options, "one.jsonl"]) == 1
    said = capsys.readouterr()
    assert main(["restore", "p", "-o", "two", "--jobs", "2", *options, "two.jsonl"]) == 1
    also = capsys.readouterr()
    assert also.out.splitlines()[-1] == said.out.splitlines()[-1] == "4 restored; 1 failed"
    assert also.err == said.err
    for i in range(4):
        for name in (f"{i}.png", f"{i}-std.png"):
            assert Path("two", name).read_bytes() == Path("one", name).read_bytes()
    first, second = (records(Path(name).read_text()) for name in ("one.jsonl", "two.jsonl"))
    for record in (*first, *second):
        del record["seconds"], record["output"]
    assert sorted(second, key=str) == sorted(first, key=str)


def test_the_cores_are_divided(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        picture(f"p/{i}.png", i)
    seen: list[tuple[int, int]] = []

    class Counted:
        def __init__(self, turns, how, jobs, told, tell):
            seen.append((jobs, how.select.threads))

        def run(self):
            yield from ()

    monkeypatch.setattr("undegrade.files.workers.Workers", Counted)
    monkeypatch.setattr("undegrade.inference.machine.usable_cores", lambda: 8)
    for options in (["--jobs", "2"], ["--jobs", "100"], ["--jobs", "3", "--threads", "5"]):
        main(["restore", "p", "-o", "out", "--weights", weights, *options])
    assert seen == [(2, 4), (3, 2), (3, 5)]
    main(["restore", "p/0.png", "-o", "out", "--weights", weights, "--jobs", "4"])
    assert len(seen) == 3  # one file is restored here, with all cores


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--jobs", "-1"], ["--shard", "0/2"], ["--shard", "x"]])
def test_wrong_numbers_are_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    picture("p/a.png")
    assert main(["restore", "p", "-o", "out", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"undegrade restore: {arguments[0]} ")
    assert len(err.splitlines()) == 1


def test_the_shards_of_a_folder_restore_each_file_once(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(7):
        picture(f"p/{i}.png", i)
    for i in range(1, 10):
        assert main(["restore", "p", "-o", "out", "--shard", f"{i}/9", "--weights", weights]) == 0
    assert sorted(quick) == [f"{i}.png" for i in range(7)]
    out = capsys.readouterr().out
    assert "7 in other shards" in out  # a shard may hold nothing
    assert "restored; " in out


def test_what_another_run_is_at_is_left_to_it(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    picture("p/a.png")
    picture("p/b.png")
    with claim(Path("out/a.png")):
        assert main(["restore", "p", "-o", "out", "--json", "log", "--weights", weights]) == 0
    out = capsys.readouterr().out
    assert "p/a.png: left out, another run is restoring it" in out
    assert out.splitlines()[-1] == "1 restored; 1 left out (another run is restoring it)"
    assert [(r["source"], r["status"]) for r in records(Path("log").read_text())] == [
        ("p/b.png", "restored"),
        ("p/a.png", "busy"),
    ]


def test_two_runs_share_the_work_also_without_skip_existing(
    weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another run has written since this one began is not done again; what was there before is."""
    for name in ("a", "b", "c"):
        picture(f"p/{name}.png")
    picture("out/a.png", seed=1)
    turns = batch.turns

    def meanwhile(jobs):
        found = turns(jobs)
        Path("out/b.png").write_bytes(b"by another run")
        return found

    monkeypatch.setattr(batch, "turns", meanwhile)
    assert main(["restore", "p", "-o", "out", "--weights", weights]) == 0
    assert quick == ["a.png", "c.png"]


@pytest.mark.slow
@pytest.mark.parametrize("to_all", [True, False])
@pytest.mark.parametrize("after", [0.0, 0.3, 3.0])
def test_ctrl_c_ends_all_processes(after: float, to_all: bool) -> None:
    photos(12, 400)
    process = subprocess.Popen(
        [*COMMAND, "p", "-o", "out", "--task", "gaussian", "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while len(children(process.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    workers = children(process.pid)
    time.sleep(after)
    if to_all:  # as a terminal does
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "of 12 done; the same command with --skip-existing goes on." in err
    assert "failed" not in err
    assert ended(workers)
    for path in Path("out").glob("*"):
        Pillow.open(path).load()
        assert not path.name.startswith(".")


@pytest.mark.slow
def test_the_processes_end_with_a_run_that_is_killed(weights: str) -> None:
    photos(12, 400)
    process = subprocess.Popen([*COMMAND, "p", "-o", "out", "--task", "gaussian", "--jobs", "2"])
    while not any(Path("out").glob(".*undegrade-claim")):
        time.sleep(0.01)
    workers = children(process.pid)
    process.kill()
    process.wait()
    assert len(workers) == 2
    assert ended(workers)
    assert not list(Path("out").glob(".*"))  # they had time to clean up


@pytest.mark.slow
def test_twenty_kills_amid_two_runs_lose_nothing_and_do_nothing_twice() -> None:
    """One run has one process, the other two; the runs and the processes of the second are killed."""
    count, kills, rng = 150, 20, random.Random(0)
    photos(count, 224)
    out = Path("out")
    written: dict[str, tuple[int, int]] = {}

    def start(number: int) -> subprocess.Popen[bytes]:
        options = ["--jobs", "2"] if number else []
        line = [*COMMAND, "p", "-o", "out", "--skip-existing", "--task", "gaussian", "--threads", "1", *options]
        return subprocess.Popen(
            [*line, "--json", f"{number}.jsonl"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )  # fmt: skip

    def look() -> None:
        """Every result is whole, and none is written a second time."""
        for path in out.glob("[!.]*"):
            now = path.stat()
            known = written.setdefault(path.name, (now.st_ino, now.st_mtime_ns))
            assert known == (now.st_ino, now.st_mtime_ns), path

    runs = [start(0), start(1)]
    killed = Counter[str]()
    until = time.monotonic() + 600
    while sum(killed.values()) < kills:
        assert time.monotonic() < until
        held = len(written)
        while len(written) == held and time.monotonic() < until:  # a result since the last kill, and a moment more
            look()
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        number = rng.randrange(2)
        workers = children(runs[1].pid)
        if number and workers and rng.random() < 0.5:
            os.kill(rng.choice(workers), signal.SIGKILL)
            killed["worker"] += 1
        else:
            runs[number].kill()
            assert b"Traceback" not in runs[number].communicate()[1]
            killed[f"run {number}"] += 1
            runs[number] = start(number)
        assert len(written) < count, f"the work was done after {killed}; give more files"
    for run in runs:
        assert run.communicate(timeout=300)[1] == b""
        assert run.returncode == 0
    look()
    assert set(written) == {f"{i:03}.png" for i in range(count)}
    for path in out.iterdir():
        assert read(path).pixels.shape == (224, 224, 3)
        assert not path.name.startswith(".")
    done = Counter[str]()
    for log in ("0.jsonl", "1.jsonl"):
        for line in Path(log).read_text().splitlines():
            if line.endswith("}"):
                record = json.loads(line)
                assert record["status"] in ("restored", "skipped", "busy"), record
                done[record["source"]] += record["status"] == "restored"
    assert max(done.values()) == 1
    assert len(killed) == 3, killed
    assert sum(done.values()) >= count - kills  # a kill can come between a result and its record
