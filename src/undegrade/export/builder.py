"""Puts an ONNX graph together: nodes, constants, and other graphs within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError

OPSET, IR_VERSION = 20, 10
"""Those of the shipped graphs."""


def needs_onnx() -> None:
    """Check that the library onnx is installed.

    Raises:
        UndegradeError: it is not.
    """
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise UndegradeError("exporting needs the library onnx; run: pip install 'undegrade[export]'.") from error


def inputs_of(content: bytes) -> list[str]:
    """The names of a model's inputs."""
    import onnx

    return [value.name for value in onnx.load_model_from_string(content).graph.input]


class GraphBuilder:
    """Nodes and initializers of one graph. Values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._count = 0

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """A tensor that is part of the graph; its name."""
        from onnx import numpy_helper

        name = self._new("constant")
        self._initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.constant(values, np.int64)

    def floats(self, *values: float) -> str:
        """A list of numbers."""
        return self.constant(values, np.float32)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, or the first output of one with several; its name."""
        return self.add_several(operator, inputs, 1, **attributes)[0]

    def add_several(self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        from onnx import helper

        names = [self._new(operator.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def name(self, value: str, name: str) -> None:
        """Make a value known by a name of the caller's choice, e.g. that of an output."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [value], [name]))

    def include(self, content: bytes, prefix: str, inputs: Mapping[str, str]) -> list[str]:
        """Put another graph in.

        Args:
            content: a model with its weights, of the same operator set.
            prefix: of the names of its values here. Weights, whose names have a dot, keep theirs.
            inputs: its inputs' names -> values of this graph.

        Returns:
            The values of its outputs.
        """
        import onnx

        graph = onnx.load_model_from_string(content).graph
        known = dict(inputs)

        def renamed(name: str) -> str:
            # An input that is left out has no name.
            return known.get(name) or (name if not name or "." in name else f"{prefix}/{name}")

        for tensor in graph.initializer:
            tensor.name = renamed(tensor.name)
            self._initializers.append(tensor)
        for node in graph.node:
            node.input[:] = [renamed(name) for name in node.input]
            node.output[:] = [renamed(name) for name in node.output]
            self._nodes.append(node)
        return [renamed(output.name) for output in graph.output]

    def model(
        self,
        name: str,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
        properties: Mapping[str, str],
    ) -> bytes:
        """The whole model, checked.

        Args:
            name: of the graph.
            inputs, outputs: the shape of each; a text is a size that is not fixed, by its name. All are float32.
            properties: what the model says about itself.
        """
        import onnx
        from onnx import TensorProto, helper

        def described(shapes: Mapping[str, Sequence[int | str]]) -> list[Any]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(shape)) for n, shape in shapes.items()]

        graph = helper.make_graph(self._nodes, name, described(inputs), described(outputs), self._initializers)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="undegrade"
        )
        helper.set_model_props(made, dict(properties))
        onnx.checker.check_model(made, full_check=True)
        content: bytes = made.SerializeToString(deterministic=True)
        return content

    def _new(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"
