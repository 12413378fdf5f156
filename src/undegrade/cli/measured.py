"""What ``undegrade evaluate`` measures: a model of this package, or another network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from undegrade.errors import UndegradeError
from undegrade.inference.machine import cpu_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from undegrade.evaluation.evaluate import Estimate, Image, Restore
    from undegrade.inference.engine import Engine
    from undegrade.inference.options import Restoration
    from undegrade.inference.pipeline import Pipeline
    from undegrade.tasks import Task

TILE = 1024
"""Side of a tile in input pixels: most benchmark images fit in one tile, without a halo that is computed twice."""


class Method(NamedTuple):
    """What is measured.

    Attributes:
        name: for progress.
        title: for submissions.
        variant: for the results.
        sha256: of its file; of weights with a scale head of those without.
        machine: that it runs on, in words.
        on_grid: for images that were directly decimated or not, its restorer, and its estimator if it has one.
    """

    name: str
    title: str
    variant: str
    sha256: str
    machine: dict[str, str]
    on_grid: Callable[[bool], tuple[Restore, Estimate | None]]


def choose_method(args: argparse.Namespace, task: Task) -> Method:
    """What the command line asks for.

    Raises:
        UndegradeError: no such weights, network or function, or options that do not go together.
    """
    if args.onnx is None and args.module is None:
        pipeline, variant = _load(args, task)
        card = pipeline.card
        assert card is not None  # a loaded pipeline has a card

        def on_grid(direct: bool) -> tuple[Restore, Estimate | None]:
            once = _Once(pipeline, args.self_ensemble, direct)
            return once.restore, once.estimate if pipeline.quantity is not None else None

        machine = describe_machine(pipeline.engine)
        return Method(card.name, f"VDIR {card.name}", variant, card.restorer_sha256, machine, on_grid)
    from undegrade.evaluation.foreign import from_module, from_onnx

    for name in ("variant", "weights", "device", "half", "draft", "self_ensemble"):
        if getattr(args, name):
            raise UndegradeError(f"--{name.replace('_', '-')} is for models of this package; leave it out.")
    scale = task.degradation.scale
    foreign = from_onnx(args.onnx, scale) if args.onnx is not None else from_module(args.module, scale)
    machine = {"cpu": cpu_name(), "engine": foreign.software}
    name = foreign.name
    return Method(name, name, name, foreign.sha256, machine, lambda direct: (foreign.restore, None))


class _Once:
    """Restoration and estimate of an image from one pass of the networks. Both are requested one after the other."""

    def __init__(self, pipeline: Pipeline, self_ensemble: bool, direct: bool) -> None:
        self._pipeline = partial(pipeline, self_ensemble=self_ensemble, direct=direct, tile=TILE)
        self._last: tuple[Image, Restoration[Image]] | None = None

    def restore(self, y: Image) -> NDArray[Any]:
        restored: NDArray[Any] = self._pass(y).image
        return restored

    def estimate(self, y: Image) -> NDArray[Any]:
        found = self._pass(y).estimate
        assert found is not None  # called only if there is an estimator
        return found

    def _pass(self, y: Image) -> Restoration[Image]:
        if self._last is None or self._last[0] is not y:
            self._last = y, self._pipeline(y)
        return self._last[1]


def _load(args: argparse.Namespace, task: Task) -> tuple[Pipeline, str]:
    """The pipeline and the variant's name for the results.

    Weights of another task can be measured too. On photographs, any weights can; on synthetic degradation, only weights
    trained for the same class of degradation, e.g. the colour JPEG model on grey images.
    """
    from undegrade.inference.load import load_pipeline
    from undegrade.tasks import TASKS

    name = task.name if args.weights is None else None
    pipeline = load_pipeline(
        name, args.variant, weights=args.weights, device=args.device, half=args.half, draft=args.draft
    )
    card = pipeline.card
    assert card is not None
    if card.task == task.name:
        return pipeline, card.variant
    synthetic = any(b.degradation is not None for b in task.benchmarks)
    if synthetic and type(TASKS[card.task].degradation) is not type(task.degradation):
        raise UndegradeError(
            f"{args.weights}: these weights are for {card.name}, not {task.name}; evaluate {card.task}."
        )
    if pipeline.architecture.scale != task.degradation.scale:
        raise UndegradeError(f"{args.weights}: {card.name} has another scale than {task.name}; use other weights.")
    return pipeline, card.name


def describe_machine(engine: Engine) -> dict[str, str]:
    """The hardware and software of a measurement: CPU, GPU if used, the engine, and half precision if used."""
    machine = {"cpu": cpu_name(), "engine": engine.software}
    if engine.device.startswith("cuda"):
        import torch

        machine["gpu"] = torch.cuda.get_device_name(engine.device)
    if engine.half:
        machine["precision"] = "half precision"
    if engine.int8:
        machine["precision"] = "int8"
    return machine
