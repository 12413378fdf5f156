"""``undegrade estimate``: estimate the degradation of pictures without restoring them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli import interrupts, streams
from undegrade.cli.arguments import a_path, add_model
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from undegrade.inference.options import EstimateMap
    from undegrade.inference.pipeline import Pipeline

HELP = "estimate noise level, JPEG quality and blur of picture files, with the posterior standard deviation"


EXAMPLES = """examples:
  undegrade estimate photo.jpg                           all estimates of the shipped models
  undegrade estimate --task sr-x2 small.png              the blur kernel, drawn as text
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=a_path, nargs="+", metavar="FILE", help="pictures")
    add_model(parser, "the task of --weights, else all tasks with an estimator")
    parser.add_argument(
        "--kernels",
        type=a_path,
        metavar="DIR",
        help="write blur kernels to pictures NAME-TASK-kernel.png in DIR, each weight 16 x 16 pixels",
    )


def run(args: argparse.Namespace) -> int:
    """Print the estimates of each file; 0 if all files could be read, 1 if some could not.

    With ``--task`` or ``--weights``, blur kernels are also drawn as text.

    Raises:
        UndegradeError: no weights, or the task has no estimator.
    """
    from undegrade import image
    from undegrade.degrade.blur import Kernel, kernel_of
    from undegrade.inference.load import load_pipeline
    from undegrade.weights.card import shipped_cards

    everything = sorted({card.task for card in shipped_cards() if args.variant in (None, card.variant)})
    tasks = everything if args.task is None and args.weights is None else [args.task]
    pipelines = [load_pipeline(task, args.variant, args.weights, args.device, threads=args.threads) for task in tasks]
    readers = [pipeline for pipeline in pipelines if pipeline.quantity is not None]
    if not readers:
        which = pipelines[0].task.name if pipelines else args.variant
        raise UndegradeError(f"the model for {which} gives no estimate; use another task.")
    kinds = Counter(reader.quantity for reader in readers)
    failed = 0
    for file in args.files:
        try:
            picture = image.read(file)
            if picture.quality is not None:
                streams.say(f"{file}: JPEG quality from the header {picture.quality}", sys.stdout)
            for reader in readers:
                found = reader.estimate_map(picture.pixels)
                # Two models see the same blur on different grids: say which of them read what.
                of = f" (for {reader.task.name})" if kinds[reader.quantity] > 1 else ""
                streams.say(f"{file}: {_sentence(reader, found)}{of}", sys.stdout)
                if isinstance(reader.quantity, Kernel):
                    k = kernel_of(found.estimate.tolist())
                    if tasks != everything:
                        for row in drawn(k).splitlines():
                            streams.say(row, sys.stdout)
                    if args.kernels is not None:
                        path = args.kernels / f"{file.stem}-{reader.task.name}-kernel.png"
                        streams.say(f"-> {_write(k, path)}", sys.stdout)
        except UndegradeError as error:
            failed += 1
            interrupts.check()
            streams.say(f"undegrade estimate: {error}", sys.stderr)
    return 1 if failed else 0


SHADES = " .:-=+*#%@"
"""Characters from weight 0 to the largest weight."""
_MAGNIFIED = 16


def drawn(k: NDArray[np.float64]) -> str:
    """A kernel as text for terminals and logs; two characters for each weight, which looks about square."""
    import numpy as np

    level = np.rint(k / k.max() * (len(SHADES) - 1)).astype(int)
    inside = np.nonzero(level.any(0) | level.any(1))[0]  # crop to the centred square that is not empty
    kept = slice(inside.min(), inside.max() + 1)
    return "\n".join("    " + "".join(2 * SHADES[i] for i in row).rstrip() for row in level[kept, kept])


def _write(k: NDArray[np.float64], path: Path) -> Path:
    """A kernel as a picture, its largest weight white."""
    import numpy as np

    from undegrade import image

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UndegradeError(
            f"{path.parent}: the folder cannot be created ({error.strerror}); use another --kernels."
        ) from error
    pixels = np.rint(k / k.max() * 255).astype(np.uint8)
    image.write(path, image.Picture(pixels.repeat(_MAGNIFIED, 0).repeat(_MAGNIFIED, 1)), image.Format.PNG)
    return path


def _sentence(reader: Pipeline, found: EstimateMap) -> str:
    """The estimate of one task and its posterior standard deviation, in words."""
    import numpy as np

    quantity = reader.quantity
    assert quantity is not None
    if quantity.size > 1:
        spread = f"{found.spread.mean():.{max(quantity.digits, 2)}f} at each position"
        return f"{quantity.words(found.estimate.tolist())}, +- {spread}"
    low, high = np.percentile(found.map[0], (10, 90))
    return (
        f"{quantity.name} {found.estimate[0]:.1f} +- {found.spread[0]:.1f} ({quantity.unit}; "
        f"10th to 90th percentile over the picture: {low:.1f} to {high:.1f})"
    )
