"""``vdir estimate``: what is wrong with pictures, without restoring them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vdir.errors import VdirError

HELP = "say what is wrong with picture files: noise level, JPEG quality or blur, and how sure that is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="pictures")
    parser.add_argument("--task", default=None, metavar="T", help="whose estimator (default: gaussian)")
    parser.add_argument("--variant", choices=("full", "fast"), help="default: the best that is shipped")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a safetensors file with its card beside it")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    """Print a line for each file; 0 if all could be read, 1 if some could not.

    Raises:
        VdirError: nothing can be started: no weights, or a task without an estimator.
    """
    import numpy as np

    from vdir import image
    from vdir.files import estimate_of
    from vdir.pipeline import load_pipeline

    pipeline = load_pipeline(args.task, args.variant, args.weights, args.device)
    if pipeline.task.degradation is None:
        raise VdirError(f"the task {pipeline.task.name} has no estimate to give; use another task.")
    failed = 0
    for file in args.files:
        try:
            pixels = image.read(file).pixels
            found = estimate_of(pipeline, *pipeline.estimate_with_spread(pixels))
            assert found is not None
            if len(found.values) == 1:
                low, high = np.percentile(pipeline.estimate_map(pixels)[0], (10, 90))
                numbers = f"{found.values[0]:.1f} +- {found.spread[0]:.1f} ({found.unit}; "
                numbers += f"{low:.1f} in the lowest tenth of the picture, {high:.1f} in the highest)"
            else:
                numbers = " ".join(f"{v:.4f}" for v in found.values)
            print(f"{file}: {found.name} {numbers}", flush=True)
        except VdirError as error:
            failed += 1
            print(f"vdir estimate: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0
