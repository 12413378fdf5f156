"""``undegrade restore``: better pictures from files and folders, and a line about what was wrong with each."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli.arguments import add_model
from undegrade.cli.reporting import Report, open_records
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.plan import Plan
    from undegrade.files.restore_file import FileOptions
    from undegrade.image import Picture
    from undegrade.inference.pipeline import Pipeline

HELP = "restore picture files and folders of them, and say what was wrong with each"


EXAMPLES = """examples:
  undegrade restore photo.jpg scan.tif -o better          what each picture needs, into the folder better
  undegrade restore photos -o clean --skip-existing       a folder with all below it; the same again goes on
  undegrade restore night.png -o less.png --strength 0.5  remove half as much
  undegrade restore small.png -o large.png --task sr-x2   twice the resolution
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="pictures, and folders to search with all below (nothing hidden, no links to folders)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("restored"),
        metavar="OUT",
        help="folder for the results, or for one file a picture's name (default: the folder restored)",
    )
    files.add_argument(
        "--name",
        metavar="TEMPLATE",
        help="names of the results, of {stem}, {suffix}, {task} and {variant}: {stem}-clean{suffix} keeps each format, "
        "{stem}.png writes PNG",
    )
    files.add_argument(
        "--skip-existing", action="store_true", help="keep results that are there: goes on where a batch was stopped"
    )
    files.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out what a file says beside its picture (place, camera, comments); its colours stay",
    )
    files.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="add a line of JSON for each file to FILE (docs/restore.md says what is in it), - for stdout",
    )
    add_model(parser, "what --weights are for, else what the picture needs; a clean one is left alone", half=True)
    result = parser.add_argument_group("result")
    result.add_argument(
        "--strength", type=float, default=1.0, metavar="S",
        help="how much to remove: 0 nothing, 1 the model's own result, up to 4 (default: 1)",
    )  # fmt: skip
    level = result.add_mutually_exclusive_group()
    level.add_argument(
        "--sigma", type=float, metavar="N", help="overrule the estimated noise level, in 8-bit levels (0 to 255)"
    )
    level.add_argument("--quality", type=float, metavar="Q", help="overrule the estimated JPEG quality (1 to 100)")
    result.add_argument(
        "--self-ensemble", action="store_true", help="mean over 8 flips and rotations: better, 8 times slower"
    )
    result.add_argument(
        "--samples", type=int, default=0, metavar="N",
        help="draw N restorations; write their mean, and their standard deviation to a picture NAME-std.png",
    )  # fmt: skip
    result.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples (default: 0)")
    limits = parser.add_argument_group("memory and limits")
    limits.add_argument(
        "--memory", type=float, metavar="GB", help="memory for the networks, which chooses the tile; not with --tile"
    )
    limits.add_argument("--tile", type=int, metavar="N", help="largest side of a tile: changes memory, not the result")
    limits.add_argument(
        "--max-pixels", type=float, metavar="M", help="refuse pictures of more than M million pixels (default: 500)"
    )


def run(args: argparse.Namespace) -> int:
    """Restore every file; 0 if all went well, 1 if some failed, 130 if interrupted.

    Raises:
        UndegradeError: nothing can be started: no weights, no pictures, or results that would overwrite inputs or each
            other.
    """
    options = _options(args)
    from undegrade.atomic import remove_leftovers
    from undegrade.files.plan import Naming, plan
    from undegrade.files.restore_file import Outcome, Status, restore_file
    from undegrade.files.select_task import Choice, select_task
    from undegrade.inference.load import load_pipeline

    def load(task: str | None) -> Pipeline:
        return load_pipeline(task, args.variant, args.weights, args.device, args.half)

    task = args.task if args.task is not None or args.weights is not None else _task_of_level(args)
    given = None if task is None and args.weights is None else load(task)
    known = {}
    if given is not None:
        assert given.card is not None  # a loaded pipeline has one
        _check_level(args, given)
        known = {"task": given.task.name, "variant": given.card.variant}
    else:
        load("gaussian")  # the rule's first question: better to learn now that it cannot be asked

    def select(picture: Picture) -> Choice:
        return select_task(picture.pixels, load, args.tile, picture.quality) if given is None else Choice(given)

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
                report.add(Outcome(folder, None, reason=f"the folder cannot be searched ({reason}); check its rights."))
            for job in todo.jobs:
                report.progress.start()
                if args.skip_existing and _is_there(job.output):
                    outcome = Outcome(job.source, job.output, Status.SKIPPED)
                else:
                    outcome = restore_file(job, options, select, report.progress.within)
                report.add(outcome)
            report.summary()
        except KeyboardInterrupt:
            if report.total == 1:
                raise
            report.interrupted(args.skip_existing)
            return 130
        except BrokenPipeError:  # whoever read our lines has seen enough; Python would complain when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except UndegradeError as error:  # of the records: the files' own are in their outcomes
            report.complain(str(error))
            return 1
    return 1 if report.failures else 0


def _options(args: argparse.Namespace) -> FileOptions:
    # Before torch is loaded: what is wrong with the arguments is said at once.
    if args.tile is not None and args.tile < 4:
        raise UndegradeError(f"--tile {args.tile} is too small; give at least 4, or leave it out.")
    if args.max_pixels is not None and not 0 < args.max_pixels < math.inf:
        raise UndegradeError(
            f"--max-pixels {args.max_pixels:g} is no number of millions; give e.g. 200, or leave it out."
        )
    if args.memory is not None and not (args.tile is None and 0 < args.memory < math.inf):
        raise UndegradeError("--memory wants a number of gigabytes above 0, and no --tile beside it.")
    if args.seed < 0:
        raise UndegradeError(f"--seed {args.seed} is negative; give a number from 0 up.")
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
    )
    options = FileOptions(restore, strip_metadata=args.strip_metadata)
    if args.max_pixels is None:
        return options
    return dataclasses.replace(options, max_pixels=int(args.max_pixels * 1e6))


_LEVELS = {"sigma": "noise level", "quality": "JPEG quality"}
"""Options that overrule an estimate, and the name of the quantity that they overrule."""


def _task_of_level(args: argparse.Namespace) -> str | None:
    """The first task that estimates what --sigma or --quality overrules; None where neither is given."""
    from undegrade.tasks import TASKS

    for option, name in _LEVELS.items():
        if getattr(args, option) is not None:
            return next(task.name for task in TASKS.values() if task.degradation.quantity.name == name)
    return None


def _check_level(args: argparse.Namespace, pipeline: Pipeline) -> None:
    """--sigma is for tasks that estimate a noise level, --quality for those that estimate a quality."""
    known = None if pipeline.quantity is None else pipeline.quantity.name
    for option, name in _LEVELS.items():
        if getattr(args, option) is not None and known != name:
            raise UndegradeError(f"--{option} overrules an estimated {name}, but {pipeline.task.name} estimates none.")


def _check_std(todo: Plan) -> None:
    """The pictures of standard deviations must replace no input and no result."""
    from undegrade.files.plan import identity
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
    except OSError:  # writing it will say why
        return False
