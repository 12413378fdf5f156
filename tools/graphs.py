"""Makes the graphs in ``src/undegrade/inference/graphs`` from the networks: ``python tools/graphs.py [FOLDER]``.

One for each part and each form of network that a task has; run it after a change of the networks. The weights stay out
(:mod:`undegrade.inference.graphs`). A graph says its model's reach and stride and the shapes of its weights.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from undegrade.inference.graphs import PARTS, name_of
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.posterior import Posterior
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

FOLDER = Path(__file__).parents[1] / "src" / "undegrade" / "inference" / "graphs"
BATCH, HEIGHT, WIDTH = 2, 33, 49
"""Of the example that the networks are traced with; none of the three is kept. The sides are odd at every level: the
tracer takes the way that completes odd sizes, which adds nothing to even ones."""


class Encode(nn.Module):
    """y -> mu, log sigma^2."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        posterior: Posterior = self.encoder(y)
        return posterior.mean, posterior.logvar


class Restore(nn.Module):
    """(y, c) -> xhat."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        self.restorer = model.restorer

    def forward(self, y: Tensor, c: Tensor) -> Tensor:
        return self.restorer(y, c)


class Scale(nn.Module):
    """(y, c) -> xhat and b."""

    def __init__(self, model: VDIR) -> None:
        super().__init__()
        assert model.scale is not None
        self.restorer, self.scale = model.restorer, model.scale

    def forward(self, y: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        h = self.restorer.features(y, c)
        xhat = self.restorer.image(y, h)
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
_OUTPUTS = {"encode": ("mean", "logvar"), "restore": ("xhat",), "estimate": ("params",), "scale": ("xhat", "b")}


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
    }
    anything = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _MODULES[part](model).eval(),
            tuple(examples[name] for name in _INPUTS[part]),
            dynamo=True,
            dynamic_shapes=tuple(anything for _ in _INPUTS[part]),
            input_names=_INPUTS[part],
            output_names=_OUTPUTS[part],
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    shapes = {n: list(t.shape) for n, t in model.state_dict().items() if n.startswith(PARTS[part])}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name not in shapes]
    names = {tensor.name for tensor in proto.graph.initializer}
    assert set(shapes) <= names, f"not in the graph: {set(shapes) - names}"
    clean = onnx.helper.make_model(
        onnx.helper.make_graph(
            [_bare(node) for node in proto.graph.node],
            name_of(part, architecture),
            [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None] * 4) for n in _INPUTS[part]],
            [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None] * 4) for n in _OUTPUTS[part]],
            kept,
        ),
        opset_imports=[o for o in proto.opset_import if o.domain == ""],
        ir_version=10,
    )
    reaches = json.dumps([model.reach, *model.reaches])
    said = {"shapes": json.dumps(shapes), "reaches": reaches, "stride": str(model.stride)}
    onnx.helper.set_model_props(clean, said if part == "restore" else {"shapes": said["shapes"]})
    return clean.SerializeToString(deterministic=True)


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
    files = {f"{name}.onnx": graph(part, architecture) for name, (part, architecture) in wanted().items()}
    for stale in {file.name for file in folder.glob("*.onnx")} - set(files):
        (folder / stale).unlink()
    for name, content in sorted(files.items()):
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content)} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
