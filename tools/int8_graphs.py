"""Makes the graph of a part in int8 from that in float32; :mod:`undegrade.model.int8` says what is rounded.

Residual blocks and the encoder's convolutions become ONNX Runtime's QLinearConv on (B, H, W, C), the layout that it
computes in; all other nodes stay. Weights, biases and scales stay out of the graph as in float32.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OWN = "com.microsoft"
"""The set of operators that has convolutions with the channels last."""
LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""To the channels last, and back."""
HALVES = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}


class Rewriter:
    """The nodes of a new graph, and in which layout its values are known."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.last: dict[str, str] = {}
        """Value of the old graph -> the same with the channels last."""
        self.first: set[str] = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        self.numbers = itertools.count()

    def add(self, operator: str, *inputs: str, output: str | None = None, domain: str = "", **attributes: Any) -> str:
        output = output or f"int8_{next(self.numbers)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        name = f"int8_constant_{name}"
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def with_last(self, value: str) -> str:
        """A value with the channels last."""
        if value not in self.last:
            self.last[value] = self.add("Transpose", value, perm=LAST)
        return self.last[value]

    def keep(self, node: onnx.NodeProto) -> None:
        """A node as it was, on values as they were."""
        for value in node.input:
            if value and value not in self.first and value in self.last:
                self.add("Transpose", self.last[value], output=value, perm=FIRST)
                self.first.add(value)
        self.nodes.append(node)
        self.first.update(node.output)

    def convolution(self, name: str, x: str, x_scale: str, x_zero: str, y_scale: str, y_zero: str) -> str:
        weight, even = f"{name}.weight", self.constant("even", np.int8(0))
        return self.add(
            "QLinearConv", x, x_scale, x_zero, weight, f"{weight}_scale", even, y_scale, y_zero, f"{name}.bias",
             domain=OWN, channels_last=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1],
        )  # fmt: skip

    def block(self, name: str, h: str, output: str) -> None:
        """h + conv(relu(conv(h))), with the sum in float32."""
        zero, middle, one = (
            self.constant("0", np.uint8(0)), self.constant("128", np.uint8(128)), self.constant("1", np.float32(1))
        )  # fmt: skip
        inner, between = f"{name}.inner.scale", f"{name}.between.scale"
        given = self.with_last(h)
        x = self.add("QuantizeLinear", given, inner, middle)
        r = self.convolution(f"{name}.conv1", x, inner, middle, between, zero)
        # The operator knows one scale and level of 0 for all channels: theirs are in the weights' scales and the bias.
        d = self.convolution(f"{name}.conv2", r, between, zero, one, zero)
        change = self.add("Mul", self.add("Cast", d, to=onnx.TensorProto.FLOAT), f"{name}.outer.scale")
        self.last[output] = self.add("Add", self.add("Add", change, f"{name}.outer.offset"), given)

    def image(self, y: str) -> str:
        """An image in three channels each of 8 bits, the channels last."""
        step, zero = self.constant("step", np.float32(1 / 255)), self.constant("0", np.uint8(0))
        one = self.constant("1", np.float32(1))
        parts = (y, self.add("Neg", y), self.add("Sub", y, one))
        levels = [self.add("QuantizeLinear", part, step, zero) for part in parts]
        return self.add("Transpose", self.add("Concat", *levels, axis=1), perm=LAST)


def restorer(float32: bytes) -> bytes:
    """The restorer's graph in int8."""
    model = onnx.load_model_from_string(float32)
    found = Rewriter(model.graph)
    makers = {output: node for node in model.graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    gone: set[int] = set()
    blocks: dict[int, tuple[str, str]] = {}
    for add in (node for node in model.graph.node if node.op_type == "Add"):
        second = makers.get(add.input[0])
        if second is None or second.op_type != "Conv" or not second.input[1].endswith(".conv2.weight"):
            continue
        relu = makers[second.input[0]]
        first = makers[relu.input[0]]
        assert first.input[0] == add.input[1], f"{add.output[0]} is no residual block"
        gone |= {id(first), id(relu), id(second)}
        blocks[id(add)] = second.input[1].removesuffix(".conv2.weight"), first.input[0]
    for node in model.graph.node:
        if id(node) in blocks:
            found.block(*blocks[id(node)], node.output[0])
        elif id(node) not in gone:
            found.keep(node)
    return _whole(found, model)


def encoder(float32: bytes) -> bytes:
    """The encoder's graph in int8."""
    model = onnx.load_model_from_string(float32)
    found = Rewriter(model.graph)
    step, zero = found.constant("step", np.float32(1 / 255)), found.constant("0", np.uint8(0))
    h, scale = found.image("y"), step
    for n in range(1, 6):
        after = f"encoder.after.{n - 1}.scale"
        h, scale = found.convolution(f"encoder.conv{n}", h, scale, zero, after, zero), after
        if n in (1, 3):
            h = found.add("NhwcMaxPool", h, domain=OWN, **HALVES)
    last = found.add("Transpose", found.add("DequantizeLinear", h, scale, zero), perm=FIRST)
    for head in model.graph.node[-2:]:
        head.input[0] = last
        found.keep(head)
    return _whole(found, model)


def _whole(found: Rewriter, model: onnx.ModelProto) -> bytes:
    used = {value for node in found.nodes for value in node.input}
    kept: Iterable[onnx.TensorProto] = [t for t in model.graph.initializer if t.name in used]
    graph = helper.make_graph(
        found.nodes, f"{model.graph.name}-int8", model.graph.input, model.graph.output,
        [*kept, *found.constants.values()],
    )  # fmt: skip
    made = helper.make_model(
        graph, opset_imports=[*model.opset_import, helper.make_opsetid(OWN, 1)], ir_version=model.ir_version
    )
    return made.SerializeToString(deterministic=True)
