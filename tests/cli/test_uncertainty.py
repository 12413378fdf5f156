"""``undegrade restore --uncertainty`` and the intervals of ``undegrade estimate``, with weights that know them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.pictures import make_photo
from tools.graphs import random_model
from undegrade import UndegradeError
from undegrade.cli import main
from undegrade.files.uncertainty import PER_LEVEL
from undegrade.image import read
from undegrade.inference.load import load_pipeline
from undegrade.model.architecture import Architecture
from undegrade.serve.jobs import Jobs
from undegrade.weights.card import Card, save_weights
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity

WIDTHS = Widths((0.001, 1.0), {level: (0.001 * k, 1.0 * k) for k, level in enumerate(LEVELS, 1)})
SPREADS = WidthsBySeverity(
    (0.0, 200.0),
    tuple(Widths((0.5, 50.0), {p: (f * 2.0 * k, f * 50.0 * k) for k, p in enumerate(LEVELS, 1)}) for f in (1, 3)),
)
"""Wider where more noise is read."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = random_model(Architecture(restorer="fast", scale_head=True))
    with torch.no_grad():
        model.scale.tail.weight.mul_(5)
        model.estimator.conv2.weight.mul_(0.03)
        model.estimator.conv2.bias.fill_(0.1)
    known = Intervals(WidthsBySeverity((0.0,), (WIDTHS,)), {"noise level": SPREADS}, "a test").to_dict()
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {}, intervals=known)
    return save_weights(model, tmp_path_factory.mktemp("sure"), "sure", card)


@pytest.fixture
def photo_file(here: Path) -> Path:
    Pillow.fromarray(make_photo(48, 64, 2)).save("a.jpg", quality=97)
    return Path("a.jpg")


def test_a_picture_of_half_widths_a_sentence_and_a_record(
    photo_file: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["restore", "a.jpg", "--weights", str(weights), "--device", "cpu"]
    assert main([*command, "-o", "plain"]) == 0
    capsys.readouterr()
    assert main([*command, "-o", "sure", "--uncertainty", "--json", "records.jsonl"]) == 0
    line = capsys.readouterr().out
    assert Path("sure/a.jpg").read_bytes() == Path("plain/a.jpg").read_bytes()
    picture = read("sure/a-uncertainty.png")
    assert (picture.pixels.dtype, picture.pixels.shape) == (np.uint16, (48, 64))
    found = load_pipeline(weights=weights, device="cpu")(read(photo_file).pixels, uncertainty=True)
    expected = np.rint(found.half_width(0.9) * 255 * PER_LEVEL).clip(0, 65535)
    assert np.abs(picture.pixels - expected).max() <= 1
    with Pillow.open("sure/a-uncertainty.png") as file:
        assert f"{PER_LEVEL} are one 8-bit level" in file.info["Description"]
    record = json.loads(Path("records.jsonl").read_text())["uncertainty"]
    assert (record["file"], record["level"], record["per_level"]) == (str(Path("sure/a-uncertainty.png")), 0.9, 512)
    assert record["level_values"] == 1
    levels = 255 * found.half_width(0.9)
    assert record["median"] == pytest.approx(np.median(levels), rel=0.01)
    assert record["doubtful"] == pytest.approx(np.quantile(levels, 0.95), rel=0.01)
    said = re.search(r"; 5 % of the pixels may be off by more than (\S+) levels -> ", line)
    assert float(said[1]) == pytest.approx(record["doubtful"], rel=0.05)
    assert not Path("plain/a-uncertainty.png").exists()


def test_widths_beyond_the_pictures_scale_are_its_white(photo_file: Path, weights: Path, tmp_path: Path) -> None:
    wide = Widths((0.0001, 1.0), dict.fromkeys(LEVELS, (2.0, 2.0)))
    values = json.loads(weights.with_suffix(".json").read_text()) | {
        "intervals": Intervals(WidthsBySeverity((0.0,), (wide,))).to_dict()
    }
    copy = tmp_path / "wide.safetensors"
    copy.write_bytes(weights.read_bytes())
    copy.with_suffix(".json").write_text(json.dumps(values))
    assert main(["restore", "a.jpg", "--weights", str(copy), "--device", "cpu", "--uncertainty", "-o", "out"]) == 0
    assert (read("out/a-uncertainty.png").pixels == 65535).all()


def test_what_cannot_be_is_said_before_anything_is_written(
    photo_file: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = random_model(Architecture(restorer="fast"))
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    without = save_weights(plain, tmp_path, "without", card)
    unmeasured = save_weights(random_model(Architecture(restorer="fast", scale_head=True)), tmp_path, "bare", card)
    Pillow.new("RGB", (8, 8)).save("a-uncertainty.png")
    for options, what in (
        (["a.jpg", "--weights", str(without)], "the weights of gaussian-fast have no scale head"),
        (["a.jpg", "--weights", str(unmeasured)], "run python training/intervals.py"),
        (["a.jpg", "--weights", str(weights), "--strength", "0.5"], "a strength other than 1"),
        (["a.jpg", "--weights", str(weights), "--self-ensemble"], "self-ensemble"),
        (["a.jpg", "a-uncertainty.png", "--weights", str(weights)], "would both write out/a-uncertainty.png"),
    ):
        assert main(["restore", *options, "--device", "cpu", "--uncertainty", "-o", "out"]) == 2
        assert what in capsys.readouterr().err
    assert not Path("out").exists()


def test_an_estimate_has_its_interval(photo_file: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "a.jpg", "--weights", str(weights), "--device", "cpu", "--json", "found.jsonl"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    value, low, high = map(float, re.search(r"noise level (\S+), 90 % interval (\S+) to (\S+) \(8-bit", line).groups())
    (reading,) = json.loads(Path("found.jsonl").read_text())["found"]
    half = float(SPREADS.at("", reading["value"])(np.array([reading["spread"]]), 0.9)[0])
    assert reading["interval"] == pytest.approx([max(reading["value"] - half, 0), reading["value"] + half])
    assert (value, low, high) == pytest.approx((reading["value"], *reading["interval"]), abs=0.051)


def test_the_page_is_shown_intervals(photo_file: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = load_pipeline(weights=weights, device="cpu")
    monkeypatch.setattr(Jobs, "_load", lambda self, task: pipeline)
    jobs = Jobs(Path.cwd(), 10_000_000, "cpu")
    message = {
        "source": "a.jpg",
        "output": "result-1",
        "folder": ".",
        "asked": {"task": "gaussian", "uncertainty": True},
    }
    record = jobs.restore(message, lambda fraction: None, lambda **values: None)
    shown = record["result"]["std"]
    assert (shown["kind"], shown["file"], shown["unit"]) == ("interval", "result-1-sure.png", "8-bit levels")
    assert shown["mean"] == pytest.approx(record["uncertainty"]["median"], rel=0.5)
    assert "file" not in record["uncertainty"]
    assert read("result-1-sure.png").pixels.shape == (48, 64)
    message["asked"]["strength"] = 0.5
    with pytest.raises(UndegradeError, match="a strength other than 1"):
        jobs.restore(message, lambda fraction: None, lambda **values: None)
    plain = replace(pipeline.card, intervals={})
    monkeypatch.setattr("undegrade.serve.jobs.shipped_cards", lambda: [pipeline.card, plain])
    assert [model["intervals"] for model in jobs.models()] == [True, False]
