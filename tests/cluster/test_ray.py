"""``undegrade restore --ray`` on a cluster of two workers on this machine."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.cluster.places import fill, png
from tests.pictures import make_photo
from undegrade.cluster.storage import Place
from undegrade.image import read

pytest.importorskip("ray", reason="make test-ray installs it")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.usefixtures("sigint_is_not_ignored"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes as Linux shows them"),
]


class Run:
    """The command, and the processes that came of it."""

    def __init__(self, *arguments):
        self.mark = uuid.uuid4().hex
        line = [sys.executable, "-m", "undegrade", "restore", *arguments, "--jobs", "2", "--ray", "local"]
        # Files, not pipes: nobody would read them until the end.
        self.out, self.err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        self.process = subprocess.Popen(line, stdout=self.out, stderr=self.err, env=os.environ | {"MARK": self.mark})

    def workers(self):
        """Their numbers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cmdline").read_bytes().startswith(b"ray::Restorer") and (
                    f"MARK={self.mark}".encode() in (folder / "environ").read_bytes()
                ):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def until(self, out, count):
        """Wait until there are so many results."""
        patience = time.monotonic() + 200
        while not out.exists() or sum(1 for _ in out.iterdir()) < count:
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < patience
            time.sleep(0.05)

    def end(self):
        """The exit code and what was said."""
        code = self.process.wait(timeout=400)
        said = []
        for file in (self.out, self.err):
            file.seek(0)
            said.append(file.read())
            file.close()
        return code, *said


def records(place):
    return [
        json.loads(line)
        for entry in place.list()
        for line in place.fs.cat_file(place.path(entry.name)).decode().splitlines()
    ]


def test_a_thousand_files_with_a_stop_and_a_killed_worker(tmp_path):
    count = 1000
    (tmp_path / "in").mkdir()
    for i in range(count):
        Image.fromarray(make_photo(16, 16, i)).save(tmp_path / "in" / f"{i:04}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    out, log = tmp_path / "out", tmp_path / "records"
    command = [str(tmp_path / "in"), "-o", str(out), "--task", "gaussian", "--skip-existing", "--json", str(log)]

    stopped = Run(*command)
    stopped.until(out, 200)
    stopped.process.send_signal(signal.SIGINT)
    code, _, err = stopped.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert err.endswith("done; the same command goes on.\n")
    first = {path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*")}
    assert 200 <= len(first) < count

    killed = Run(*command)
    killed.until(out, len(first) + 200)
    workers = killed.workers()
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    killed.until(out, len(first) + 400)
    assert len(set(killed.workers()) - set(workers)) <= 1
    code, said, err = killed.end()
    assert code == 1
    assert err.splitlines()[-2] == "undegrade restore: 1 file failed:"
    assert "bad.png" in err.splitlines()[-1]
    assert said.splitlines()[-1].endswith("; 1 failed")
    results = {path.name: path for path in out.iterdir()}
    assert sorted(results) == [f"{i:04}.png" for i in range(count)]  # none lost, no leftovers
    assert all(read(path).pixels.shape == (16, 16, 3) for path in results.values())
    assert {name: results[name].stat().st_mtime_ns for name in first} == first
    done = Counter(Path(r["source"]).name for r in records(Place.of(str(log))) if r["status"] == "restored")
    assert max(done.values()) == 1
    assert sum(done.values()) >= count - 4  # a stop and a kill can come between a result and its record, twice two
    assert not killed.workers()

    (tmp_path / "in" / "bad.png").unlink()
    code, said, err = Run(*command).end()
    assert (code, said, err) == (0, f"all {count} results exist already; nothing was done.\n", "")


def test_a_killed_command_takes_its_cluster_along_and_the_next_one_goes_on(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(300):
        Image.fromarray(make_photo(16, 16, i)).save(tmp_path / "in" / f"{i:03}.png")
    out = tmp_path / "out"
    command = [str(tmp_path / "in"), "-o", str(out), "--task", "gaussian", "--skip-existing"]
    killed = Run(*command)
    killed.until(out, 100)
    assert len(killed.workers()) == 2
    killed.process.kill()
    killed.end()
    patience = time.monotonic() + 60
    while killed.workers() and time.monotonic() < patience:
        time.sleep(0.1)
    assert not killed.workers()
    done = len(list(out.glob("[!.]*")))
    assert 100 <= done < 300
    code, said, err = Run(*command).end()
    assert (code, err) == (0, "")
    assert said.splitlines()[-1] == f"{300 - done} restored; {done} skipped (result exists)"
    assert sorted(path.name for path in out.iterdir()) == [f"{i:03}.png" for i in range(300)]  # and no leftovers


def test_from_store_to_store(s3):
    root = s3()
    photos = Place.of(f"{root}/photos")
    fill(photos, **{f"trip{i % 3}__{i}_png": png(i) for i in range(12)}, bad_png=b"no picture", notes_txt=b"sunny")
    code, said, err = Run(
        f"{root}/photos",
        "-o",
        f"{root}/clean",
        "--json",
        f"{root}/log",
        "--task",
        "gaussian",
        "--name",
        "{stem}-new.png",
    ).end()
    assert code == 1, err
    assert said.splitlines()[-1] == "12 restored; 1 failed; 1 ignored (.txt 1)"
    assert f"{root}/photos/bad.png: " in err
    clean = Place.of(f"{root}/clean")
    assert [[e.name for e in clean.list(f"trip{i}")] for i in range(3)] == [
        sorted(f"{n}-new.png" for n in range(i, 12, 3)) for i in range(3)
    ]
    assert {r["source"] for r in records(Place.of(f"{root}/log")) if r["status"] == "restored"} == {
        f"{root}/photos/trip{i % 3}/{i}.png" for i in range(12)
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ray", "127.0.0.1:1"], "there is no connection to a cluster"),
        (["--ray-gpus", "1", "--ray", "local"], "the cluster has no machine with 1 GPUs"),
    ],
)
def test_a_cluster_that_is_not_there(tmp_path, arguments, sentence):
    (tmp_path / "a.png").write_bytes(png())
    command = [sys.executable, "-m", "undegrade", "restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--task", "gaussian", *arguments], capture_output=True, text=True, check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
