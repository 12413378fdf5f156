"""``undegrade restore`` on folders: trees, going on, failures, interrupts."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture, records
from undegrade.cli import main
from undegrade.files import restore_file as files
from undegrade.image import read
from undegrade.inference.load import load_pipeline

pytestmark = pytest.mark.usefixtures("here")


def test_a_folder(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("photos/b.png")
    picture("photos/trip/a.jpg")
    Path("photos/trip/notes.txt").write_text("sunny")
    options = ["--name", "{stem}-{task}.png", "--json", "log.jsonl", "--weights", weights]
    assert main(["restore", "photos", "-o", "photos/out", *options]) == 0
    assert {str(p) for p in Path("photos/out").rglob("*.*")} == {
        "photos/out/b-gaussian.png",
        "photos/out/trip/a-gaussian.png",
    }
    with Pillow.open("photos/out/trip/a-gaussian.png") as file:
        assert file.format == "PNG"
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[2:] == ["2 restored; 1 ignored (.txt 1)"]
    first, second = records(Path("log.jsonl").read_text())
    assert list(first) == [field.name for field in dataclasses.fields(files.Outcome)]
    estimate, seconds = second.pop("estimate"), second.pop("seconds")
    assert second == {
        "source": "photos/trip/a.jpg",
        "output": "photos/out/trip/a-gaussian.png",
        "status": "restored",
        "reason": None,
        "choice": None,
        "first": None,
        "width": 30,
        "height": 20,
        "channels": 3,
        "bits": 8,
        "format": "jpeg",
        "quality": 75,
        "notes": [],
        "task": "gaussian",
        "variant": "fast",
        "strength": 1.0,
        "level": None,
        "uncertainty": None,
        "weights_sha256": load_pipeline(weights=Path(weights)).card.sha256,
    }
    assert isinstance(estimate, dict)
    assert (estimate["name"], estimate["unit"], len(estimate["values"])) == ("noise level", "8-bit levels", 1)
    assert isinstance(seconds, float)


def test_going_on_does_the_rest_and_says_so(weights: str, quick: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("p/a.png", "p/b.png", "p/c/d.png"):
        picture(name)
    command = ["restore", "p", "-o", "out", "--skip-existing", "--json", "log", "--weights", weights]
    picture("out/b.png", seed=1)
    Path("out/.undegrade-0123456789abcdef.part").write_bytes(b"half")
    kept = Path("out/b.png").read_bytes()
    assert main(command) == 0
    assert quick == ["a.png", "d.png"]
    assert Path("out/b.png").read_bytes() == kept
    assert not Path("out/.undegrade-0123456789abcdef.part").exists()
    assert capsys.readouterr().out.splitlines()[-1] == "2 restored; 1 skipped (result exists)"
    assert main(command) == 0
    assert quick == ["a.png", "d.png"]
    assert capsys.readouterr() == ("all 3 results exist already; nothing was done.\n", "")
    # A batch in two runs has its records in one file.
    assert [(r["source"], r["status"]) for r in records(Path("log").read_text())] == [
        ("p/a.png", "restored"),
        ("p/b.png", "skipped"),
        ("p/c/d.png", "restored"),
        ("p/a.png", "skipped"),
        ("p/b.png", "skipped"),
        ("p/c/d.png", "skipped"),
    ]


def test_failures_are_listed_at_the_end_and_in_the_records(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("p/a.png", "p/bad.png", "p/c.png"):
        picture(name)
    assert main(["restore", "p", "-o", "out", "--json", "-", "--weights", weights]) == 1
    out, err = capsys.readouterr()
    assert [(r["source"], r["status"], r["reason"]) for r in records(out)] == [
        ("p/a.png", "restored", None),
        ("p/bad.png", "failed", "this is bad; do better."),
        ("p/c.png", "restored", None),
    ]
    lines = err.splitlines()
    assert lines[0].startswith("p/a.png: 3 x 2")
    assert lines[1] == "undegrade restore: p/bad.png: this is bad; do better."
    assert lines[3:] == [
        "undegrade restore: 1 of 3 files failed:",
        "  p/bad.png: this is bad; do better.",
        "2 restored; 1 failed",
    ]


def test_a_folder_that_cannot_be_read_fails_and_the_rest_goes_on(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("p/a.png")
    picture("p/locked/b.png")
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert main(["restore", "p", "-o", "out", "--weights", weights]) == 1
    assert quick == ["a.png"]
    assert capsys.readouterr().err.splitlines() == [
        "undegrade restore: p/locked: the folder cannot be searched (Permission denied); check its permissions.",
        "undegrade restore: 1 of 2 files failed:",
        "  p/locked: the folder cannot be searched (Permission denied); check its permissions.",
    ]


def test_an_interrupted_batch_says_how_to_go_on(
    weights: str, quick: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("p/a.png", "p/b.png", "p/c.png"):
        picture(name)
    copy = files.restore_file

    def interrupted(job, *others):
        if job.source.name == "c.png":
            raise KeyboardInterrupt
        return copy(job, *others)

    monkeypatch.setattr(files, "restore_file", interrupted)
    assert main(["restore", "p", "-o", "out", "--weights", weights]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "undegrade restore: interrupted, 2 of 3 done; the same command with --skip-existing goes on."
    )
    assert main(["restore", "p", "-o", "out", "--skip-existing", "--weights", weights]) == 130
    assert capsys.readouterr().err.endswith("interrupted, 2 of 3 done; the same command goes on.\n")


def test_a_killed_batch_goes_on_where_it_stopped(weights: str) -> None:
    count = 12
    for i in range(count):
        Pillow.fromarray(np.random.default_rng(i).integers(0, 256, (128, 128, 3), np.uint8)).save(f"{i:02}.png")
    command = [sys.executable, "-m", "undegrade", "restore", ".", "-o", "out", "--skip-existing", "--json", "log"]
    command += ["--device", "cpu", "--weights", weights]
    out = Path("out")

    def whole() -> dict[str, int]:
        """The results by name, each decoded to its end, with the times at which they were written."""
        for path in out.glob("[!.]*"):
            assert read(path).pixels.shape == (128, 128, 3)
        return {path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*")}

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        patience = time.monotonic() + 300
        while not any(out.glob("[!.]*")) and time.monotonic() < patience and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    first = whole()
    assert 1 <= len(first) < count
    told = [Path(str(record["output"])).name for record in records(Path("log").read_text())]
    assert set(told) <= set(first)
    assert len(told) >= len(first) - 1
    (out / ".undegrade-0123456789abcdef.part").write_bytes(b"half")  # the kill leaves one only if it hits the moment

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rest = whole()
    assert len(rest) == count
    assert {name: rest[name] for name in first} == first
    assert len(list(out.iterdir())) == count
    restored = [line.rpartition("/")[2] for line in done.stdout.splitlines() if " -> " in line]
    assert sorted(restored) == sorted(set(rest) - set(first))
