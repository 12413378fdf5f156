"""The networks as ONNX graphs of a few kilobytes without weights, and how they are filled.

``tools/graphs.py`` makes them from the networks in ``undegrade.model``, one for each part and each form that the tasks
need; they lie in the folder ``graphs``. Parameters have the names that they have in the weights file.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.model.architecture import Architecture, Conditioning

Tensors = Mapping[str, npt.NDArray[Any]]
"""float32 arrays; of graphs in int8 also int8 and int32."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "encode": ("encoder.",), "restore": ("restorer.",), "estimate": ("estimator.",), "scale": ("restorer.", "scale."),
}  # fmt: skip
"""The graphs of a model, and how the names of their parameters start. ``scale`` restores too, and gives b as well."""
INT8_PARTS = ("encode", "restore")
"""Those that there are in int8 too."""


def parts_of(a: Architecture) -> list[str]:
    """The parts that an architecture has."""
    return [part for part in PARTS if part != "scale" or a.scale_head]


def name_of(part: str, a: Architecture) -> str:
    """File name of one part of an architecture, without suffix: models of the same form share it."""
    if part == "encode":
        return f"encode-{a.channels}"
    if part in ("restore", "scale"):
        return f"{part}-{a.restorer}-{a.channels}-x{a.scale}"
    bounds = "" if a.bounds is None else "-" + "-".join(f"{bound:.4g}" for bound in a.bounds)
    return f"estimate-{a.params}{bounds}"


def find_graph(part: str, architecture: Architecture, int8: bool = False) -> bytes | None:
    """The shipped graph of one part of an architecture, in float32 or in int8; None if there is none."""
    if architecture.conditioning is not Conditioning.LATENT:
        return None
    name = f"{name_of(part, architecture)}{'-int8' * int8}.onnx"
    file = importlib.resources.files("undegrade") / "inference" / "graphs" / name
    return file.read_bytes() if file.is_file() else None


def has_graphs(architecture: Architecture) -> bool:
    """Whether the graphs of an architecture are shipped."""
    return all(find_graph(part, architecture) is not None for part in parts_of(architecture))


def has_int8_graphs(architecture: Architecture) -> bool:
    """Whether the graphs of an architecture are shipped in int8."""
    return all(find_graph(part, architecture, int8=True) is not None for part in INT8_PARTS)


def filled(graph: bytes, tensors: Tensors) -> bytes:
    """A graph with its weights: an ONNX model.

    Protocol buffers merge what is concatenated: the weights follow the graph as a second, partial model.
    """
    return graph + packed(tensors)


def packed(tensors: Tensors) -> bytes:
    """Weights as a partial model, to be appended to a graph."""
    return b"".join(_partial_model(name, tensor) for name, tensor in tensors.items())


def said_by(graph: bytes) -> dict[str, str]:
    """What a graph says about itself: its metadata, by key."""
    return {
        fields[_KEY].decode(): fields[_VALUE].decode()
        for number, entry in _fields(graph)
        if number == _METADATA
        for fields in [dict(_fields(entry))]
    }


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that hold bytes, by number."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        length = number()  # of a field that is a number itself: its value
        if key & 7 == _BYTES:
            yield key >> 3, message[at : at + length]
            at += length


# Field numbers of onnx.proto: ModelProto.graph and .metadata_props, GraphProto.initializer, and those of TensorProto.
_GRAPH, _METADATA, _INITIALIZER = 7, 14, 5
_KEY, _VALUE = 1, 2
_BYTES = 2
"""How a field of bytes is marked; the other fields of a model are numbers."""
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
_KINDS = {"float32": (1, "<f4"), "int8": (3, "<i1"), "int32": (6, "<i4")}
"""By the name of the type: its number in onnx.proto, and how it is stored."""


def _partial_model(name: str, tensor: npt.NDArray[Any]) -> bytes:
    kind, stored = _KINDS[str(tensor.dtype)]
    raw = np.ascontiguousarray(tensor, stored).tobytes()
    dims = b"".join(_number(_DIMS, n) for n in tensor.shape)
    content = dims + _number(_DATA_TYPE, kind) + _bytes(_NAME, name.encode()) + _bytes(_RAW_DATA, raw)
    return _bytes(_GRAPH, _bytes(_INITIALIZER, content))


def _number(field: int, value: int) -> bytes:
    return bytes(_varint([field << 3, value]))


def _bytes(field: int, content: bytes) -> bytes:
    return bytes(_varint([field << 3 | 2, len(content)])) + content


def _varint(values: Iterable[int]) -> Iterator[int]:
    for value in values:
        while value > 127:
            yield value & 127 | 128
            value >>= 7
        yield value
