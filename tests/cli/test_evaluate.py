"""``undegrade evaluate``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from undegrade.cli import evaluate as command
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

    def load(task: str, variant: str | None, weights: Path | None, device: str | None, half: bool) -> SimpleNamespace:
        calls.append(("load", task, variant, weights, device, half))
        card = SimpleNamespace(task=task, name=f"{task}-fast", variant="fast", restorer_sha256="ab" * 32)
        return Unchanging(
            quantity=None if task == "real" else GaussianNoise.quantity,
            card=card,
            engine=SimpleNamespace(device="cpu", software="a test", half=half),
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


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["denoise"], "gaussian"),
        (["gaussian", "--datasets", "Set5"], "CBSD68"),
        (["gaussian", "--limit", "0"], "at least 1"),
        (["gaussian", "--cases", "sigma 11"], "no case sigma 11; choose from sigma 10"),
    ],
)
def test_what_cannot_be_measured_is_explained(
    data: Path, restorer: list[tuple[object, ...]], argv: list[str], message: str
) -> None:
    with pytest.raises(UndegradeError, match=message):
        run(*argv, "--benchmarks", str(data))
    assert not restorer
