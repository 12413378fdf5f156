"""``vdir restore``: better pictures from files, and a line about what was wrong with each."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vdir.errors import VdirError

if TYPE_CHECKING:
    from vdir.pipeline import Pipeline, Restoration

HELP = "restore picture files and say what was wrong with them"
BIG = 4_000_000
"""From this many pixels on a progress bar is worth its line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="PNG, JPEG, WebP or TIFF pictures")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("restored"),
        metavar="OUT",
        help="folder for the results, or for one FILE a picture's name (default: the folder restored)",
    )
    parser.add_argument(
        "--task", metavar="T", help="what to repair, by name (default: what --weights are for, else gaussian)"
    )
    parser.add_argument("--variant", choices=("full", "fast"), help="default: the best that is shipped")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a safetensors file with its card beside it")
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="average over 8 flips and rotations: better, 8 times slower",
    )
    parser.add_argument(
        "--tile", type=int, metavar="N", help="largest side of a tile; changes memory, never the result"
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    """Restore every file; 0 if all went well, 1 if some failed.

    Raises:
        VdirError: nothing can be started: no weights, or outputs that would overwrite inputs or each other.
    """
    outputs = plan(args.files, args.output)
    from vdir.pipeline import load_pipeline

    pipeline = load_pipeline(args.task, args.variant, args.weights, args.device)
    if args.tile is not None and args.tile < 4:
        raise VdirError(f"--tile {args.tile} is too small; give at least 4, or leave it out.")
    failed = 0
    for source, output in zip(args.files, outputs, strict=True):
        try:
            print(_restore(pipeline, source, output, args.self_ensemble, args.tile), flush=True)
        except VdirError as error:
            failed += 1
            print(f"vdir restore: {error}", file=sys.stderr, flush=True)
        except MemoryError:
            failed += 1
            print(f"vdir restore: {source}: not enough memory; use a smaller --tile.", file=sys.stderr)
    if failed:
        print(f"vdir restore: {failed} of {len(args.files)} files failed", file=sys.stderr)
    return 1 if failed else 0


def plan(files: Sequence[Path], output: Path) -> list[Path]:
    """Where each file's result goes.

    Raises:
        VdirError: a result would replace an input, or another result.
    """
    from vdir.image import Format

    if Format.of_name(output) is not None and not output.is_dir():
        if len(files) > 1:
            raise VdirError(f"{output} is one file, but there are {len(files)} inputs; name a folder with -o.")
        outputs = [output]
    else:
        outputs = [output / file.name for file in files]
    inputs = {file.resolve() for file in files}
    taken: dict[Path, Path] = {}
    for file, result in zip(files, outputs, strict=True):
        place = result.resolve()
        if place in inputs:
            raise VdirError(f"{result} is an input and would be overwritten; name another folder with -o.")
        if place in taken:
            raise VdirError(f"{taken[place]} and {file} would both be written to {result}; restore them apart.")
        taken[place] = file
    return outputs


def _restore(pipeline: Pipeline, source: Path, output: Path, self_ensemble: bool, tile: int | None) -> str:
    """Restore one file and describe it in a line."""
    from vdir import image

    started = time.perf_counter()
    picture = image.read(source)
    h, w = picture.pixels.shape[:2]
    # A name that asks for a format gets it; any other name gets the format that came in.
    format = image.Format.of_name(output) if output.name != source.name else None
    image.check_fits(output, picture, format or picture.format)
    found = _with_progress(
        source.name,
        h * w,
        lambda report: pipeline(picture.pixels, self_ensemble=self_ensemble, tile=tile, progress=report),
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VdirError(f"{output.parent}: cannot be made a folder ({error.strerror}); use another -o.") from error
    image.write(output, picture.with_pixels(found.image), format)
    kind = f"{picture.bits}-bit {'grey' if picture.pixels.ndim == 2 else 'colour'} {picture.format.upper()}"
    seen = f"{w} x {h}, {kind}{_estimated(pipeline, found)}"
    weights = f" with {pipeline.card.name}" if pipeline.card is not None else ""
    return f"{source}: {seen}; restored{weights} in {time.perf_counter() - started:.1f} s -> {output}"


def _estimated(pipeline: Pipeline, found: Restoration) -> str:
    """E.g. ``; estimated noise level 23.4 (8-bit levels)``."""
    if found.estimate is None or pipeline.task.degradation is None:
        return ""
    quantity = pipeline.task.degradation.quantity
    numbers = ", ".join(f"{value:.1f}" for value in found.estimate)
    return f"; estimated {quantity.name} {numbers} ({quantity.unit})"


def _with_progress(
    name: str, pixels: int, work: Callable[[Callable[[float], None] | None], Restoration]
) -> Restoration:
    """Do the work, under a progress bar if it is long and someone is watching."""
    if pixels < BIG or not sys.stderr.isatty():
        return work(None)
    from tqdm import tqdm

    with tqdm(total=100, desc=name, unit="%", leave=False, bar_format="{l_bar}{bar}| {elapsed} < {remaining}") as bar:

        def report(fraction: float) -> None:
            bar.update(100 * fraction - bar.n)

        return work(report)
