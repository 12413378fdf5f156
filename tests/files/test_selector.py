"""The choice of the model as a value: it loads in the process that uses it."""

import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from undegrade import UndegradeError
from undegrade.files import selector as module
from undegrade.files.selector import Selector
from undegrade.inference.load import load_pipeline
from undegrade.inference.machine import usable_cores
from undegrade.inference.options import RestoreOptions
from undegrade.native import NotCompiled

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.mark.parametrize("selector", [Selector(task="jpeg"), Selector(level="quality"), Selector(task="real")])
def test_the_given_task_is_taken(selector):
    choice = selector(PIXELS, None)
    assert choice.reason == ""
    assert choice.pipeline is selector.given
    assert selector.check() == {"task": choice.pipeline.task.name, "variant": choice.pipeline.card.variant}


def test_without_a_task_the_universal_model_decides(monkeypatch):
    loaded = []

    def load(task, variant, weights, device, half, engine, threads, draft):
        loaded.append((task, engine, threads, draft))
        return "the universal model"

    monkeypatch.setattr(module, "load_pipeline", load)
    monkeypatch.setattr(module, "select_task", lambda *arguments: arguments)
    selector = Selector(threads=1, engine="onnx", options=RestoreOptions(tile=64))
    assert (selector.given, selector.check()) == (None, {})
    progress = lambda fraction: None  # noqa: E731
    assert selector(PIXELS, 30, progress) == (PIXELS, "the universal model", RestoreOptions(tile=64), 30, progress)
    assert loaded == 2 * [("universal", "onnx", 1, False)]


def test_a_sent_one_is_equal_and_brings_no_model():
    selector = Selector(task="gaussian", weights=None, threads=1, options=RestoreOptions(tile=64))
    assert selector.given is not None
    sent = pickle.dumps(selector)
    assert len(sent) < 1000
    assert pickle.loads(sent) == selector
    assert "given" not in vars(pickle.loads(sent))


def test_problems_are_said_before_any_file_is_read():
    with pytest.raises(UndegradeError, match="no task 'paint'"):
        Selector(task="paint").check()
    with pytest.raises(UndegradeError, match="--quality replaces an estimated JPEG quality, but gaussian estimates"):
        Selector(task="gaussian", level="quality").check()
    with pytest.raises(UndegradeError):
        Selector(weights=Path("missing.safetensors")).check()
    with pytest.raises(UndegradeError, match="--keep-degradation is for tasks that enlarge, and gaussian does not"):
        Selector(task="gaussian", keep_degradation=True).check()
    with pytest.raises(UndegradeError, match="--keep-degradation is for tasks that enlarge; give one too"):
        Selector(keep_degradation=True).check()


def test_threads_reach_the_engine():
    assert Selector(task="gaussian", threads=1, device="cpu").given.engine.threads == 1
    assert Selector(task="gaussian", engine="torch").given.engine.software.startswith("PyTorch")
    cores = usable_cores()
    assert load_pipeline("gaussian", device="cpu", threads=cores).engine.threads == cores
    # More would wait for each other: a small picture took ONNX Runtime more than a minute with 1024 threads.
    for engine in ("compiled", "onnx"):
        with suppress(NotCompiled):
            assert load_pipeline("gaussian", device="cpu", engine=engine, threads=1024).engine.threads == cores
