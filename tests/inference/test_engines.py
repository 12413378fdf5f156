"""All engines say the same, whatever the network, the size and the options; which one is chosen; and after a fork."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.inference.models import WHOLE, image
from tests.pictures import make_photo
from tools.graphs import random_model
from undegrade import native
from undegrade.errors import UndegradeError
from undegrade.inference import engines
from undegrade.inference.compiled import has_form
from undegrade.inference.compiled_engine import CompiledEngine
from undegrade.inference.engines import make_engine
from undegrade.inference.load import load_pipeline
from undegrade.inference.onnx_engine import OnnxEngine
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.part import Part
from undegrade.native import NotCompiled
from undegrade.native.convolution import Conv3x3, check
from undegrade.tasks import TASKS, Task
from undegrade.weights.card import MISMATCH, find_weights, read_weights, shipped_cards

# What is not shipped yet gets random weights, the restorer "full" among it: it costs ten times as much.
FORMS = {a: task for task in TASKS.values() for a in task.variants.values()}
SHIPPED = [(card.task, card.variant) for card in shipped_cards()]
try:
    check()
    USUAL: type[OnnxEngine] = CompiledEngine
except NotCompiled:
    USUAL = OnnxEngine
OTHERS = {"onnx": OnnxEngine} | ({} if USUAL is OnnxEngine else {"compiled": CompiledEngine})
"""What this machine has beside PyTorch."""


def both(architecture: Architecture, task: Task, other: str = "onnx", threads: int = 1) -> tuple[Pipeline, Pipeline]:
    model = random_model(architecture)
    tensors = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    return Pipeline(TorchEngine(model), task), Pipeline(OTHERS[other](architecture, tensors, threads), task)


def same(a: Pipeline, b: Pipeline, x: np.ndarray, **options: Any) -> None:
    """To 1e-5 of a float picture, or one step of an integer's that lies between two."""
    one, other = a(x, **options), b(x, **options)
    step = 0 if np.issubdtype(x.dtype, np.floating) else 1
    near = step if step else 1e-5 * max(1, np.abs(one.image).max())
    assert one.image.dtype == other.image.dtype == x.dtype
    assert np.abs(one.image.astype(np.float64) - other.image).max() <= near
    if one.std is not None:
        np.testing.assert_allclose(one.std, other.std, rtol=0, atol=1e-5)
    if one.estimate is not None:
        np.testing.assert_allclose(one.estimate, other.estimate, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(one.spread, other.spread, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "task", "other"),
    [(a, task, other) for a, task in FORMS.items() for other in OTHERS if other == "onnx" or has_form(a)],
    ids=lambda x: getattr(x, "name", None) or getattr(x, "restorer", x),
)
def test_every_kind_of_network_at_odd_sizes(architecture: Architecture, task: Task, other: str) -> None:
    a, b = both(architecture, task, other)
    for h, w in ((1, 1), (2, 7), (19, 26), (33, 13)):
        same(a, b, image(h, w))
        if architecture.channels == 3:
            same(a, b, image(h, w, 3))


@pytest.mark.parametrize(
    ("task", "variant", "other"),
    [(*model, "onnx") for model in SHIPPED] + [(*model, "compiled") for model in SHIPPED[-1:] if "compiled" in OTHERS],
)
def test_every_shipped_model_and_kind_of_array(task: str, variant: str, other: str) -> None:
    a, b = (load_pipeline(task, variant, device="cpu", engine=engine) for engine in ("torch", other))
    photo = make_photo(61, 83, 1)
    noise = np.random.default_rng(0).normal(0, 12, photo.shape)
    y = (photo + noise).clip(0, 255)
    same(a, b, y.astype(np.uint8))
    same(a, b, (y * 257).astype(np.uint16)[..., 0])
    same(a, b, (y / 255).astype(np.float32))
    if a.architecture.scale == 1:
        same(a, b, (y / 255).astype(np.float32), strength=0.4)
        same(a, b, (y / 255).astype(np.float32), strength=1.5, samples=2, seed=3)
        if a.quantity is not None and a.quantity.size == 1:
            same(a, b, (y / 255).astype(np.float32), level=20)
    else:
        same(a, b, (y / 255).astype(np.float32), direct=True)


@pytest.mark.parametrize("name", ["gaussian", "universal"])
def test_tiles_equal_the_whole_image_bit_for_bit(name: str) -> None:
    """The chain, and the restorer that sees furthest."""
    task = TASKS[name]
    architecture = task.variants["fast" if name == "gaussian" else "wide"]
    _, model = both(architecture, task)
    y = image(301, 300, 3)
    whole, tiled = model(y, tile=WHOLE), model(y, tile=160)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


@pytest.mark.skipif("compiled" not in OTHERS, reason="there is no C++ compiler")
@pytest.mark.parametrize("name", ["gaussian", "universal"])
def test_tiles_of_compiled_kernels_equal_the_whole_image_nearly(name: str) -> None:
    task = TASKS[name]
    architecture = task.variants["fast" if name == "gaussian" else "wide"]
    (_, model), (_, again) = (both(architecture, task, "compiled", threads) for threads in (1, 3))
    x = image(301, 300, 3)
    whole, tiled = model(x, tile=WHOLE), model(x, tile=160)
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=1e-5)
    np.testing.assert_allclose(tiled.estimate, whole.estimate, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(again(x, tile=160).image, tiled.image)  # whatever the threads


@pytest.mark.skipif("compiled" not in OTHERS, reason="there is no C++ compiler")
def test_compiled_kernels_give_a_part_a_batch_and_the_scale() -> None:
    weights = read_weights(find_weights("universal", ["wide"]))
    found, wanted = (make_engine(weights, engine=name) for name in ("compiled", "onnx"))
    y = image(2, 3, 150, 171)
    c = wanted.encode(y).mean
    part = Part((40, 121), (16, 150))
    for ours, theirs in zip(found.restore_with_scale(y, c, part), wanted.restore_with_scale(y, c, part), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.restore(y[:1], c[:1]), found.restore(y, c)[:1])


@pytest.fixture
def anew() -> Iterator[None]:
    """Compiler and kernels are looked for, and checked, again, before and after."""
    native.forget()
    yield
    native.forget()


def only_onnx(problem: str) -> None:
    weights = read_weights(find_weights("gaussian", ["fast"]))
    assert type(make_engine(weights)) is OnnxEngine
    with pytest.raises(UndegradeError, match=problem):
        make_engine(weights, engine="compiled")


@pytest.mark.usefixtures("anew")
def test_without_a_compiler_onnx_runtime_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path))  # what was compiled earlier would serve on
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    only_onnx("no C\\+\\+ compiler; install g\\+\\+")


@pytest.mark.usefixtures("anew")
@pytest.mark.skipif("compiled" not in OTHERS, reason="there is no C++ compiler")
def test_kernels_that_compute_something_else_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Conv3x3.__call__
    monkeypatch.setattr(Conv3x3, "__call__", lambda *a, **k: compute(*a, **k) + np.float32(0.01))
    only_onnx("computes something else")


@pytest.mark.usefixtures("anew")
@pytest.mark.skipif("compiled" not in OTHERS, reason="there is no C++ compiler")
def test_residual_blocks_that_compute_something_else_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undegrade.native.convolution.add_residual", lambda *_: None)
    only_onnx("computes something else")


def test_which_engine_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = read_weights(find_weights("gaussian", ["fast"]))
    assert type(make_engine(weights)) is USUAL
    assert type(make_engine(weights, "cpu", engine="onnx")) is OnnxEngine
    assert isinstance(make_engine(weights, "cpu", engine="torch"), TorchEngine)
    for has, kind in ((True, TorchEngine), (False, USUAL)):
        monkeypatch.setattr(engines, "multiplies_bfloat16", lambda has=has: has)
        assert isinstance(make_engine(weights, "cpu", half=True), kind)
    with pytest.raises(UndegradeError, match="no engine 'tensorflow'; choose one of: compiled, onnx, torch"):
        make_engine(weights, engine="tensorflow")
    for name in ("compiled", "onnx"):
        with pytest.raises(UndegradeError, match=f"{name} works on the CPU in float32 only"):
            make_engine(weights, "cuda", engine=name)
    with pytest.raises(UndegradeError, match="threads is 0"):
        make_engine(weights, threads=0)


def test_pytorch_takes_no_more_threads_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = read_weights(find_weights("gaussian", ["fast"]))
    before = torch.get_num_threads()
    monkeypatch.setattr(engines, "usable_cores", lambda: 2)
    try:
        for given, wanted, got in ((4, None, 2), (1, None, 1), (4, 3, 3)):
            torch.set_num_threads(given)
            make_engine(weights, "cpu", engine="torch", threads=wanted)
            assert torch.get_num_threads() == got
    finally:
        torch.set_num_threads(before)


def test_networks_without_a_graph_need_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Architecture(restorer="fast", conditioning=Conditioning.NONE)
    tensors = {name: tensor.numpy().copy() for name, tensor in random_model(alone).state_dict().items()}
    weights = read_weights(find_weights("gaussian", ["fast"]))._replace(architecture=alone, tensors=tensors)
    assert isinstance(make_engine(weights), TorchEngine)
    for engine in ("onnx", "compiled"):
        with pytest.raises(UndegradeError, match="no ONNX graph"):
            make_engine(weights, engine=engine)
    full = Architecture(restorer="full")
    tensors = {name: tensor.numpy().copy() for name, tensor in random_model(full).state_dict().items()}
    with pytest.raises(UndegradeError, match="no compiled form"):
        make_engine(weights._replace(architecture=full, tensors=tensors), engine="compiled")
    monkeypatch.setattr("undegrade.lazy.has_torch", lambda: False)
    with pytest.raises(UndegradeError, match="this kind of network needs PyTorch; install it with: pip install"):
        make_engine(weights)


def test_tensors_of_another_network_are_refused() -> None:
    weights = read_weights(find_weights("gaussian", ["fast"]))
    wrong = {
        "another shape": {**weights.tensors, "encoder.conv2.bias": np.zeros(7, np.float32)},
        "one too few": {n: t for n, t in weights.tensors.items() if n != "restorer.tail.bias"},
        "one too many": {**weights.tensors, "restorer.more.bias": np.zeros(7, np.float32)},
    }
    for tensors in wrong.values():
        with pytest.raises(UndegradeError, match=MISMATCH):
            OnnxEngine(weights.architecture, tensors)
        with pytest.raises(UndegradeError, match=MISMATCH):
            make_engine(weights._replace(tensors=tensors))
    with pytest.raises(UndegradeError, match=MISMATCH):
        OnnxEngine(replace(weights.architecture, scale=2), weights.tensors)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_process_restores_after_its_parent_has() -> None:
    """The threads of a session do not survive a fork: without new sessions the child would wait for ever."""
    weights = read_weights(find_weights("gaussian", ["fast"]))
    model = Pipeline(USUAL(weights.architecture, weights.tensors, threads=2), TASKS["gaussian"])
    x = make_photo(200, 240, 3)
    expected = model(x).image
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # no assertion here: the child must end without pytest
        os.write(write, bytes([int(np.array_equal(model(x).image, expected))]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        import select

        ready, _, _ = select.select([answer], [], [], 60)
        if not ready:
            os.kill(child, 9)
        said = answer.read(1) if ready else b""
    os.waitpid(child, 0)
    assert said == b"\x01"


_GROWTH = """
import sys
import numpy as np
from undegrade.inference.load import load_pipeline

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024

model = load_pipeline("gaussian", "fast", device="cpu", engine=sys.argv[1], threads=1)
model(np.zeros((40, 40, 3), np.uint8))
before = peak()
for side in (320, 448):  # a smaller one first must not be kept beside it
    model(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8), tile=side)
print((peak() - before) / side**2, model.engine.bytes_per_pixel)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("engine", OTHERS)
def test_a_window_takes_no_more_memory_than_is_counted(engine: str) -> None:
    """Encoder and restorer in turns in the same memory: each with its own, they took half more."""
    ran = subprocess.run([sys.executable, "-c", _GROWTH, engine], capture_output=True, text=True, check=True)
    taken, counted = map(float, ran.stdout.split())
    assert taken <= 1.1 * counted
