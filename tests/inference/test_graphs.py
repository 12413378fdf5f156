"""The shipped graphs are those of the networks."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tools import graphs as tool
from undegrade.inference.graphs import PARTS, filled, find_graph, has_graphs, said_by
from undegrade.model.architecture import Architecture, Conditioning

WANTED = tool.wanted()


def test_every_network_of_every_task_has_its_graphs_and_there_are_no_others() -> None:
    int8 = {
        name
        for name, (part, a) in WANTED.items()
        if part == "encode" or name.startswith(("restore-fast", "restore-wide"))
    }
    assert {file.stem for file in tool.FOLDER.glob("*.onnx")} == set(WANTED) | {f"{name}-int8" for name in int8}
    assert all(has_graphs(architecture) for _, architecture in WANTED.values())
    assert not has_graphs(Architecture(restorer="fast", conditioning=Conditioning.NONE))
    assert not has_graphs(Architecture(restorer="ffdnet", channels=1))


def test_they_are_small_and_hold_no_weights() -> None:
    sizes = [file.stat().st_size for file in tool.FOLDER.glob("*.onnx")]
    assert max(sizes) < 30_000


@pytest.mark.parametrize("name", WANTED)
def test_a_graph_computes_what_its_network_does(name: str) -> None:
    """Made by ``python tools/graphs.py``: run it again if the networks changed on purpose."""
    part, architecture = WANTED[name]
    model = tool.random_model(architecture)
    tensors = {n: t.numpy().copy() for n, t in model.state_dict().items() if n.startswith(PARTS[part])}
    graph = find_graph(part, architecture)
    assert graph is not None
    session = onnxruntime.InferenceSession(filled(graph, tensors), providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    assert said_by(graph) == said
    if part == "restore":
        assert json.loads(said["reaches"]) == [model.reach, *model.reaches]
        assert int(said["stride"]) == model.stride
    module = tool._MODULES[part](model)
    for b, h, w in ((1, 16, 24), (2, 13, 18), (1, 1, 1), (3, 5, 12)):
        given = {
            "y": torch.rand(b, architecture.channels, h, w),
            "c": torch.randn(b, 4, -(-h // 4), -(-w // 4)),
            "rows": torch.arange(8 * (h > 8), h),
            "columns": torch.arange(0, w if w < 9 else 8),
        }
        given = {n: given[n] for n in tool.inputs(part, model)}
        expected = module(*given.values())
        found = session.run(None, {n: x.numpy() for n, x in given.items()})
        for one, other in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            size = max(1.0, float(other.abs().max()))
            np.testing.assert_allclose(one, other.numpy(), rtol=0, atol=1e-5 * size)


@pytest.mark.slow
def test_making_them_again_changes_nothing(tmp_path: Path) -> None:
    """With the versions of torch and onnxscript that made them; another may write the same network otherwise."""
    tool.main(tmp_path)
    for file in tool.FOLDER.glob("*.onnx"):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
