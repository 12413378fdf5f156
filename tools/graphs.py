"""Makes the graphs in ``src/undegrade/inference/graphs`` from the networks: ``python tools/graphs.py [FOLDER]``.

One for each part and each form of network that a task has; run it after a change of the networks. The weights stay out
(:mod:`undegrade.inference.graphs`). A graph says its model's reach and stride and the shapes of its weights. Those in
int8 are made from those in float32 (:mod:`int8_graphs`).
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
import int8_graphs

from undegrade.inference.graphs import PARTS, name_of
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.int8 import int8
from undegrade.model.int8_tensors import stored
from undegrade.model.part import Part
from undegrade.model.posterior import Posterior
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

FOLDER = Path(__file__).parents[1] / "src" / "undegrade" / "inference" / "graphs"
DRAFTS = ("fast", "wide")
"""Restorers that there is a graph in int8 of."""
BATCH, HEIGHT, WIDTH = 2, 33, 49
"""Of the example that the networks are traced with; none of the three is kept. The sides are odd at every level: the
tracer takes the way that completes odd sizes, which adds nothing to even ones."""


class Lines:
    """What a graph knows of a :class:`Part`: the numbers of its rows and of its columns, without a gap.

    A graph's inputs are tensors; the size of what is computed follows from that of these two.
    """

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        self.rows, self.columns = rows, columns

    def of(self, x: Tensor, times: int = 1, divided: int = 1) -> Tensor:
        """As :meth:`Part.of`."""
        assert times == 1
        found: Tensor = torch.ops.undegrade.lines(x, self.rows, self.columns, divided)
        return found


@torch.library.custom_op("undegrade::lines", mutates_args=())
def _lines(x: Tensor, rows: Tensor, columns: Tensor, divided: int) -> Tensor:
    part = Part((int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1))
    return part.of(x, 1, divided).clone()


@_lines.register_fake
def _(x: Tensor, rows: Tensor, columns: Tensor, divided: int) -> Tensor:
    return x.new_empty(*x.shape[:2], *((n.shape[0] + divided - 1) // divided for n in (rows, columns)))


def _slice(x, rows, columns, divided: int):
    """The operator in ONNX: one Slice, which copies whole rows; two Gather of numbers would take ten times as long."""
    from onnxscript import opset20 as op

    first, last, one, step = (op.Constant(value_ints=[n]) for n in (0, -1, 1, divided))
    starts = op.Concat(op.Gather(rows, first), op.Gather(columns, first), axis=0)
    ends = op.Concat(op.Gather(rows, last), op.Gather(columns, last), axis=0)
    return op.Slice(x, op.Div(starts, step), op.Add(op.Div(ends, step), one), op.Constant(value_ints=[2, 3]))


class Encode(nn.Module):
    """y -> mu, log sigma^2."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        posterior: Posterior = self.encoder(y)
        return posterior.mean, posterior.logvar


class Restore(nn.Module):
    """(y, c) -> xhat. Of a part of it: (y, c, rows, columns), see :class:`Lines`."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        self.restorer = model.restorer

    def forward(self, y: Tensor, c: Tensor, *part: Tensor) -> Tensor:
        return self.within(y, c, *part)[0]

    def within(self, y: Tensor, c: Tensor, *part: Tensor) -> tuple[Tensor, Tensor]:
        """xhat and its features."""
        if part:
            lines = cast(Part, Lines(*part))
            y, h = lines.of(y), self.restorer.features_of(y, c, lines)
        else:
            h = self.restorer.features(y, c)
        return self.restorer.image(y, h), h


class Scale(Restore):
    """The same -> xhat and b."""

    def __init__(self, model: VDIR) -> None:
        super().__init__(model)
        assert model.scale is not None
        self.scale = model.scale

    def forward(self, y: Tensor, c: Tensor, *part: Tensor) -> tuple[Tensor, Tensor]:
        xhat, h = self.within(y, c, *part)
        return xhat, self.scale(h, (xhat.shape[-2], xhat.shape[-1]))


class Estimate(nn.Module):
    """c -> EST(c)."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        self.estimator = model.estimator

    def forward(self, c: Tensor) -> Tensor:
        return self.estimator(c)


_MODULES = {"encode": Encode, "restore": Restore, "estimate": Estimate, "scale": Scale}
_INPUTS = {"encode": ("y",), "restore": ("y", "c"), "estimate": ("c",), "scale": ("y", "c")}
_PART = ("rows", "columns")
_OUTPUTS = {"encode": ("mean", "logvar"), "restore": ("xhat",), "estimate": ("params",), "scale": ("xhat", "b")}


def inputs(part: str, model: VDIR) -> tuple[str, ...]:
    """The names of a graph's inputs."""
    takes_part = issubclass(_MODULES[part], Restore) and model.restorer.last_reach is not None
    return _INPUTS[part] + (_PART if takes_part else ())


def wanted() -> dict[str, tuple[str, Architecture]]:
    """Part and architecture of every graph, by file name without suffix. Each may be given a scale head."""
    architectures = {a for task in TASKS.values() for a in task.variants.values()}
    latent = sorted((a for a in architectures if a.conditioning is Conditioning.LATENT), key=repr)
    headed = {part: part == "scale" for part in PARTS}
    return {name_of(p, a): (p, replace(a, scale_head=head)) for a in latent for p, head in headed.items()}


def graph(part: str, architecture: Architecture) -> bytes:
    """One part of a network, exported, without its weights."""
    import onnx

    model = random_model(architecture)
    examples = {
        "y": torch.rand(BATCH, architecture.channels, HEIGHT, WIDTH),
        "c": torch.rand(BATCH, 4, -(-HEIGHT // 4), -(-WIDTH // 4)),
        "rows": torch.arange(16, HEIGHT),
        "columns": torch.arange(8, WIDTH),
    }
    names = inputs(part, model)
    anything = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    dynamic = {name: {0: torch.export.Dim.DYNAMIC} if name in _PART else anything for name in names}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _MODULES[part](model).eval(),
            tuple(examples[name] for name in names),
            dynamo=True,
            dynamic_shapes=_as_arguments(list(dynamic.values()), len(_INPUTS[part])),
            input_names=names,
            custom_translation_table={torch.ops.undegrade.lines.default: _slice},
            output_names=_OUTPUTS[part],
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    shapes = {n: list(t.shape) for n, t in model.state_dict().items() if n.startswith(PARTS[part])}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name not in shapes]
    there = {tensor.name for tensor in proto.graph.initializer}
    assert set(shapes) <= there, f"not in the graph: {set(shapes) - there}"
    clean = onnx.helper.make_model(
        onnx.helper.make_graph(
            [_bare(node) for node in proto.graph.node],
            name_of(part, architecture),
            [_described(name) for name in names],
            [_described(name) for name in _OUTPUTS[part]],
            kept,
        ),
        opset_imports=[o for o in proto.opset_import if o.domain == ""],
        ir_version=10,
    )
    reaches = json.dumps([model.reach, *model.reaches])
    said = {"shapes": json.dumps(shapes), "reaches": reaches, "stride": str(model.stride)}
    if model.restorer.last_reach is not None:
        said["last_reach"] = str(model.restorer.last_reach)
    onnx.helper.set_model_props(clean, said if part == "restore" else {"shapes": said["shapes"]})
    return clean.SerializeToString(deterministic=True)


def _as_arguments(shapes: list, named: int) -> tuple:
    """As forward() takes them: those behind the named ones as one tuple."""
    return (*shapes[:named], tuple(shapes[named:])) if len(shapes) > named else tuple(shapes)


def _described(name: str):
    from onnx import TensorProto, helper

    kind, axes = (TensorProto.INT64, 1) if name in _PART else (TensorProto.FLOAT, 4)
    return helper.make_tensor_value_info(name, kind, [None] * axes)


def int8_graph(part: str, architecture: Architecture, float32: bytes) -> bytes:
    """One part of a network in int8, made from its graph in float32."""
    import onnx

    rounded = onnx.load_model_from_string(
        {"encode": int8_graphs.encoder, "restore": int8_graphs.restorer}[part](float32)
    )
    names = {value for node in rounded.graph.node for value in node.input}
    tensors = stored(int8(random_model(architecture)))
    shapes = {n: list(t.shape) for n, t in tensors.items() if n.startswith(PARTS[part])}
    assert set(shapes) <= names, f"not in the graph: {set(shapes) - names}"
    said = {entry.key: entry.value for entry in onnx.load_model_from_string(float32).metadata_props}
    onnx.helper.set_model_props(rounded, said | {"shapes": json.dumps(shapes)})
    return rounded.SerializeToString(deterministic=True)


def random_model(architecture: Architecture) -> VDIR:
    """A network whose weights are all different: equal or zero ones would be merged or left out."""
    torch.manual_seed(0)
    model = VDIR(architecture).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(0.01 * torch.randn_like(p) if name.endswith("bias") or not p.any() else 0)
    return model.requires_grad_(False)


def _bare(node):
    """A node without names and notes of where it came from."""
    import onnx

    bare = onnx.NodeProto(op_type=node.op_type, domain=node.domain)
    bare.input.extend(node.input)
    bare.output.extend(node.output)
    bare.attribute.extend(sorted(node.attribute, key=lambda a: a.name))
    return bare


def main(folder: Path = FOLDER) -> None:
    """Write every graph, and remove those that no task needs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, (part, architecture) in wanted().items():
        files[f"{name}.onnx"] = graph(part, architecture)
        if part == "encode" or (part == "restore" and architecture.restorer in DRAFTS):
            files[f"{name}-int8.onnx"] = int8_graph(part, architecture, files[f"{name}.onnx"])
    for stale in {file.name for file in folder.glob("*.onnx")} - set(files):
        (folder / stale).unlink()
    for name, content in sorted(files.items()):
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content)} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
