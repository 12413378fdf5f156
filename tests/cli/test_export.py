"""``undegrade export``: the files it writes, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from undegrade.cli import main


def test_an_onnx_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gaussian.onnx"
    assert main(["export", "gaussian", "--onnx", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"gaussian-fast -> {file} (4.4 MB; at 47x33, " in said
    assert "differs from the pipeline by at most" in said
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    noisy = np.random.default_rng(0).normal(0.5, 30 / 255, (1, 3, 71, 65)).astype(np.float32)
    restored, estimate = session.run(None, {"input": noisy})
    assert restored.std() < 0.3 * noisy.std()
    assert estimate[0, 0] == pytest.approx(30, abs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["gaussian.onnx"]


def test_own_weights_and_names_of_shipped_models(weights: str, tmp_path: Path) -> None:
    assert main(["export", "gaussian", "--weights", weights, "--onnx", str(tmp_path / "own.onnx")]) == 0
    assert main(["export", "sr-x2-fast", "--onnx", str(tmp_path / "two.onnx")]) == 0
    assert (tmp_path / "own.onnx").read_bytes() != (tmp_path / "two.onnx").read_bytes()


@pytest.mark.slow
def test_a_package_of_darktable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "sr-x2", "sr-x4", "--darktable", str(tmp_path / "up.dtmodel")]) == 0
    assert "in darktable it is called upscale-undegrade-sr-x2-fast-sr-x4-fast" in capsys.readouterr().out
    assert (tmp_path / "up.dtmodel").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gaussian"], "nothing to write; give --onnx FILE or --darktable FILE.dtmodel"),
        (["gaussien", "--onnx", "a.onnx"], "one of: gaussian-fast, jpeg-fast"),
        (["jpeg-y", "--onnx", "a.onnx"], "no weights for jpeg-y are shipped"),
        (["gaussian", "--variant", "full", "--onnx", "a.onnx"], "no weights for gaussian-full are shipped"),
        (["sr-x2", "sr-x4", "--onnx", "a.onnx"], "--onnx takes one task"),
        (["sr-x2", "real", "--darktable", "a.dtmodel"], "export them one at a time"),
        (["real", "--darktable", "a.zip"], "end in .dtmodel"),
        (["jpeg", "--weights", "WEIGHTS", "--onnx", "a.onnx"], "these weights are for gaussian-fast, not jpeg"),
        (["gaussian", "--onnx", "nowhere/a.onnx"], "cannot be written"),
        (["gaussian", "--onnx", "photo.png"], "photo.png: ONNX files end in .onnx"),
        (["gaussian", "--weights", "real-fast", "--onnx", "a.onnx"], "these weights are for real-fast, not gaussian"),
    ],
)
def test_mistakes_get_one_sentence_and_write_nothing(
    here: Path, weights: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["export", *(weights if a == "WEIGHTS" else a for a in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert list(here.iterdir()) == []


def test_without_the_library_it_says_how_to_get_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "gaussian", "--onnx", "a.onnx"]) == 2
    assert "pip install 'undegrade[export]'" in capsys.readouterr().err
