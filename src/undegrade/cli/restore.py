"""``undegrade restore``: better pictures from files and folders, and a line about what was wrong with each."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli.reporting import Report, open_records
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.files.plan import Plan
    from undegrade.files.restore_file import Options
    from undegrade.image import Picture
    from undegrade.inference.pipeline import Pipeline

HELP = "restore picture files and folders of them, and say what was wrong with each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="pictures, and folders to search with all below (but nothing hidden, and no links to folders)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("restored"),
        metavar="OUT",
        help="folder for the results, or for one file a picture's name (default: the folder restored)",
    )
    parser.add_argument(
        "--name",
        metavar="TEMPLATE",
        help="names of the results, of {stem}, {suffix}, {task} and {variant}: {stem}-clean{suffix} keeps each format, "
        "{stem}.png writes PNG",
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="leave results that are there: goes on where a batch was stopped"
    )
    parser.add_argument(
        "--task",
        metavar="T",
        help="what to repair, by name (default: what --weights are for, else what the picture needs, which may be "
        "nothing: a clean picture is left alone)",
    )
    parser.add_argument("--variant", metavar="V", help="of the task, e.g. fast (default: the best shipped)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a safetensors file with its card beside it")
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="average over 8 flips and rotations: better, 8 times slower",
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="S",
        help="how much to take away: 0 nothing, 1 the model's own answer, up to 4 (default: 1)",
    )  # fmt: skip
    level = parser.add_mutually_exclusive_group()
    level.add_argument(
        "--sigma", type=float, metavar="N", help="overrule the estimated noise level, in 8-bit levels (0 to 255)"
    )
    level.add_argument("--quality", type=float, metavar="Q", help="overrule the estimated JPEG quality (1 to 100)")
    parser.add_argument(
        "--samples", type=int, default=0, metavar="N",
        help="draw N restorations; write their mean, and how they differ to a picture NAME-std.png",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples (default: 0)")
    parser.add_argument(
        "--memory", type=float, metavar="GB", help="memory for the networks, to choose the tile by; not with --tile"
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="half precision: twice as fast on a CPU with bfloat16, a little less exact",
    )
    parser.add_argument(
        "--tile", type=int, metavar="N", help="largest side of a tile; changes memory, never the result"
    )
    parser.add_argument(
        "--max-pixels", type=float, metavar="M", help="refuse pictures of more than M million pixels (default: 500)"
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out what a file tells beside its picture (place, camera, comments); its colours stay",
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="add a line of JSON for each file to FILE (docs/restore.md says what is in it), - for stdout",
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
    from undegrade.files.select_task import Choice, choose
    from undegrade.inference.pipeline import load_pipeline

    def load(task: str | None) -> Pipeline:
        return load_pipeline(task, args.variant, args.weights, args.device, args.half)

    task = args.task or ("gaussian" if args.sigma is not None else "jpeg" if args.quality is not None else None)
    given = None if task is None and args.weights is None else load(task)
    known = {}
    if given is not None:
        assert given.card is not None  # a loaded pipeline has one
        _check_level(args, given)
        known = {"task": given.task.name, "variant": given.card.variant}
    else:
        load("gaussian")  # the rule's first question: better to learn now that it cannot be asked

    def chooser(picture: Picture) -> Choice:
        return choose(picture.pixels, load, args.tile, picture.quality) if given is None else Choice(given)

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
                    outcome = restore_file(job, options, chooser, report.progress.within)
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


def _options(args: argparse.Namespace) -> Options:
    # Before torch is loaded: what is wrong with the arguments is said at once.
    if args.tile is not None and args.tile < 4:
        raise UndegradeError(f"--tile {args.tile} is too small; give at least 4, or leave it out.")
    if args.max_pixels is not None and not 0 < args.max_pixels < math.inf:
        raise UndegradeError(
            f"--max-pixels {args.max_pixels:g} is no number of millions; give e.g. 200, or leave it out."
        )
    if args.memory is not None and not (args.tile is None and 0 < args.memory < math.inf):
        raise UndegradeError("--memory wants a number of gigabytes above 0, and no --tile beside it.")
    from undegrade.files.restore_file import Options
    from undegrade.inference.options import Wishes

    level = args.sigma if args.sigma is not None else args.quality
    Wishes(args.strength, level, args.samples, args.seed, args.self_ensemble)  # makes sense, or says why not
    if args.seed < 0:
        raise UndegradeError(f"--seed {args.seed} is negative; give a number from 0 up.")
    options = Options(
        self_ensemble=args.self_ensemble, tile=args.tile, strip_metadata=args.strip_metadata, strength=args.strength,
        level=level, samples=args.samples, seed=args.seed,
        memory=None if args.memory is None else args.memory * 1e9,
    )  # fmt: skip
    if args.max_pixels is None:
        return options
    return dataclasses.replace(options, max_pixels=int(args.max_pixels * 1e6))


def _check_level(args: argparse.Namespace, pipeline: Pipeline) -> None:
    """--sigma is for tasks that estimate a noise level, --quality for those that estimate a quality."""
    known = None if pipeline.quantity is None else pipeline.quantity.name
    for option, name in (("sigma", "noise level"), ("quality", "JPEG quality")):
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
