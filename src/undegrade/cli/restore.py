"""``undegrade restore``: restore picture files and folders of them, and report the estimated degradation of each."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli import interrupts, streams
from undegrade.cli.arguments import a_path, add_model
from undegrade.cli.reporting import Report, open_records
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.plan import Plan
    from undegrade.files.restore_file import FileOptions
    from undegrade.inference.arrays import Image
    from undegrade.inference.pipeline import Pipeline

HELP = "restore picture files and folders of them, and report the estimated degradation of each"


EXAMPLES = """examples:
  undegrade restore photo.jpg scan.tif -o better          select a task for each picture; write to the folder better
  undegrade restore photos -o clean --skip-existing       a folder and its subfolders; run again to continue
  undegrade restore night.png -o less.png --strength 0.5  remove half as much
  undegrade restore small.png -o large.png --task sr-x2   twice the resolution
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        type=a_path,
        nargs="+",
        metavar="INPUT",
        help="pictures, and folders to search with their subfolders (no hidden files, no links to folders)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "-o",
        "--output",
        type=a_path,
        default=Path("restored"),
        metavar="OUT",
        help="output folder; for one input also the name of a picture file (default: the folder restored)",
    )
    files.add_argument(
        "--name",
        metavar="TEMPLATE",
        help="names of the results, with the fields {stem}, {suffix}, {task} and {variant}: {stem}-clean{suffix} keeps "
        "each format, {stem}.png writes PNG",
    )
    files.add_argument(
        "--skip-existing", action="store_true", help="keep results that exist: continues a batch that was stopped"
    )
    files.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out metadata (place, camera, comments); the colour profile stays",
    )
    files.add_argument(
        "--json",
        type=a_path,
        metavar="FILE",
        help="append one line of JSON for each file to FILE (see docs/restore.md), - for stdout",
    )
    add_model(parser, "the task of --weights, else selected for each picture; clean pictures are left alone", half=True)
    result = parser.add_argument_group("result")
    result.add_argument(
        "--strength", type=float, default=1.0, metavar="S",
        help="how much to remove: 0 nothing, 1 the model's own result, up to 4 (default: 1)",
    )  # fmt: skip
    level = result.add_mutually_exclusive_group()
    level.add_argument(
        "--sigma", type=float, metavar="N", help="replace the estimated noise level, in 8-bit levels (0 to 255)"
    )
    level.add_argument("--quality", type=float, metavar="Q", help="replace the estimated JPEG quality (1 to 100)")
    result.add_argument(
        "--self-ensemble", action="store_true", help="mean over 8 flips and rotations: better, 8 times slower"
    )
    result.add_argument(
        "--samples", type=int, default=0, metavar="N",
        help="draw N latents from the posterior; write the mean of the N restorations, and their standard deviation to "
        "a picture NAME-std.png",
    )  # fmt: skip
    result.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the samples (default: 0)")
    result.add_argument(
        "--white", type=float, metavar="N",
        help="of 16-bit pictures: the value that is white, 1 to 65535 (default: 65535, or what the picture uses where "
        "that is less than a quarter of it)",
    )  # fmt: skip
    limits = parser.add_argument_group("memory and limits")
    limits.add_argument(
        "--memory", type=float, metavar="GB", help="memory for the networks; sets the tile size, not with --tile"
    )
    limits.add_argument("--tile", type=int, metavar="N", help="largest side of a tile: changes memory, not the result")
    limits.add_argument(
        "--max-pixels", type=float, metavar="M", help="refuse pictures of more than M million pixels (default: 500)"
    )


def run(args: argparse.Namespace) -> int:
    """Restore every file; 0 if all succeeded, 1 if some failed, 130 if interrupted.

    Raises:
        UndegradeError: no weights, no pictures, or a result would overwrite an input or another result.
    """
    options = _options(args)
    if args.half and args.device in (None, "cpu"):
        from undegrade.inference.engines import default_device
        from undegrade.inference.machine import multiplies_bfloat16

        if (args.device or default_device()) == "cpu" and not multiplies_bfloat16():
            streams.say(
                "undegrade restore: this CPU would be slower in half precision; --half is left out.", sys.stderr
            )
    from undegrade.atomic import remove_leftovers
    from undegrade.files.level import LEVELS, check_level, task_of_level
    from undegrade.files.plan import Naming, plan
    from undegrade.files.restore_file import Outcome, Status, restore_file
    from undegrade.files.select_task import Choice, select_task
    from undegrade.inference.load import load_pipeline

    def load(task: str | None) -> Pipeline:
        return load_pipeline(task, args.variant, args.weights, args.device, args.half, threads=args.threads)

    replaced = next((option for option in LEVELS if getattr(args, option) is not None), None)
    task = args.task
    if task is None and args.weights is None and replaced is not None:
        task = task_of_level(replaced)
    given = None if task is None and args.weights is None else load(task)
    known = {}
    if given is not None:
        assert given.card is not None  # a loaded pipeline has a card
        if replaced is not None:
            check_level(replaced, given)
        known = {"task": given.task.name, "variant": given.card.variant}
    else:
        load("gaussian")  # select_task needs it first: missing weights are reported before any file is read

    def select(image: Image, quality: int | None) -> Choice:
        return select_task(image, load, args.tile, quality) if given is None else Choice(given)

    interrupts.check()  # an import can lose the exception
    naming = None if args.name is None else Naming(args.name, known)
    todo = plan(args.inputs, args.output, naming, skip_existing=args.skip_existing)
    if args.samples:
        _check_std(todo)
    records = open_records(args.json, todo.jobs) if args.json is not None else None
    for folder in {job.output.parent for job in todo.jobs}:
        remove_leftovers(folder)
    with Report(todo, records) as report:
        try:
            for folder, reason in todo.unread:
                report.add(
                    Outcome(folder, None, reason=f"the folder cannot be searched ({reason}); check its permissions.")
                )
            for job in todo.jobs:
                report.progress.start()
                if args.skip_existing and _is_there(job.output):
                    outcome = Outcome(job.source, job.output, Status.SKIPPED)
                else:
                    outcome = restore_file(job, options, select, report.progress.within)
                if outcome.status == Status.FAILED:
                    interrupts.check()  # not the file's fault
                report.add(outcome)
                interrupts.check()
            report.summary()
        except KeyboardInterrupt:
            report.interrupted(args.skip_existing)
            return interrupts.EXIT_CODE
        except UndegradeError as error:  # from writing records: errors of a file are in its outcome
            report.complain(str(error))
            return 1
    return 1 if report.failures else 0


def _options(args: argparse.Namespace) -> FileOptions:
    # Before torch is imported: wrong arguments are reported immediately.
    if args.tile is not None and args.tile < 4:
        raise UndegradeError(f"--tile {args.tile} is too small; give at least 4, or leave it out.")
    if args.max_pixels is not None and not 0 < args.max_pixels < math.inf:
        raise UndegradeError(
            f"--max-pixels {args.max_pixels:g} must be above 0, in millions; give e.g. 200, or leave it out."
        )
    if args.memory is not None and not (args.tile is None and 0 < args.memory < math.inf):
        raise UndegradeError("--memory must be a number of gigabytes above 0, and not together with --tile.")
    if args.seed < 0:
        raise UndegradeError(f"--seed {args.seed} is negative; give a number of at least 0.")
    from undegrade.files.restore_file import FileOptions
    from undegrade.inference.options import RestoreOptions

    restore = RestoreOptions(
        strength=args.strength,
        level=args.sigma if args.sigma is not None else args.quality,
        samples=args.samples,
        seed=args.seed,
        self_ensemble=args.self_ensemble,
        tile=args.tile,
        memory=None if args.memory is None else args.memory * 1e9,
        white=args.white,
    )
    options = FileOptions(restore, strip_metadata=args.strip_metadata)
    if args.max_pixels is None:
        return options
    return dataclasses.replace(options, max_pixels=int(args.max_pixels * 1e6))


def _check_std(todo: Plan) -> None:
    """Check that no picture of a standard deviation would replace an input or a result."""
    from undegrade.files.identity import identity
    from undegrade.files.restore_file import std_path

    taken = {identity(path) for job in todo.jobs for path in (job.source, job.output)}
    for job in todo.jobs:
        if identity(std_path(job.output)) in taken:
            raise UndegradeError(
                f"{std_path(job.output)} would replace an input or a result; use another --name or -o."
            )


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # writing the result reports the reason
        return False
