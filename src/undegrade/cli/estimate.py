"""``undegrade estimate``: estimate the degradation of pictures without restoring them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.cli import interrupts, piped, streams
from undegrade.cli.arguments import a_path, add_model
from undegrade.cli.colour import Style
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from undegrade.files.plan import Pictures
    from undegrade.files.readings import Reading
    from undegrade.inference.pipeline import Pipeline

HELP = (
    "estimate noise level, grain, JPEG quality or blur of picture files, with an interval that holds the truth with 90 "
    "percent where that was measured; else the number after +- is the posterior standard deviation"
)


EXAMPLES = """examples:
  undegrade estimate photo.jpg                           noise level, grain and JPEG quality
  undegrade estimate photos --json found.jsonl           of all pictures of a folder, also as lines of JSON
  undegrade estimate - < photo.jpg                       of standard input
  undegrade estimate --task sr-x2 small.png              the blur kernel, drawn as text
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        type=a_path,
        nargs="+",
        metavar="INPUT",
        help="pictures, and folders to search with their subfolders; - for standard input",
    )
    add_model(parser, "the task of --weights, else universal")
    parser.add_argument(
        "--json", type=a_path, metavar="FILE", help="append one line of JSON for each file to FILE, - for stdout"
    )
    parser.add_argument(
        "--kernels",
        type=a_path,
        metavar="DIR",
        help="write blur kernels to pictures NAME-TASK-kernel.png in DIR, each weight 16 x 16 pixels",
    )


def run(args: argparse.Namespace) -> int:
    """Print the estimates of each file; 0 if all files could be read, 1 if some could not.

    Raises:
        UndegradeError: no weights, no pictures, or the task has no estimator.
    """
    from undegrade.inference.machine import keep_numpy_to_one_thread

    keep_numpy_to_one_thread()
    from undegrade.files.plan import Pictures, pictures_in
    from undegrade.inference.load import load_pipeline

    if piped.STREAM in args.inputs and len(args.inputs) > 1:
        raise UndegradeError(f"- stands for one picture, but there are {len(args.inputs)} inputs; give one of them.")
    reader = load_pipeline(args.task, args.variant, args.weights, args.device, threads=args.threads)
    if reader.quantity is None:
        raise UndegradeError(f"the model for {reader.task.name} gives no estimate; use another task.")
    if args.inputs == [piped.STREAM]:
        with piped.received() as source:
            return _estimate(args, reader, Pictures((source,)), {source: "-"})
    return _estimate(args, reader, pictures_in(args.inputs), {})


def _estimate(args: argparse.Namespace, reader: Pipeline, found: Pictures, names: dict[Path, str]) -> int:
    """Print the estimates of each file; see :func:`run`.

    Args:
        args: of the command.
        reader: the pipeline.
        found: the files.
        names: what a file is called instead of its path.
    """
    from undegrade.cli.reporting import open_records, write_record
    from undegrade.files.ignored import in_words

    files, unread = found.files, found.unread
    records = None if args.json is None else open_records(args.json, files)
    out = sys.stderr if records is sys.stdout else sys.stdout
    failed = len(unread)
    for folder, reason in unread:
        streams.say(f"undegrade estimate: {folder}: cannot be searched ({reason}); check its permissions.", sys.stderr)
    for file in files:
        name = names.get(file, str(file))
        record: dict[str, Any] = {"source": name, "reason": None}
        try:
            for line in _lines(file, name, reader, args.kernels, record):
                streams.say(line, out, name, Style.NAME)
        except UndegradeError as error:
            failed += 1
            interrupts.check()
            record["reason"] = reason = str(error).replace(str(file), name)
            streams.say(f"undegrade estimate: {reason}", sys.stderr, "undegrade estimate:", Style.ERROR)
        if records is not None:
            try:
                write_record(record, records)
            except UndegradeError as error:
                streams.say(f"undegrade estimate: {error}", sys.stderr, "undegrade estimate:", Style.ERROR)
                return 1
    if found.ignored:
        streams.say(f"{found.ignored.total()} ignored ({in_words(found.ignored)})", sys.stderr)
    return 1 if failed else 0


def _lines(file: Path, name: str, reader: Pipeline, kernels: Path | None, record: dict[str, Any]) -> Iterator[str]:
    """What is printed for a file of this name; the same is added to its record."""
    from undegrade import image
    from undegrade.degrade.blur import Kernel, kernel_of
    from undegrade.files.readings import readings_of

    picture = image.read(file)
    record["height"], record["width"] = picture.pixels.shape[:2]
    record["format"], record["quality"] = str(picture.format), picture.quality
    if picture.quality is not None:
        yield f"{name}: JPEG quality from the header {picture.quality}"
    found = reader.estimate_map(picture.visible)
    quantity = reader.quantity
    assert quantity is not None  # checked by run()
    record["task"], record["variant"] = reader.task.name, None if reader.card is None else reader.card.variant
    readings = list(readings_of(reader, found))
    record["found"] = [reading.to_record() for reading in readings]
    if not isinstance(quantity, Kernel):
        for reading in readings:
            yield f"{name}: {_sentence(reading)}"
        return
    record["kernel"] = found.estimate.tolist()
    spread = f"{found.spread.mean():.{max(quantity.digits, 2)}f} at each position"
    yield f"{name}: {quantity.words(found.estimate.tolist())}, +- {spread}"
    for reading in readings:
        if reading.interval is not None:
            yield f"{name}: {_sentence(reading)}"
    k = kernel_of(found.estimate.tolist())
    yield from drawn(k).splitlines()
    if kernels is not None:
        yield f"-> {_write(k, kernels / f'{file.stem}-{reader.task.name}-kernel.png')}"


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


def _sentence(reading: Reading) -> str:
    """One number, how sure it is, where it lies over the picture, and what that means.

    How sure: a 90 % interval where the model's were measured, else the posterior standard deviation at one place.
    """
    digits = reading.digits
    unit = f"{reading.unit}; " if reading.unit else ""
    words = f"; {reading.words}" if reading.words else ""
    sure = f" +- {reading.spread:.{digits}f}"
    if reading.interval is not None:
        sure = f", 90 % interval {reading.interval[0]:.{digits}f} to {reading.interval[1]:.{digits}f}"
    return (
        f"{reading.name} {reading.value:.{digits}f}{sure} ({unit}10th to 90th percentile over "
        f"the picture: {reading.low:.{digits}f} to {reading.high:.{digits}f}){words}"
    )
