"""``undegrade evaluate``: measure a model, ours or another, on the paper's benchmarks or on one's own pictures."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from undegrade.cli.arguments import TASK_NAMES, Whole, a_path, add_benchmarks, add_draft, add_variant
from undegrade.reading import printable

if TYPE_CHECKING:
    from undegrade.data.benchmark import Benchmark
    from undegrade.data.block_benchmark import MeasuredBlocks, SubmittedBlocks
    from undegrade.tasks import Task

HELP = "measure a model, ours or another, on the paper's benchmarks or on your own pictures"


EXAMPLES = """examples:
  undegrade evaluate gaussian --benchmarks sets                                  Table I
  undegrade evaluate jpeg --benchmarks sets --datasets LIVE1 --json live1.json   one dataset; all values as JSON
  undegrade evaluate gaussian --folder clean-photos                              noise is added to your pictures
  undegrade evaluate real --pairs noisy clean                                    your noisy pictures beside clean ones
  undegrade evaluate gaussian --benchmarks sets --onnx other.onnx                another network in the same tables
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help=f"one of {', '.join(TASK_NAMES)}")
    pictures = parser.add_argument_group("pictures").add_mutually_exclusive_group(required=True)
    add_benchmarks(pictures, required=False)
    pictures.add_argument(
        "--folder", type=a_path, metavar="CLEAN", help="your own clean pictures, degraded as in the task's validation"
    )
    pictures.add_argument(
        "--pairs", type=a_path, nargs=2, metavar=("NOISY", "CLEAN"), help="two folders with pictures of the same names"
    )
    cells = parser.add_argument_group("cells")
    cells.add_argument("--datasets", nargs="+", metavar="NAME", help="only these datasets, e.g. --datasets Kodak24")
    cells.add_argument(
        "--cases",
        nargs="+",
        metavar="CASE",
        help="only these cases: of gaussian: sigma 10, sigma 30, "
        "sigma 50, ...; of jpeg: QF 10, QF 20, ...; of sr-x2: x2 g_2.0, x2 bicubic, ...; any "
        'other word lists those of the task. Quote them: --cases "sigma 30" "sigma 50"',
    )
    cells.add_argument("--limit", type=Whole("--limit", 1), metavar="N", help="only the first N images of each dataset")
    model = parser.add_argument_group("model")
    add_variant(model)
    model.add_argument(
        "--half", action="store_true", help="half precision, as in undegrade restore; noted in the JSON file"
    )
    add_draft(model)
    model.add_argument("--self-ensemble", action="store_true", help="mean over eight flips and rotations")
    other = parser.add_argument_group("another network instead")
    other = other.add_mutually_exclusive_group()
    other.add_argument(
        "--onnx", type=a_path, metavar="FILE", help="one input, float32 (N, 3, any height, any width), RGB in [0, 1]; "
        "its first output is the restored picture",
    )  # fmt: skip
    other.add_argument(
        "--module", metavar="MODULE:FUNCTION", help="a Python function: array (H, W, 3), float32 RGB in [0, 1], to the "
        "restored one",
    )  # fmt: skip
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
    from undegrade.cli.measured import choose_method
    from undegrade.errors import UndegradeError
    from undegrade.evaluation.calibrate import bicubic
    from undegrade.evaluation.evaluate import Cell, evaluate, evaluate_blocks, report, submit_blocks
    from undegrade.evaluation.own_pictures import evaluate_pairs
    from undegrade.evaluation.paper import paper
    from undegrade.evaluation.results import Result
    from undegrade.tasks import task_named

    task = task_named(args.task)
    if args.json is not None and args.weights is not None and args.json == args.weights.with_suffix(".json"):
        raise UndegradeError(f"{args.json} is the card of the weights; write the numbers to another file.")
    work = _find(args, task)
    if args.self_ensemble and task.degradation.scale > 1 and any(b.direct for b in work.benchmarks):
        ordinary = " ".join(dict.fromkeys(f'"{b.case}"' for b in task.benchmarks if not b.direct))
        raise UndegradeError(
            "--self-ensemble does not work with direct decimation, since a flip moves the grid; "
            + (f"add --cases {ordinary}." if args.benchmarks is not None else "leave it out.")
        )
    method = choose_method(args, task)

    start = time.monotonic()
    cells: list[Cell] = []
    for direct in (True, False):
        same_grid = [b for b in work.benchmarks if b.direct == direct]
        restore, estimate = method.on_grid(direct)
        cells += evaluate(
            same_grid,
            task.protocol,
            restore,
            work.folder,
            estimate=estimate,
            bicubic=bicubic(task.degradation.scale) if task.degradation.scale > 1 else None,
            limit=args.limit,
            progress=method.name if same_grid else None,
        )
    if work.pairs:
        # Ordinary pictures: nobody's camera decimates directly.
        restore, _ = method.on_grid(task.degradation.scale == 1)
        name = printable(args.pairs[1].resolve().name)
        cells.append(evaluate_pairs(work.pairs, name, task.protocol, restore, limit=args.limit, progress=method.name))
    restore, _ = method.on_grid(True)
    for blocks, folder in work.measured:
        name = f"{method.name} {blocks.name}"
        cells.append(evaluate_blocks(blocks, folder, task.protocol, restore, limit=args.limit, progress=name))
    seconds = time.monotonic() - start
    if cells:
        print(report(cells, task.protocol, paper()))
    for dataset in dict.fromkeys(c.dataset for c in cells if not c.complete):
        print(f"{dataset}: only a part of its images was measured.", file=sys.stderr)
    if args.json:
        result = Result(
            task=task.name,
            variant=method.variant,
            self_ensemble=args.self_ensemble,
            weights_sha256=method.sha256,
            machine=method.machine,
            seconds=seconds,
            cells=tuple(cells),
        )
        result.write(args.json)
    for blind, folder in work.submitted:
        if args.submission is None:
            print(f"{blind.name}: its ground truth is not public; --submission DIR writes the files to submit.")
            continue
        out = args.submission / blind.name
        submit_blocks(blind, folder, out, restore, method.title, f"{method.name} {blind.name}")
        print(f"{blind.name}: written to {printable(out)}; send {blind.sent}.")
    return 0


class _Work(NamedTuple):
    """The selected benchmarks whose data is present, and the user's own pictures.

    Attributes:
        folder: holds the folders of the benchmarks' datasets.
        pairs: of own pictures, (clean, noisy).
    """

    folder: Path
    pairs: list[tuple[Path, Path]]
    benchmarks: list[Benchmark]
    measured: list[tuple[MeasuredBlocks, Path]]
    submitted: list[tuple[SubmittedBlocks, Path]]


def _own(args: argparse.Namespace, task: Task) -> _Work:
    """The user's own pictures."""
    from undegrade.errors import UndegradeError
    from undegrade.evaluation.own_pictures import folder_benchmarks, folder_pairs

    for name in ("datasets", "submission"):
        if getattr(args, name) is not None:
            raise UndegradeError(f"--{name} is for benchmarks; leave it out.")
    if args.pairs is not None:
        if args.cases is not None:
            raise UndegradeError("pairs are degraded already; leave out --cases.")
        return _Work(args.pairs[1], folder_pairs(task, *args.pairs), [], [], [])
    own = folder_benchmarks(task, args.folder)
    unknown = sorted(set(args.cases or ()) - {b.case for b in own})
    if unknown:
        known = ", ".join(b.case for b in own)
        raise UndegradeError(f"{task.name} has no case {', '.join(unknown)} for a folder; choose from {known}.")
    return _Work(args.folder, [], [b for b in own if b.case in (args.cases or [b.case])], [], [])


def _find(args: argparse.Namespace, task: Task) -> _Work:
    """Select the benchmarks. For tasks with block benchmarks, missing data is skipped and reported."""
    from undegrade.data.block_benchmark import MeasuredBlocks, SubmittedBlocks
    from undegrade.data.catalogue import images
    from undegrade.errors import UndegradeError

    if args.benchmarks is None:
        return _own(args, task)
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
    work = _Work(args.benchmarks, [], [b for b in of_cases if b.dataset.name in selected], [], [])
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
    if absent and (args.datasets or not any(work[1:])):
        raise UndegradeError(" ".join(absent))
    for sentence in absent:
        print(printable(sentence), file=sys.stderr)
    return work
