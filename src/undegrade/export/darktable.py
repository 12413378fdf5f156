"""The package of darktable's neural restore: a zip of ``config.json``, ONNX files of a fixed size, and a model card.

darktable (5.6) reads the folder of the first entry as the model's name, ``id``, ``name``, ``task``, ``version``,
``attributes.input_sizes`` and ``model_card`` of config.json, and one output of the graph. It cuts pictures into tiles
of the first of ``input_sizes``, mirrored at the picture's border, in sRGB and planar. A denoiser is ``model.onnx``;
super-resolvers are ``model_x2.onnx`` and ``model_x4.onnx``, and which of them there are decides what it can enlarge.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import undegrade
from undegrade.errors import UndegradeError
from undegrade.export import model_card
from undegrade.export.check import Differences, compare
from undegrade.export.graph import single_graph
from undegrade.inference.pipeline import Pipeline
from undegrade.tasks import Task
from undegrade.weights.card import Card, Weights

DENOISE_SIDE, UPSCALE_SIDE = 768, 256
"""Of the tiles, in pixels of the input: those of the models that darktable has. They are multiples of every model's
stride, and so are darktable's steps from tile to tile."""
DENOISE_OVERLAP, UPSCALE_OVERLAP = 64, 16
"""Pixels by which darktable's tiles overlap on each side; what a model reads from further away is missing there."""
SUFFIX = ".dtmodel"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""When the entries were made: the same models give the same bytes."""


class Packed(NamedTuple):
    """A package.

    Attributes:
        identity: the model's name in darktable, which is the folder in the zip.
        content: of the file.
        differences: between its graphs and the pipelines.
        warnings: what users of darktable will see that users of this package do not; each is a sentence.
    """

    identity: str
    content: bytes
    differences: list[Differences]
    warnings: list[str]


def pack(models: Sequence[tuple[Weights, Pipeline]]) -> Packed:
    """Make a package.

    Args:
        models: one of scale 1, or one or two of other scales, with the pipelines to compare with.

    Raises:
        UndegradeError: darktable has no use for these models together, or see
            :func:`undegrade.export.graph.single_graph` and :func:`undegrade.export.check.compare`.
    """
    weights, pipelines = [w for w, _ in models], [p for _, p in models]
    tasks = [pipeline.task for pipeline in pipelines]
    scales = [w.architecture.scale for w in weights]
    _check(tasks, weights, scales)
    enlarges = scales[0] > 1
    side = UPSCALE_SIDE if enlarges else DENOISE_SIDE
    graphs = {f"model_x{scale}.onnx" if enlarges else "model.onnx": single_graph(w, None, side)
              for scale, w in zip(scales, weights, strict=True)}  # fmt: skip
    differences = [compare(g, p, side) for g, p in zip(graphs.values(), pipelines, strict=True)]
    cards = [w.card for w in weights]
    names = "-".join(card.name for card in cards)
    config = _config(f"{'upscale' if enlarges else 'denoise'}-undegrade-{names}", cards, tasks, list(graphs), side)
    warnings = [warning for pipeline in pipelines if (warning := seam_warning(pipeline))]
    page = model_card.page(
        config["name"], cards, [w.architecture for w in weights], tasks, list(graphs), side, warnings
    )
    files = {
        "README.md": page.encode(),
        "config.json": (json.dumps(config, indent=4, ensure_ascii=False) + "\n").encode(),
        **graphs,
    }
    return Packed(config["id"], _zipped(config["id"], files), differences, warnings)


def seam_warning(pipeline: Pipeline) -> str:
    """A warning if a denoiser reads further than darktable's tiles overlap; else nothing.

    Super-resolvers all read further than 16 pixels, which was measured to be next to nothing (docs/programs.md).
    """
    reach = pipeline.engine.networks.both
    if pipeline.architecture.scale > 1 or reach <= DENOISE_OVERLAP:
        return ""
    return (
        f"{pipeline.name} reads {reach} pixels around a pixel, but darktable's tiles overlap by {DENOISE_OVERLAP}: "
        "pixels near the seams of tiles may differ from undegrade's own result; a fast variant has no such seams."
    )


def check_name(path: Path) -> None:
    """Whether darktable takes a file of this name.

    Raises:
        UndegradeError: it does not.
    """
    if path.suffix != SUFFIX:
        raise UndegradeError(f"{path}: darktable's packages end in {SUFFIX}; give such a name.")


def _check(tasks: Sequence[Task], weights: Sequence[Weights], scales: Sequence[int]) -> None:
    if len(weights) > 1 and (1 in scales or len(set(scales)) < len(scales)):
        names = ", ".join(task.name for task in tasks)
        raise UndegradeError(
            f"a package of darktable holds one restorer, or super-resolvers of different scales, not {names}; export "
            "them one at a time."
        )
    for task, w in zip(tasks, weights, strict=True):
        if w.architecture.channels != 3:
            raise UndegradeError(f"darktable gives colour pictures, and {task.name} takes luma; export a colour model.")


def _config(
    identity: str, cards: Sequence[Card], tasks: Sequence[Task], files: Sequence[str], side: int
) -> dict[str, Any]:
    """What darktable reads before it loads a graph."""
    enlarges = tasks[0].degradation.scale > 1
    sizes = {"input_sizes": [side]}
    # Newer versions look below the file's stem first, older ones only at the top.
    nested = {name.removesuffix(".onnx"): sizes for name in files} if enlarges else {}
    return {
        "id": identity,
        "name": f"undegrade {', '.join(card.name for card in cards)}",
        "description": model_card.summary(tasks),
        "task": "upscale" if enlarges else "denoise",
        "arch": "VDIR",
        "backend": "onnx",
        "version": undegrade.__version__.partition(".dev")[0],
        "tiling": True,
        "model_card": model_card.fields(cards, tasks),
        "attributes": {**sizes, **nested},
    }


def _zipped(folder: str, files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()
