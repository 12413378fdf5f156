"""``vdir estimate``: what is wrong with pictures, without restoring them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vdir.errors import VdirError

if TYPE_CHECKING:
    from vdir.image import Picture
    from vdir.pipeline import Pipeline

HELP = "say what is wrong with picture files: noise level, JPEG quality or blur, and how sure that is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="pictures")
    parser.add_argument("--task", metavar="T", help="whose estimator (default: what --weights are for, else all)")
    parser.add_argument("--variant", choices=("full", "fast"), help="default: the best that is shipped")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a safetensors file with its card beside it")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    """Print a line for each file; 0 if all could be read, 1 if some could not.

    Raises:
        VdirError: nothing can be started: no weights, or a task without an estimator.
    """
    from vdir import image
    from vdir.hub import shipped
    from vdir.pipeline import load_pipeline

    if args.task is None and args.weights is None:
        tasks = sorted({card.task for card in shipped() if args.variant in (None, card.variant)})
    else:
        tasks = [args.task]
    pipelines = [load_pipeline(task, args.variant, args.weights, args.device) for task in tasks]
    readers = [pipeline for pipeline in pipelines if pipeline.quantity is not None]
    if not readers:
        which = pipelines[0].task.name if pipelines else args.variant
        raise VdirError(f"the task {which} has no estimate to give; use another one.")
    failed = 0
    for file in args.files:
        try:
            picture = image.read(file)
            if picture.quality is not None:
                print(f"{file}: JPEG quality by its header {picture.quality}", flush=True)
            for reader in readers:
                print(f"{file}: {_sentence(reader, picture)}", flush=True)
        except VdirError as error:
            failed += 1
            print(f"vdir estimate: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _sentence(reader: Pipeline, picture: Picture) -> str:
    """What one estimator sees, and how sure that is."""
    import numpy as np

    quantity = reader.quantity
    assert quantity is not None
    survey = reader.survey(picture.pixels)
    if quantity.size > 1:
        return f"{quantity.name} {' '.join(f'{value:.4f}' for value in survey.estimate)}"
    low, high = np.percentile(survey.map[0], (10, 90))
    return (
        f"{quantity.name} {survey.estimate[0]:.1f} +- {survey.spread[0]:.1f} ({quantity.unit}; "
        f"{low:.1f} in the lowest tenth of the picture, {high:.1f} in the highest)"
    )
