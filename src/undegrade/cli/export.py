"""``undegrade export``: a model as a file for other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli import streams
from undegrade.cli.arguments import a_path
from undegrade.cli.colour import Style
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.export.check import Differences
    from undegrade.inference.pipeline import Pipeline
    from undegrade.weights.card import Weights

HELP = "write a model as one ONNX graph, or as a package for darktable's neural restore"


EXAMPLES = """examples:
  undegrade export gaussian --onnx gaussian.onnx                    picture in; picture and noise level out
  undegrade export real --darktable denoise-real.dtmodel            darktable: preferences, AI, install from file
  undegrade export sr-x2 sr-x4 --darktable upscale.dtmodel          both factors in one package
  undegrade export gaussian --weights my.safetensors --onnx my.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tasks", nargs="+", metavar="TASK", help="the task, e.g. gaussian, or the name of a shipped model; two of "
        "sr-x2 and sr-x4 for --darktable",
    )  # fmt: skip
    parser.add_argument("--variant", metavar="V", help="variant of the task, e.g. fast (default: the best shipped one)")
    parser.add_argument(
        "--weights", type=a_path, metavar="FILE", help="your own safetensors file, with its card in the same folder"
    )
    files = parser.add_argument_group("files, of which at least one is written")
    files.add_argument(
        "--onnx", type=a_path, metavar="FILE", help="one graph, float32: any batch, height and width; the estimate is "
        "its second output",
    )  # fmt: skip
    files.add_argument(
        "--darktable", type=a_path, metavar="FILE", help="a package FILE.dtmodel: ONNX of a fixed size, config.json "
        "and a model card",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Check the graphs against the pipeline, then write the files; return 0.

    Raises:
        UndegradeError: nothing is to be written, no such model, the library onnx is missing, a graph differs from the
            model, or a file cannot be written.
    """
    from undegrade.export import darktable
    from undegrade.export.builder import needs_onnx
    from undegrade.export.check import compare
    from undegrade.export.graph import single_graph, write

    if args.onnx is None and args.darktable is None:
        raise UndegradeError("nothing to write; give --onnx FILE or --darktable FILE.dtmodel.")
    if args.onnx is not None and len(args.tasks) > 1:
        raise UndegradeError("--onnx takes one task; export them one at a time.")
    if args.weights is not None and len(args.tasks) > 1:
        raise UndegradeError("--weights are of one task; give only that.")
    if args.onnx is not None and args.onnx.suffix.lower() != ".onnx":
        raise UndegradeError(f"{args.onnx}: ONNX files end in .onnx; give such a name.")
    if args.darktable is not None:
        darktable.check_name(args.darktable)
    needs_onnx()
    models = [_load(task, args.variant, args.weights) for task in args.tasks]
    # Everything is made and checked before anything is written.
    packed = darktable.pack(models) if args.darktable is not None else None
    if args.onnx is not None:
        ((weights, pipeline),) = models
        content = single_graph(weights, pipeline.quantity)
        differences = compare(content, pipeline)
        write(args.onnx, content)
        _say(args.onnx, weights.card.name, len(content), differences)
    if packed is not None:
        write(args.darktable, packed.content)
        for (weights, _), differences in zip(models, packed.differences, strict=True):
            _say(args.darktable, weights.card.name, len(packed.content), differences)
        for warning in packed.warnings:
            head = "undegrade export:"
            streams.say(f"{head} {warning}", sys.stderr, head, Style.WARNING)
        streams.say(f"in darktable it is called {packed.identity}; its README.md is the model card", sys.stdout)
    return 0


def _load(task: str, variant: str | None, file: Path | None) -> tuple[Weights, Pipeline]:
    """The weights and a pipeline that runs them, in ONNX Runtime where it can."""
    from undegrade.inference.engines import make_engine
    from undegrade.inference.pipeline import Pipeline
    from undegrade.tasks import TASKS
    from undegrade.weights.card import find_weights, read_weights
    from undegrade.weights.names import weights_file

    if file is not None:
        weights = read_weights(weights_file(file))
    elif task in TASKS:
        weights = read_weights(find_weights(task, tuple(TASKS[task].variants) if variant is None else (variant,)))
    else:
        weights = read_weights(weights_file(task))
    card = weights.card
    if card.task not in TASKS:
        raise UndegradeError(f"these weights are for {card.task!r}, unknown to this version; update undegrade.")
    if task not in (card.task, card.name) or variant not in (None, card.variant):
        wanted = task if variant is None else f"{task}, {variant}"
        raise UndegradeError(f"these weights are for {card.name}, not {wanted}; name their task.")
    return weights, Pipeline(make_engine(weights, "cpu"), TASKS[card.task], card)


def _say(file: Path, name: str, size: int, differences: Differences) -> None:
    sizes = ", ".join(f"{width}x{height}" for height, width in differences.sizes)
    estimate = "" if differences.estimate is None else f", by {differences.estimate:.1e} in the estimate"
    streams.say(
        f"{name} -> {file} ({size / 1e6:.1f} MB; at {sizes} it differs from the pipeline by at most "
        f"{differences.pixels:.1e} in a pixel{estimate})",
        sys.stdout,
    )
