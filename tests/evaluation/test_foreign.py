"""Networks of others: what they are given, and what is made of what they return."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from undegrade.errors import UndegradeError
from undegrade.evaluation.foreign import Foreign, from_module, from_onnx


def onnx_file(file: Path, shape: tuple[object, ...] = ("n", 3, "h", "w"), kind: int = TensorProto.FLOAT) -> Path:
    """A network that halves its input."""
    half = helper.make_tensor("half", kind, [1], [0.5])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["in", "half"], ["out"])], "halves",
        [helper.make_tensor_value_info("in", kind, shape)], [helper.make_tensor_value_info("out", kind, shape)], [half],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)
    return file


def test_an_onnx_file_is_given_rgb_planes(tmp_path: Path) -> None:
    found = from_onnx(onnx_file(tmp_path / "halves.onnx"), 1)
    assert (found.name, len(found.sha256)) == ("halves", 64)
    assert found.software.startswith("ONNX Runtime")
    y = np.random.default_rng(0).random((5, 7, 3), np.float32)
    np.testing.assert_array_equal(found.restore(y), y * np.float32(0.5))
    np.testing.assert_allclose(found.restore(y[..., 0]), y[..., 0] / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        (("n", 3, 64, 64), TensorProto.FLOAT, "takes only pictures of 64x64; export it with dynamic"),
        (("n", 1, "h", "w"), TensorProto.FLOAT, "it must have one, float32 of"),
        ((3, "h", "w"), TensorProto.FLOAT, "it must have one, float32 of"),
        (("n", 3, "h", "w"), TensorProto.FLOAT16, r"in tensor\(float16\)"),
    ],
)
def test_an_onnx_file_of_another_kind_is_refused(
    tmp_path: Path, shape: tuple[object, ...], kind: int, message: str
) -> None:
    with pytest.raises(UndegradeError, match=message):
        from_onnx(onnx_file(tmp_path / "other.onnx", shape, kind), 1)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(UndegradeError, match="ONNX Runtime cannot load it"):
        from_onnx(tmp_path / "no.onnx", 1)
    with pytest.raises(UndegradeError, match="cannot be read"):
        from_onnx(tmp_path / "nowhere.onnx", 1)


def test_a_function_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "their_network.py").write_text(
        "class Net:\n    @staticmethod\n    def twice(y): return y.repeat(2, 0).repeat(2, 1).astype('float64')\n"
    )
    found = from_module("their_network:Net.twice", 2)
    assert (found.name, found.sha256) == ("their_network.Net.twice", "")
    y = np.random.default_rng(0).random((3, 4, 3), np.float32)
    np.testing.assert_array_equal(found.restore(y)[::2, ::2], y)
    with pytest.raises(UndegradeError, match="has no function thrice"):
        from_module("their_network:thrice", 1)
    (tmp_path / "broken_network.py").write_text("raise RuntimeError('no GPU')")
    with pytest.raises(UndegradeError, match=r"cannot be imported \(RuntimeError: no GPU\)"):
        from_module("broken_network:restore", 1)
    with pytest.raises(UndegradeError, match=r"names no function; give it as package\.module:function"):
        from_module("their_network", 1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y: y[:-1], "instead of floats of"),
        (lambda y: (y * 255).astype(np.uint8), "gave uint8"),
        (lambda y: y * np.nan, "NaN or infinity"),
        (lambda y: 1 / 0, "ZeroDivisionError"),
        (lambda y: None, "gave object"),
    ],
)
def test_what_is_no_picture_is_refused(function, message: str) -> None:
    with pytest.raises(UndegradeError, match=message):
        Foreign("theirs", "", "", 1, function).restore(np.zeros((4, 5, 3), np.float32))
