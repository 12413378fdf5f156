"""What the worker does with a picture, without a service around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import png
from undegrade.files.restore_file import std_path
from undegrade.image import read
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import RestoreOptions
from undegrade.serve.jobs import TILE, Jobs


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(png())
    return tmp_path / "a"


def restored(source: Path, **asked: Any) -> tuple[dict[str, Any], Path]:
    output = source.with_name("result")
    message = {"source": str(source), "output": str(output), "folder": str(source.parent), "asked": asked}
    return Jobs(source.parent, 10_000_000, "cpu").restore(message, lambda done: None, lambda **values: None), output


def test_samples_without_a_task_are_samples(source: Path) -> None:
    record, output = restored(source, samples=2)
    assert record["task"] == "universal"
    assert read(std_path(output)).pixels.mean() > 0
    assert record["result"]["std"]["mean"] > 0


@pytest.mark.parametrize("task", ["sr-x4-fast", "sr-x2", "gaussian-fast"])
def test_tiles_are_as_large_for_every_model(source: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    asked: list[RestoreOptions] = []
    run = type(load_pipeline(task, device="cpu")).run

    def noted(self: Any, image: Any, options: RestoreOptions, *others: Any) -> Any:
        asked.append(options)
        return run(self, image, options, *others)

    monkeypatch.setattr("undegrade.inference.pipeline.Pipeline.run", noted)
    restored(source, task=task)
    assert asked[0].tile == TILE
