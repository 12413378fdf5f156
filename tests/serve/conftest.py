"""A running service on a free port, as a user starts it, and pictures for it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.headless import without_head
from tests.pictures import make_photo
from undegrade.model.architecture import Architecture
from undegrade.weights.card import Card, save_weights
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity


class Running:
    """``undegrade serve`` in a process of its own."""

    def __init__(self, *options: str, temporary: Path, environment: dict[str, str] | None = None) -> None:
        self.temporary = temporary
        command = [sys.executable, "-m", "undegrade", "serve", "--port", "0", *options]
        self.log = (temporary / "log").open("w+b")
        self.process = subprocess.Popen(
            command, stderr=self.log,
            env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", **(environment or {})},
        )  # fmt: skip
        self.url = self._address()

    def said(self) -> str:
        return (self.temporary / "log").read_text()

    def wait_until_ready(self, **headers: str) -> None:
        try:
            self.wait_for(lambda: httpx.get(f"{self.url}/health", headers=headers).json()["status"] == "ok")
        except BaseException:
            self.stop()
            raise

    def wait_for(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    @property
    def folder(self) -> Path:
        """Where its pictures lie."""
        (folder,) = self.temporary.glob("undegrade-*")
        return folder

    @property
    def worker(self) -> int:
        """The number of its worker process."""
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        (pid,) = children.stdout.split()
        return int(pid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()

    def _address(self) -> str:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            if match := re.search(r"page at (http://[^/]+)/", self.said()):
                return match[1]
            time.sleep(0.05)
        raise AssertionError(self.said())


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service with small limits, for all tests that leave it whole."""
    running = Running(
        "--max-bytes", "2", "--max-pixels", "4", "--max-queue", "16", "--max-seconds", "60", "--max-silence", "3",
        temporary=tmp_path_factory.mktemp("service"),
    )  # fmt: skip
    running.wait_until_ready()
    yield running
    running.stop()


KNOWING = """
import pathlib
import undegrade.weights.card as card
card._folder = lambda: pathlib.Path({folder!r})
"""
"""Makes a process ship other weights: this file is run first by every Python that finds it."""


@pytest.fixture(scope="session")
def sure_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose gaussian-fast has a made-up scale head and made-up intervals, and the universal model none."""
    import torch

    from tools.graphs import random_model

    folder, start = tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("start")
    without_head("universal-wide", folder)
    model = random_model(Architecture(restorer="fast", scale_head=True))
    with torch.no_grad():
        model.scale.tail.weight.mul_(5)
        model.estimator.conv2.weight.mul_(0.03)
        model.estimator.conv2.bias.fill_(0.1)
    widths = Widths((0.001, 1.0), {level: (0.001 * k, 1.0 * k) for k, level in enumerate(LEVELS, 1)})
    known = Intervals(WidthsBySeverity((0.0,), (widths,)), {}, "a test").to_dict()
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {}, intervals=known)
    save_weights(model, folder, "gaussian-fast", card)
    (start / "sitecustomize.py").write_text(KNOWING.format(folder=str(folder)))
    path = os.pathsep.join(filter(None, (str(start), os.environ.get("PYTHONPATH"))))
    running = Running(temporary=tmp_path_factory.mktemp("sure"), environment={"PYTHONPATH": path})
    running.wait_until_ready()
    yield running
    running.stop()


def png(height: int = 32, width: int = 40, noise: float = 20.0, seed: int = 0) -> bytes:
    """A noisy picture as a PNG file."""
    clean = make_photo(height, width, seed)
    noisy = clean + np.random.default_rng(seed).normal(0, noise, clean.shape) if noise else clean
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
