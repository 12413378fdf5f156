"""``undegrade restore`` on real small files: what it prints, what it writes, what it returns."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.pictures import make_photo
from undegrade.cli import main, reporting
from undegrade.files import restore_file as files
from undegrade.image import read
from undegrade.inference.load import load_pipeline
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, find_weights, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    folder = tmp_path_factory.mktemp("weights")
    return str(save_weights(VDIR(Architecture(restorer="fast")), folder, "random", card))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(name: str, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(name)
    return pixels


def test_several_files_into_the_default_folder(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = picture("a.png")
    picture("b.jpg")
    picture("c.webp")
    picture("d.tif")
    assert main(["restore", "a.png", "b.jpg", "c.webp", "d.tif", "--weights", weights]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("a.png: 30 x 20, 8-bit colour PNG; estimated noise level ")
    assert "(8-bit levels); restored with gaussian-fast in " in lines[0]
    assert lines[0].endswith("-> restored/a.png")
    assert lines[4] == "4 restored"
    for name, kind in (("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.webp", "WEBP"), ("d.tif", "TIFF")):
        with Pillow.open(f"restored/{name}") as file:
            assert (file.format, file.size) == (kind, (30, 20))
    expected = load_pipeline(weights=Path(weights))(pixels).image
    np.testing.assert_array_equal(read(Path("restored/a.png")).pixels, expected)


def test_a_bad_file_gets_a_sentence_and_the_others_go_on(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("good.png")
    Path("bad.png").write_bytes(b"nothing of the kind")
    assert main(["restore", "bad.png", "missing.png", "good.png", "-o", "out", "--weights", weights]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.png: ")
    lines = err.splitlines()
    assert lines[0].startswith("undegrade restore: bad.png: ")
    assert lines[1].startswith("undegrade restore: missing.png: ")
    assert lines[2] == "undegrade restore: 2 of 3 files failed:"
    assert lines[3:] == ["  " + line.removeprefix("undegrade restore: ") for line in lines[:2]]
    assert out.splitlines()[1:] == ["1 restored; 2 failed"]
    assert [p.name for p in Path("out").iterdir()] == ["good.png"]


def test_one_file_to_a_name_of_another_format(weights: str) -> None:
    picture("a.jpg")
    assert main(["restore", "a.jpg", "-o", "deep/er/b.tiff", "--weights", weights]) == 0
    with Pillow.open("deep/er/b.tiff") as file:
        assert file.format == "TIFF"


def test_options_reach_the_pipeline(weights: str) -> None:
    pixels = picture("a.png")
    options = [
        "--self-ensemble",
        "--tile",
        "16",
        "--device",
        "cpu",
        "--task",
        "gaussian",
        "--variant",
        "fast",
    ]
    assert main(["restore", "a.png", "-o", "b.png", "--weights", weights, *options]) == 0
    expected = load_pipeline(weights=Path(weights))(pixels, self_ensemble=True).image
    np.testing.assert_array_equal(read(Path("b.png")).pixels, expected)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["a.png", "-o", "."], "would be overwritten"),
        (["a.png", "-o", "a.png"], "would be overwritten"),
        (["a.png", "-o", "sub/../a.png"], "would be overwritten"),
        (["a.png", "link.png", "-o", "sub"], None),
        (["a.png", "sub/a.png"], "both be written"),
        (["sub/b.png", "b.png", "-o", "sub"], "would be overwritten"),
        (["a.png", "sub/b.png", "-o", "x.png"], "is one file"),
        (["a.png", "--task", "gausian"], "no task"),
        (["a.png", "--task", "jpeg"], "for gaussian-fast"),
        (["a.png", "--variant", "full"], "for gaussian-fast"),
        (["a.png", "--tile", "2"], "too small"),
        (["a.png", "--max-pixels", "0"], "must be above 0"),
        (["a.png", "--max-pixels", "nan"], "must be above 0"),
        (["a.png", "--name", "{stam}.png"], "unknown field {stam}"),
        (["a.png", "--json", "b.png"], "a picture's name"),
        (["a.png", "--json", "none/log"], "cannot be written"),
        (["a.png", "scan", "--json", "scan"], "a picture's name"),
        (["empty"], "no pictures in empty"),
        (["sub", "-o", "sub"], "would be overwritten"),
        (["sub", "a.png"], "sub/a.png and a.png would both be written to restored/a.png"),
        (["a.png", "--device", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_start_writes_nothing(
    weights: str, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str | None
) -> None:
    picture("a.png")
    picture("sub/a.png")
    picture("sub/b.png")
    picture("b.png")
    Path("link.png").symlink_to("a.png")
    Path("scan").hardlink_to("b.png")
    Path("empty").mkdir()
    before = {p: p.read_bytes() for p in Path().rglob("*.png")}
    code = main(["restore", *arguments, "--weights", weights])
    err = capsys.readouterr().err
    if what is None:  # onto another folder's file that is not an input: allowed
        assert code == 0
        return
    assert code == 2
    assert what in err
    assert err.count("\n") == 1
    assert {p: p.read_bytes() for p in Path().rglob("*.png")} == before


def test_missing_weights(capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png")
    assert main(["restore", "a.png", "--weights", "none.safetensors"]) == 2
    assert "no such weights file" in capsys.readouterr().err
    assert not Path("restored").exists()


def test_an_output_folder_that_is_a_file(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png")
    Path("out").write_text("in the way")
    assert main(["restore", "a.png", "-o", "out", "--weights", weights]) == 1
    assert "the folder cannot be created" in capsys.readouterr().err


def test_a_format_that_cannot_hold_the_picture_fails_before_the_work(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(np.zeros((4, 4), np.uint16)).save("deep.png")
    assert main(["restore", "deep.png", "-o", "x.jpg", "--weights", weights]) == 1
    assert "8 of its 16 bits" in capsys.readouterr().err


def test_16_bits_alpha_and_one_pixel(weights: str) -> None:
    Pillow.fromarray(np.random.default_rng(0).integers(0, 65536, (9, 9), np.uint16)).save("deep.png")
    Pillow.new("RGBA", (5, 6), (9, 8, 7, 77)).save("alpha.png")
    Pillow.new("RGB", (1, 1)).save("dot.jpg")
    assert main(["restore", "deep.png", "alpha.png", "dot.jpg", "-o", "out", "--weights", weights]) == 0
    assert read(Path("out/deep.png")).pixels.dtype == np.uint16
    alpha = read(Path("out/alpha.png")).alpha
    assert alpha is not None
    assert (alpha == 77).all()
    assert read(Path("out/dot.jpg")).pixels.shape == (1, 1, 3)


def test_interrupting_leaves_no_half_file(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("undegrade.atomic.os.fsync", interrupted)
    assert main(["restore", "a.png", "-o", "out", "--weights", weights]) == 130
    assert not list(Path("out").iterdir())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each file is copied instead of restored, and its name noted; bad.png fails."""
    worked: list[str] = []

    def copy(job, options, select, progress):
        worked.append(job.source.name)
        if job.source.name == "bad.png":
            return files.Outcome(job.source, job.output, reason="this is bad; do better.")
        if progress is not None:
            progress(0.5)
        job.output.parent.mkdir(parents=True, exist_ok=True)
        job.output.write_bytes(job.source.read_bytes())
        return files.Outcome(job.source, job.output, files.Status.RESTORED, width=3, height=2, channels=3, bits=8)

    monkeypatch.setattr(files, "restore_file", copy)
    return worked


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


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
    assert out.splitlines()[2:] == ["2 restored; 1 ignored (name is not a picture's)"]
    first, second = records(Path("log.jsonl").read_text())
    assert list(first) == [field.name for field in dataclasses.fields(files.Outcome)]
    estimate, seconds = second.pop("estimate"), second.pop("seconds")
    assert second == {
        "source": "photos/trip/a.jpg",
        "output": "photos/out/trip/a-gaussian.png",
        "status": "restored",
        "reason": None,
        "choice": None,
        "width": 30,
        "height": 20,
        "channels": 3,
        "bits": 8,
        "format": "jpeg",
        "quality": 75,
        "notes": [],
        "task": "gaussian",
        "variant": "fast",
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
        "undegrade restore: interrupted with 2 of 3 files done; the same command with --skip-existing continues."
    )
    assert main(["restore", "p", "-o", "out", "--skip-existing", "--weights", weights]) == 130
    assert capsys.readouterr().err.endswith("with 2 of 3 files done; the same command continues.\n")


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


def test_options_reach_the_work(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")
    seen = []
    monkeypatch.setattr(
        files, "restore_file", lambda job, options, *_: seen.append(options) or files.Outcome(job.source, job.output)
    )
    assert main(["restore", "a.png", "--max-pixels", "0.5", "--strip-metadata", "--weights", weights]) == 1
    assert main(["restore", "a.png", "--weights", weights]) == 1
    assert seen == [files.FileOptions(max_pixels=500_000, strip_metadata=True), files.FileOptions()]


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
    done = reporting.Progress.done

    def noted(self: reporting.Progress, counted: bool) -> None:
        before = self._bar.n
        done(self, counted)
        seen.append((self._bar.desc, before, self._bar.n, self._bar.total))

    monkeypatch.setattr(reporting.Progress, "done", noted)
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
    monkeypatch.setattr(reporting, "BIG", 600)
    assert main(["restore", "a.png", "--weights", weights]) == 0
    assert "1 of 1" in terminal.getvalue()


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


def test_what_was_noticed_while_reading_is_in_the_line_and_in_the_record(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(make_photo(16, 16, 0)).save("a.jpg", exif=b"Exif\0\0nonsense")
    assert main(["restore", "a.jpg", "-o", "out", "--json", "log.jsonl", "--weights", weights]) == 0
    note = "left out EXIF data that cannot be read"
    assert f"8-bit colour JPEG of quality 75 ({note})" in capsys.readouterr().out
    assert records(Path("log.jsonl").read_text())[0]["notes"] == [note]


def test_a_sigma_for_weights_without_an_estimate_is_refused_in_their_terms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture("a.png")
    real = load_pipeline("real").card
    assert real is not None
    file = str(find_weights("real", [real.variant]))
    assert main(["restore", "a.png", "--sigma", "10", "--weights", file]) == 2
    error = capsys.readouterr().err
    assert "--sigma replaces an estimated noise level, but real estimates none" in error
    assert "gaussian" not in error
