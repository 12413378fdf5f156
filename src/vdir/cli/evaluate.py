"""``vdir evaluate``: measure a model on the paper's benchmarks."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

HELP = "measure a model on the paper's benchmarks (needs the benchmark images)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="what the model repairs, e.g. gaussian")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the benchmark datasets")
    parser.add_argument("--variant", metavar="V", help="restorer of the task (default: the best)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="default: the weights of the package")
    parser.add_argument("--self-ensemble", action="store_true", help="mean over eight flips and rotations")
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help="only these, e.g. --datasets Kodak24")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each dataset")
    parser.add_argument("--device", metavar="D", help="default: cuda if there is one, else cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of every image to this file")


def run(args: argparse.Namespace) -> int:
    """Print ours beside the paper's; always 0 if everything could be measured."""
    from vdir.errors import VdirError
    from vdir.evaluate import evaluate, report
    from vdir.paper import paper
    from vdir.pipeline import load_pipeline
    from vdir.results import Result
    from vdir.tasks import TASKS

    if args.task not in TASKS:
        raise VdirError(f"there is no task {args.task!r}; choose from {', '.join(TASKS)}.")
    task = TASKS[args.task]
    names = list(dict.fromkeys(b.dataset.name for b in task.benchmarks))
    unknown = sorted(set(args.datasets or names) - set(names))
    if unknown:
        raise VdirError(f"{task.name} is not measured on {', '.join(unknown)}; choose from {', '.join(names)}.")
    if args.limit is not None and args.limit < 1:
        raise VdirError("--limit must be at least 1.")
    benchmarks = [b for b in task.benchmarks if b.dataset.name in (args.datasets or names)]
    pipeline = load_pipeline(task.name, args.variant, weights=args.weights, device=args.device)
    card = pipeline.card
    assert card is not None  # a loaded pipeline has one

    start = time.monotonic()
    cells = evaluate(
        benchmarks,
        task.protocol,
        lambda y: pipeline.restore(y, self_ensemble=args.self_ensemble),
        args.data,
        estimate=pipeline.estimate if pipeline.quantity is not None else None,
        limit=args.limit,
        progress=card.name,
    )
    seconds = time.monotonic() - start
    print(report(cells, task.protocol, paper()))
    for dataset in dict.fromkeys(c.dataset for c in cells if not c.complete):
        print(f"{dataset}: not all of its images were measured.", file=sys.stderr)
    if args.json:
        result = Result(
            task=task.name,
            variant=card.variant,
            self_ensemble=args.self_ensemble,
            weights_sha256=card.sha256,
            machine=describe_machine(pipeline.device),
            seconds=seconds,
            cells=tuple(cells),
        )
        result.write(args.json)
    return 0


def describe_machine(device: torch.device) -> dict[str, str]:
    """What a measurement ran on: names of the CPU, of the GPU if it was used, and PyTorch's version."""
    import torch

    machine = {"cpu": _cpu_name(), "torch": f"PyTorch {torch.__version__}"}
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
    return machine


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
