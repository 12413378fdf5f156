"""``undegrade evaluate``: measure a model on the paper's benchmarks."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from undegrade.cli.arguments import a_path, add_benchmarks, add_variant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from undegrade.data.benchmark import Benchmark
    from undegrade.data.block_benchmark import MeasuredBlocks, SubmittedBlocks
    from undegrade.evaluation.evaluate import Image
    from undegrade.inference.engine import Engine
    from undegrade.inference.options import Restoration
    from undegrade.inference.pipeline import Pipeline
    from undegrade.tasks import Task

TILE = 1024
"""Side of a tile in input pixels: most benchmark images fit in one tile, without a halo that is computed twice."""

HELP = "measure a model on the paper's benchmarks (needs the benchmark images)"


EXAMPLES = """examples:
  undegrade evaluate gaussian --benchmarks sets                                  Table I
  undegrade evaluate jpeg --benchmarks sets --datasets LIVE1 --json live1.json   one dataset; all values as JSON
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="the task to evaluate, e.g. gaussian")
    add_benchmarks(parser)
    cells = parser.add_argument_group("cells")
    cells.add_argument("--datasets", nargs="+", metavar="NAME", help="only these datasets, e.g. --datasets Kodak24")
    cells.add_argument(
        "--cases", nargs="+", metavar="CASE", help='only these cases, e.g. --cases "sigma 30" "sigma 50"'
    )
    cells.add_argument("--limit", type=int, metavar="N", help="only the first N images of each dataset")
    model = parser.add_argument_group("model")
    add_variant(model)
    model.add_argument(
        "--half", action="store_true", help="half precision, as in undegrade restore; noted in the JSON file"
    )
    model.add_argument("--self-ensemble", action="store_true", help="mean over eight flips and rotations")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--submission",
        type=a_path,
        metavar="DIR",
        help="for benchmarks without public ground truth: write the files to submit to DIR",
    )
    files.add_argument("--json", type=a_path, metavar="FILE", help="write the numbers of every image to this file")


def run(args: argparse.Namespace) -> int:
    """Print our numbers beside the paper's; return 0."""
    from undegrade.errors import UndegradeError
    from undegrade.evaluation.calibrate import bicubic
    from undegrade.evaluation.evaluate import Cell, evaluate, evaluate_blocks, report, submit_blocks
    from undegrade.evaluation.paper import paper
    from undegrade.evaluation.results import Result
    from undegrade.tasks import task_named

    task = task_named(args.task)
    if args.limit is not None and args.limit < 1:
        raise UndegradeError("--limit must be at least 1.")
    if args.json is not None and args.weights is not None and args.json == args.weights.with_suffix(".json"):
        raise UndegradeError(f"{args.json} is the card of the weights; write the numbers to another file.")
    work = _find(args, task)
    if args.self_ensemble and task.degradation.scale > 1 and any(b.direct for b in work.benchmarks):
        ordinary = " ".join(dict.fromkeys(f'"{b.case}"' for b in task.benchmarks if not b.direct))
        raise UndegradeError(
            "--self-ensemble does not work with direct decimation, since a flip moves the grid; add "
            f"--cases {ordinary}."
        )
    pipeline, variant = _load(args, task)
    card = pipeline.card
    assert card is not None  # a loaded pipeline has a card

    passes = {direct: _Once(pipeline, args.self_ensemble, direct) for direct in (True, False)}
    start = time.monotonic()
    cells: list[Cell] = []
    for direct, once in passes.items():
        same_grid = [b for b in work.benchmarks if b.direct == direct]
        cells += evaluate(
            same_grid,
            task.protocol,
            once.restore,
            args.benchmarks,
            estimate=once.estimate if pipeline.quantity is not None else None,
            bicubic=bicubic(task.degradation.scale) if task.degradation.scale > 1 else None,
            limit=args.limit,
            progress=card.name if same_grid else None,
        )
    restore = passes[True].restore
    for blocks, folder in work.measured:
        name = f"{card.name} {blocks.name}"
        cells.append(evaluate_blocks(blocks, folder, task.protocol, restore, limit=args.limit, progress=name))
    seconds = time.monotonic() - start
    if cells:
        print(report(cells, task.protocol, paper()))
    for dataset in dict.fromkeys(c.dataset for c in cells if not c.complete):
        print(f"{dataset}: only a part of its images was measured.", file=sys.stderr)
    if args.json:
        result = Result(
            task=task.name,
            variant=variant,
            self_ensemble=args.self_ensemble,
            weights_sha256=card.restorer_sha256,
            machine=describe_machine(pipeline.engine),
            seconds=seconds,
            cells=tuple(cells),
        )
        result.write(args.json)
    for blind, folder in work.submitted:
        if args.submission is None:
            print(f"{blind.name}: its ground truth is not public; --submission DIR writes the files to submit.")
            continue
        out = args.submission / blind.name
        submit_blocks(blind, folder, out, restore, f"VDIR {card.name}", f"{card.name} {blind.name}")
        print(f"{blind.name}: written to {out}; send {blind.sent}.")
    return 0


class _Once:
    """Restoration and estimate of an image from one pass of the networks. Both are requested one after the other."""

    def __init__(self, pipeline: Pipeline, self_ensemble: bool, direct: bool) -> None:
        self._pipeline = partial(pipeline, self_ensemble=self_ensemble, direct=direct, tile=TILE)
        self._last: tuple[Image, Restoration] | None = None

    def restore(self, y: Image) -> NDArray[Any]:
        restored: NDArray[Any] = self._pass(y).image
        return restored

    def estimate(self, y: Image) -> NDArray[Any]:
        found = self._pass(y).estimate
        assert found is not None  # called only if there is an estimator
        return found

    def _pass(self, y: Image) -> Restoration:
        if self._last is None or self._last[0] is not y:
            self._last = y, self._pipeline(y)
        return self._last[1]


class _Work(NamedTuple):
    """The selected benchmarks whose data is present."""

    benchmarks: list[Benchmark]
    measured: list[tuple[MeasuredBlocks, Path]]
    submitted: list[tuple[SubmittedBlocks, Path]]


def _find(args: argparse.Namespace, task: Task) -> _Work:
    """Select the benchmarks. For tasks with block benchmarks, missing data is skipped and reported."""
    from undegrade.data.block_benchmark import MeasuredBlocks, SubmittedBlocks
    from undegrade.data.catalogue import images
    from undegrade.errors import UndegradeError

    names = list(dict.fromkeys([b.dataset.name for b in task.benchmarks] + [b.name for b in task.blocks]))
    unknown = sorted(set(args.datasets or names) - set(names))
    if unknown:
        raise UndegradeError(f"{task.name} is not measured on {', '.join(unknown)}; choose from {', '.join(names)}.")
    selected = args.datasets or names
    cases = list(dict.fromkeys(b.case for b in task.benchmarks))
    unknown = sorted(set(args.cases or cases) - set(cases))
    if unknown:
        raise UndegradeError(f"{task.name} has no case {', '.join(unknown)}; choose from {', '.join(cases)}.")
    of_cases = [b for b in task.benchmarks if b.case in (args.cases or cases)]
    work = _Work([b for b in of_cases if b.dataset.name in selected], [], [])
    if args.cases and not work.benchmarks:
        raise UndegradeError(f"{task.name} has these cases only on other datasets; leave out --datasets or --cases.")
    if args.submission is not None and not any(isinstance(b, SubmittedBlocks) for b in task.blocks):
        raise UndegradeError(f"no benchmark of {task.name} takes submissions; leave out --submission.")
    if args.submission is not None and args.limit is not None:
        raise UndegradeError("a submission needs all blocks; leave out --limit.")
    if not task.blocks:
        return work
    absent = []
    for dataset in dict.fromkeys(b.dataset for b in work.benchmarks):
        try:
            images(dataset, args.benchmarks)
        except UndegradeError as error:
            absent.append(str(error))
            work.benchmarks[:] = [b for b in work.benchmarks if b.dataset != dataset]
    for blocks in (b for b in task.blocks if b.name in selected):
        folder = blocks.find(args.benchmarks)
        if folder is None:
            absent.append(blocks.missing(args.benchmarks))
        elif isinstance(blocks, MeasuredBlocks):
            work.measured.append((blocks, folder))
        elif isinstance(blocks, SubmittedBlocks):
            work.submitted.append((blocks, folder))
    if absent and (args.datasets or not any(work)):
        raise UndegradeError(" ".join(absent))
    for sentence in absent:
        print(sentence, file=sys.stderr)
    return work


def _load(args: argparse.Namespace, task: Task) -> tuple[Pipeline, str]:
    """The pipeline and the variant's name for the results.

    Weights of another task can be measured too. On photographs, any weights can; on synthetic damage, only weights
    trained for the same class of degradation, e.g. the colour JPEG model on grey images.
    """
    from undegrade.errors import UndegradeError
    from undegrade.inference.load import load_pipeline
    from undegrade.tasks import TASKS

    name = task.name if args.weights is None else None
    pipeline = load_pipeline(name, args.variant, weights=args.weights, device=args.device, half=args.half)
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
    machine = {"cpu": _cpu_name(), "engine": engine.software}
    if engine.device.startswith("cuda"):
        import torch

        machine["gpu"] = torch.cuda.get_device_name(engine.device)
    if engine.half:
        machine["precision"] = "half precision"
    return machine


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
