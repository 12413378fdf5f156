"""``undegrade estimate`` on files with known degradation."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.degrade import NOISE_GRAIN_QUALITY
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, save_weights

pytestmark = pytest.mark.usefixtures("here")


def noisy(sigma: float) -> np.ndarray:
    clean = make_photo(160, 160, 2).astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    return (clean + sigma * noise).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_a_known_noise_level_is_found(sigma: float, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(noisy(sigma)).save("a.png")
    assert main(["estimate", "a.png", "--task", "gaussian", "--device", "cpu"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    spread = r"10th to 90th percentile over the picture: (\S+) to (\S+)"
    interval = r"90 % interval (\S+) to (\S+)"
    pattern = rf"a\.png: noise level (\S+), {interval} \(8-bit levels; {spread}\); .*noisy, .*ISO \d+.*"
    found, least, most, low, high = map(float, re.fullmatch(pattern, line).groups())
    assert found == pytest.approx(sigma, rel=0.1, abs=1)
    assert low < found < high
    # Strong noise is clipped, by how much depends on the picture: 10 levels wide would hold the truth too seldom.
    assert least < found < most < least + max(10, 0.7 * sigma)
    assert least < sigma < most


def test_the_universal_model_reads_three_numbers_and_a_jpegs_header_is_shown_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.fromarray(make_photo(96, 96, 2)).save("a.jpg", quality=40)
    assert main(["estimate", "a.jpg", "--device", "cpu"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "a.jpg: JPEG quality from the header 40"
    names = [number.name for number in NOISE_GRAIN_QUALITY.numbers]
    assert [line.removeprefix("a.jpg: ").partition(", 90 % interval")[0].rpartition(" ")[0] for line in rest] == names


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(noisy(25)).save("a.png")
    assert main(["estimate", "a.png", "--device", "cpu"]) == 0
    of_file = capsys.readouterr().out
    given = io.TextIOWrapper(io.BytesIO(Path("a.png").read_bytes()))
    monkeypatch.setattr("sys.stdin", given)
    assert main(["estimate", "-", "--device", "cpu", "--json", "found.jsonl"]) == 0
    assert capsys.readouterr().out == of_file.replace("a.png:", "-:")
    assert json.loads(Path("found.jsonl").read_text())["source"] == "-"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    assert main(["estimate", "-", "--device", "cpu"]) == 1
    assert capsys.readouterr().err.startswith("undegrade estimate: -: the picture is not a PNG, ")
    assert main(["estimate", "-", "a.png"]) == 2
    assert "- stands for one picture, but there are 2 inputs" in capsys.readouterr().err
    monkeypatch.setattr(given, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", given)
    assert main(["estimate", "-"]) == 2
    assert "there is no picture on standard input" in capsys.readouterr().err


def test_what_a_folder_leaves_out_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos").mkdir()
    Image.fromarray(noisy(25)).save("photos/a.png")
    for name in ("b.CR2", "notes.txt", "notes2.txt"):
        Path("photos", name).touch()
    assert main(["estimate", "photos", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert said.err == "3 ignored (.txt 2, .cr2 1)\n"
    assert "ignored" not in said.out  # whose lines programs read


def test_both_numbers_of_a_cameras_noise_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(noisy(20)).save("a.png")
    assert main(["estimate", "a.png", "--task", "real", "--device", "cpu", "--json", "found.jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    number = r"(\d\.\d{3}), 90 % interval \d\.\d{3} to \d\.\d{3} \(of full irradiance; .*\)"
    for line, name in zip(lines, ("signal-dependent", "constant"), strict=True):
        assert re.fullmatch(rf"a\.png: {name} sensor noise {number}", line)
    found = json.loads(Path("found.jsonl").read_text())["found"]
    assert [reading["name"] for reading in found] == ["signal-dependent sensor noise", "constant sensor noise"]
    assert all(reading["value"] > 0 for reading in found)


def test_folders_and_records(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/deep").mkdir(parents=True)
    Image.fromarray(noisy(25)).save("in/a.png")
    Image.fromarray(make_photo(96, 96, 2)).save("in/deep/b.jpg", quality=30)
    Path("in/deep/broken.png").write_bytes(b"no picture")
    Path("in/notes.txt").write_text("no picture")
    assert main(["estimate", "in", "--json", "found.jsonl", "--device", "cpu"]) == 1
    a, b, broken = map(json.loads, Path("found.jsonl").read_text().splitlines())
    assert (Path(a["source"]), Path(b["source"])) == (Path("in/a.png"), Path("in/deep/b.jpg"))
    assert (a["height"], a["width"], a["format"], a["quality"], a["reason"]) == (160, 160, "png", None, None)
    found = {reading["name"]: reading["value"] for reading in a["found"]}
    assert found["noise level"] == pytest.approx(25, abs=3)
    assert (b["quality"], b["task"]) == (30, "universal")
    assert "found" not in broken
    assert "broken.png" in broken["reason"]
    capsys.readouterr()
    assert main(["estimate", "in/a.png", "--json", "-", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["found"] == a["found"]
    assert "noise level" in err


def test_a_folder_without_pictures_and_records_in_a_picture_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert main(["estimate", "empty"]) == 2
    assert "there are no pictures in empty" in capsys.readouterr().err
    Image.fromarray(noisy(5)).save("a.png")
    assert main(["estimate", "a.png", "--json", "a.png"]) == 2
    assert "is a picture's name" in capsys.readouterr().err


def test_a_bad_file_gets_a_sentence_and_the_others_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(b"nothing of the kind")
    Image.fromarray(noisy(10)).save("good.png")
    assert main(["estimate", "bad.png", "good.png", "--task", "gaussian", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.png: noise level ")
    assert err.startswith("undegrade estimate: bad.png: ")
    assert err.count("\n") == 1


def test_weights_that_estimate_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """lambda_2 = 0: nothing has taught the estimator."""
    card = Card("real", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {"lambda_est": 0.0}, {})
    weights = save_weights(VDIR(TASKS["real"].variants["fast"]), tmp_path, "untaught", card)
    assert main(["estimate", "a.png", "--weights", str(weights), "--device", "cpu"]) == 2
    assert "the model for real gives no estimate" in capsys.readouterr().err
