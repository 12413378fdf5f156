"""A new task takes two files: its own, which is this one down to HAZE, and its name in ``TASKS``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from tests.extending import add_entry
from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.data.benchmark import Benchmark
from undegrade.data.catalogue import SET5
from undegrade.degrade import Degradation, Degraded, Quantity
from undegrade.degrade.base import uniform
from undegrade.degrade.severity import Severity, first
from undegrade.evaluation.evaluate import evaluate
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, page
from undegrade.inference.load import load_pipeline
from undegrade.metrics import Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks import Task
from undegrade.tasks.recipe import SHORT
from undegrade.weights.card import load_weights


@dataclass(frozen=True)
class Haze(Degradation):
    """y = (1 - t) x + t light: a veil of one density t per image, f(T) = t."""

    density: tuple[float, float]
    light: float = 0.9

    quantity: ClassVar[Quantity] = Quantity("haze", size=1, scale=100.0, unit="%")

    @property
    def severity(self) -> Severity:
        return Severity(
            name="haze", symbol="t", unit="%", steps=tuple(range(10, 60, 5)), own=30, mild=10, strong=50, reach=20,
            at=lambda t: Haze((t / 100, t / 100)), read=first,
        )  # fmt: skip

    def __call__(self, x, generator):
        t = uniform((x.shape[0], 1), *self.density, generator, x)
        veil = t.view(-1, 1, 1, 1)
        return Degraded((1 - veil) * x + veil * self.light, t)


RECIPE = replace(SHORT, steps=60, batch=4, patch=16, lr=2e-3, warmup=5, lambda_adv=0.0, ema=0.9)
HALF = Haze((0.5, 0.5))
HAZE = Task(
    name="haze",
    summary="Remove a veil of haze of unknown density.",
    degradation=Haze((0.3, 0.7)),
    variants={"fast": Architecture(restorer="fast")},
    recipes={"fast": {"tiny": RECIPE}},
    validation={"50": HALF},
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr",)),
    benchmarks=(Benchmark("", SET5, "haze 50", HALF),),
)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HAZE stands in ``TASKS``."""
    add_entry(monkeypatch, "TASKS", HAZE)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(2):
        Image.fromarray(make_photo(256, 256, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def weights(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Trained from the command line, once for all tests here."""
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as monkeypatch:
        add_entry(monkeypatch, "TASKS", HAZE)
        command = ["train", "haze", "--data", str(photos), "--val", str(photos), "--out", str(out), "--device", "cpu"]
        assert main([*command, "--licence", "CC0", "--log-every", "5"]) == 0
    rows: list[Mapping[str, float]] = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 60
    assert {"psnr/50", "estimate_error/50"} <= set(rows[-1])
    assert rows[-1]["restoration"] < 0.7 * rows[0]["restoration"]
    return str(out / "haze-fast.safetensors")


def hazed(seed: int = 0) -> np.ndarray:
    x = torch.from_numpy(make_photo(64, 80, seed)).permute(2, 0, 1)[None] / 255
    y, _ = HALF(x, torch.Generator())
    return (y[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def test_its_weights_know_what_they_are_for(weights: str) -> None:
    card = load_weights(Path(weights))[1]
    assert (card.task, card.variant, card.recipe["patch"]) == ("haze", "fast", 16)
    assert load_pipeline(weights=Path(weights), device="cpu").task is HAZE


def test_it_restores_and_estimates_files(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(hazed()).save("a.png")
    assert main(["restore", "a.png", "--weights", weights, "--device", "cpu"]) == 0
    assert "estimated haze " in capsys.readouterr().out
    clean, found = make_photo(64, 80, 0).astype(float), np.asarray(Image.open("restored/a.png")).astype(float)
    assert np.abs(found - clean).mean() < 0.7 * np.abs(hazed() - clean).mean()
    assert main(["estimate", "a.png", "--weights", weights, "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("a.png: haze ")


def test_it_is_measured_and_has_its_part_of_the_page(
    weights: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sets").mkdir()
    Path("sets/Set5").symlink_to(photos)
    command = ["evaluate", "haze", "--weights", weights, "--benchmarks", "sets", "--json", "haze.json"]
    assert main([*command, "--device", "cpu"]) == 0
    assert "haze 50" in capsys.readouterr().out
    result = Result.read(Path("haze.json"))
    (cell,) = result.cells
    (untouched,) = evaluate(HAZE.benchmarks, HAZE.protocol, lambda y: y, Path("sets"))
    assert cell.mean("psnr") > untouched.mean("psnr") + 2
    assert cell.estimate_error is not None
    text = page([result], {"haze": HAZE}, paper())
    assert f"{cell.mean('psnr'):.2f}" in text
    assert "haze 50" in text


def test_its_latent_is_looked_into(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("small").mkdir()
    for seed in range(2):
        Image.fromarray(make_photo(40, 40, seed)).save(f"small/{seed}.png")
    assert main(["analyse", "health", "--data", "small", "--weights", weights, "--device", "cpu"]) == 0
    assert "t 30" in capsys.readouterr().out
