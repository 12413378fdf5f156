"""``undegrade evaluate``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from undegrade.cli import evaluate as command
from undegrade.cli import main
from undegrade.degrade import GaussianNoise
from undegrade.errors import UndegradeError
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, page
from undegrade.tasks import TASKS


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Stands in for a loaded model; returns how it was asked for and used."""
    calls: list[tuple[object, ...]] = []

    class Unchanging(SimpleNamespace):
        def __call__(self, y: np.ndarray, *, self_ensemble: bool, direct: bool, tile: int) -> SimpleNamespace:
            calls.append(("restore", self_ensemble) if direct else ("restore a file", self_ensemble))
            scale = TASKS[str(calls[0][1])].degradation.scale
            return SimpleNamespace(image=y.repeat(scale, 0).repeat(scale, 1), estimate=np.array([12.0]))

    def load(
        task: str, variant: str | None, weights: Path | None, device: str | None, half: bool, draft: bool
    ) -> SimpleNamespace:
        calls.append(("load", task, variant, weights, device, half))
        card = SimpleNamespace(task=task, name=f"{task}-fast", variant="fast", restorer_sha256="ab" * 32)
        return Unchanging(
            quantity=None if task == "real" else GaussianNoise.quantity,
            card=card,
            engine=SimpleNamespace(device="cpu", software="a test", half=half, int8=draft),
            architecture=SimpleNamespace(scale=TASKS[task].degradation.scale),
        )

    monkeypatch.setattr("undegrade.inference.load.load_pipeline", load)
    return calls


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv))


def test_the_command_prints_and_writes(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "new" / "gaussian.json"
    options = [
        "--variant",
        "fast",
        "--self-ensemble",
        "--datasets",
        "Kodak24",
        "--limit",
        "2",
        "--json",
        str(file),
    ]
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert restorer[0] == ("load", "gaussian", "fast", None, None, False)
    assert restorer[1:] == [("restore", True)] * 8
    captured = capsys.readouterr()
    assert captured.out.count("Kodak24") == 4
    assert "CBSD68" not in captured.out
    assert "only a part of its images" in captured.err

    result = Result.read(file)
    assert (result.task, result.label, result.weights_sha256) == ("gaussian", "fast+", "ab" * 32)
    assert [c.case for c in result.cells] == ["sigma 10", "sigma 30", "sigma 50", "sigma 70"]
    assert all(len(c.images) == 2 and not c.complete for c in result.cells)
    assert result.cells[1].estimate_error == pytest.approx(18, abs=1e-4)
    assert f"| {result.cells[0].mean('psnr'):.2f} | 37.02 |" in captured.out
    assert result.machine["engine"] == "a test"


def test_cases_can_be_chosen(data: Path, restorer: list[tuple[object, ...]]) -> None:
    file = data / "one.json"
    options = ["--datasets", "CBSD68", "Urban100", "--cases", "sigma 30", "--json", str(file)]
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert [(c.dataset, c.case) for c in Result.read(file).cells] == [("CBSD68", "sigma 30"), ("Urban100", "sigma 30")]


def test_half_precision_is_said_in_the_file_and_on_the_page(data: Path, restorer: list[tuple[object, ...]]) -> None:
    file = data / "half.json"
    options = ["--datasets", "Kodak24", "--cases", "sigma 30", "--json", str(file)]
    assert run("gaussian", "--benchmarks", str(data), *options, "--half") == 0
    assert restorer[0] == ("load", "gaussian", None, None, None, True)
    assert "half precision" in page([Result.read(file)], TASKS, paper())
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert "half precision" not in page([Result.read(file)], TASKS, paper())


def test_super_resolution_is_measured_on_both_grids_beside_bicubic(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "sr.json"
    options = ["--datasets", "Set5", "--limit", "1", "--json", str(file)]
    assert run("sr-x2", "--benchmarks", str(data), *options) == 0
    assert restorer[1:] == [("restore", False)] * 2 + [("restore a file", False)] * 2
    found = Result.read(file)
    assert [(c.table, c.case) for c in found.cells] == [
        ("IV", "x2 g_2.0"),
        ("IV", "x2 g_ani"),
        ("", "x2 bicubic"),
        ("", "x2 area"),
    ]
    assert all(c.bicubic("psnr") is not None and c.bicubic("ssim") is not None for c in found.cells)
    text = page([found], TASKS, paper())
    assert f"| {found.cells[3].bicubic('psnr'):.2f} |" in text
    del restorer[1:]
    assert run("sr-x2", "--benchmarks", str(data), *options, "--cases", "x2 area") == 0
    assert restorer[2:] == [("restore a file", False)]
    del restorer[1:]
    assert run("sr-x2", "--benchmarks", str(data), *options, "--self-ensemble", "--cases", "x2 area") == 0
    assert restorer[2:] == [("restore a file", True)]
    with pytest.raises(UndegradeError, match="flip moves the grid"):
        run("sr-x2", "--benchmarks", str(data), *options, "--self-ensemble")
    with pytest.raises(UndegradeError, match="no case area; choose from x2 g_2"):
        run("sr-x2", "--benchmarks", str(data), "--cases", "area")


def test_a_task_without_known_damage_is_not_asked_for_it(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("real", "--benchmarks", str(data)) == 0
    assert "estimate" not in capsys.readouterr().out


def test_own_clean_pictures(data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    file = data / "own.json"
    options = ["--folder", str(data / "Kodak24"), "--cases", "30", "50", "--json", str(file)]
    assert run("gaussian", *options) == 0
    assert restorer[1:] == [("restore", False)] * 6
    text = capsys.readouterr().out
    assert text.count("Kodak24") == 2
    found = Result.read(file)
    assert [(c.dataset, c.case, len(c.images), c.complete) for c in found.cells] == [
        ("Kodak24", "30", 3, True),
        ("Kodak24", "50", 3, True),
    ]
    assert found.cells[0].estimate_error == pytest.approx(18, abs=1e-4)
    with pytest.raises(UndegradeError, match="no case sigma 30 for a folder; choose from 10, 30, 50, 70"):
        run("gaussian", "--folder", str(data / "Kodak24"), "--cases", "sigma 30")


def test_own_pairs(data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    noisy, clean = data / "CC15" / "real", data / "CC15" / "mean"
    for file in noisy.iterdir():
        file.rename(file.with_name(file.name.replace("_real", "_mean")))
    assert run("gaussian", "--pairs", str(noisy), str(clean), "--limit", "1") == 0
    captured = capsys.readouterr()
    assert "| mean " in captured.out
    assert "pairs" in captured.out
    assert "mean: only a part of its images was measured" in captured.err
    assert restorer[1:] == [("restore", False)]


def test_a_small_picture_of_a_camera_lies_on_its_own_grid(data: Path, restorer: list[tuple[object, ...]]) -> None:
    (data / "small").mkdir()
    (data / "large").mkdir()
    pixels = np.asarray(Image.open(data / "Set5" / "0.png"))[:60, :80]
    Image.fromarray(pixels).save(data / "large" / "a.png")
    Image.fromarray(pixels[::2, ::2]).save(data / "small" / "a.png")
    assert run("sr-x2", "--pairs", str(data / "small"), str(data / "large")) == 0
    assert restorer[1:] == [("restore a file", False)]


def test_another_network_stands_in_the_same_tables(
    data: Path,
    restorer: list[tuple[object, ...]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "some_network.py").write_text("def restore(y):\n    return y.clip(0, 1)\n")
    file = tmp_path / "theirs.json"
    options = ["--benchmarks", str(data), "--datasets", "Kodak24", "--cases", "sigma 30", "--json", str(file)]
    assert run("gaussian", *options, "--module", "some_network:restore") == 0
    assert not restorer  # none of our models was loaded
    theirs = Result.read(file)
    assert (theirs.variant, theirs.weights_sha256) == ("some_network.restore", "")
    text = capsys.readouterr().out
    assert "| 31.74 |" in text  # the paper's number for these images, beside
    assert "estimate" not in text
    assert theirs.cells[0].mean("psnr") == pytest.approx(18.6, abs=1)  # nothing was removed
    assert "some_network.restore" in page([theirs], TASKS, paper())
    with pytest.raises(UndegradeError, match="--self-ensemble is for models of this package"):
        run("gaussian", *options, "--module", "some_network:restore", "--self-ensemble")


def test_an_exported_graph_scores_as_the_model_itself(data: Path, tmp_path: Path) -> None:
    assert main(["export", "gaussian", "--onnx", str(tmp_path / "ours.onnx")]) == 0
    files = [tmp_path / "exported.json", tmp_path / "model.json"]
    options = ["--folder", str(data / "Kodak24"), "--cases", "30", "--limit", "1"]
    assert main(["evaluate", "gaussian", *options, "--onnx", str(tmp_path / "ours.onnx"), "--json", str(files[0])]) == 0
    assert main(["evaluate", "gaussian", *options, "--json", str(files[1])]) == 0
    exported, model = (Result.read(file).cells[0].mean("psnr") for file in files)
    assert exported == pytest.approx(model, abs=1e-3)
    assert model > 25


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["gaussian", "--folder", "DATA/CBSD68", "--datasets", "CBSD68"], "--datasets is for benchmarks"),
        (["gaussian", "--folder", "DATA/nowhere"], "there is no folder"),
        (["real", "--folder", "DATA/CBSD68", "--submission", "out"], "--submission is for benchmarks"),
        (["gaussian", "--pairs", "DATA/CBSD68", "DATA/CBSD68", "--cases", "30"], "leave out --cases"),
        (["sr-x2", "--folder", "DATA/CBSD68", "--self-ensemble"], "a flip moves the grid; leave it out"),
        (["gaussian", "--folder", "DATA/CBSD68", "--onnx", "DATA/nowhere.onnx"], "cannot be read"),
    ],
)
def test_own_pictures_that_cannot_be_measured_are_explained(
    data: Path, restorer: list[tuple[object, ...]], argv: list[str], message: str
) -> None:
    with pytest.raises(UndegradeError, match=message):
        run(*(a.replace("DATA", str(data)) for a in argv))
    assert not restorer


def test_pictures_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("gaussian")
    assert "one of the arguments --benchmarks --folder --pairs is required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["denoise"], "gaussian"),
        (["gaussian", "--datasets", "Set5"], "CBSD68"),
        (["gaussian", "--limit", "0"], "whole number of 1 to"),
        (["gaussian", "--cases", "sigma 11"], "no case sigma 11; choose from sigma 10"),
    ],
)
def test_what_cannot_be_measured_is_explained(
    data: Path, restorer: list[tuple[object, ...]], argv: list[str], message: str
) -> None:
    with pytest.raises(UndegradeError, match=message):
        run(*argv, "--benchmarks", str(data))
    assert not restorer
