"""``undegrade restore``: restore picture files and folders of them, and report the estimated degradation of each."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli import cluster, interrupts, piped, streams
from undegrade.cli.arguments import Real, Whole, a_place, add_model
from undegrade.cli.colour import Style
from undegrade.cli.reporting import Report, open_records, report_all
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from undegrade.files.batch import How, Turn
    from undegrade.files.plan import Plan
    from undegrade.files.restore_file import FileOptions, Outcome
    from undegrade.files.selector import Selector

HELP = "restore picture files and folders of them, and report the estimated degradation of each"


EXAMPLES = """examples:
  undegrade restore photo.jpg scan.tif -o better          restore two pictures; write to the folder better
  undegrade restore photos -o clean --skip-existing       a folder and its subfolders; run again to continue
  undegrade restore night.png -o less.png --strength 0.5  remove half as much
  undegrade restore small.png -o large.png --task sr-x2   twice the resolution
  undegrade restore photos -o clean --jobs 8              eight files at a time
  undegrade restore - -o -                                a picture from standard input to standard output
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        type=a_place,
        nargs="+",
        metavar="INPUT",
        help="pictures, and folders to search with their subfolders (no hidden files, no links to folders); - for one "
        "picture on standard input",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "-o",
        "--output",
        type=a_place,
        default=Path("restored"),
        metavar="OUT",
        help="output folder; for one input also the name of a picture file, or - for standard output (default: "
        "the folder restored)",
    )
    files.add_argument(
        "--name",
        metavar="TEMPLATE",
        help="names of the results, with the fields {stem} and {suffix}, and {task} and {variant} if --task, "
        "--weights, --sigma or --quality sets them: {stem}-clean{suffix} keeps each format, {stem}.png writes PNG",
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
        type=a_place,
        metavar="FILE",
        help="append one line of JSON for each file to FILE (see docs/restore.md), - for stdout; with --ray a folder",
    )
    add_model(
        parser, "the task of --weights; gaussian with --sigma, jpeg with --quality; else universal, which leaves clean "
        "pictures alone", half=True,
    )  # fmt: skip
    result = parser.add_argument_group("result")
    result.add_argument(
        "--strength", type=float, default=1.0, metavar="S",
        help="how much to remove: 0 nothing, 1 the model's own result, up to 4 (default: 1)",
    )  # fmt: skip
    level = result.add_mutually_exclusive_group()
    level.add_argument(
        "--sigma",
        type=float,
        metavar="N",
        help="replace the estimated noise level, in 8-bit levels (0 to 255); alone it means --task gaussian",
    )
    level.add_argument(
        "--quality",
        type=float,
        metavar="Q",
        help="replace the estimated JPEG quality (1 to 100); alone it means --task jpeg",
    )
    result.add_argument(
        "--self-ensemble", action="store_true", help="mean over 8 flips and rotations: better, 8 times slower"
    )
    result.add_argument(
        "--samples", type=Whole("--samples", 0, 100_000), default=0, metavar="N",
        help="draw N latents from the posterior; write the mean of the N restorations, and their standard deviation to "
        "a picture NAME-std.png",
    )  # fmt: skip
    result.add_argument(
        "--uncertainty",
        action="store_true",
        help="write how far off each pixel may be to a picture NAME-uncertainty.png: half the width of the interval "
        "that holds the true value with a probability of 90 %%; needs weights with a scale head "
        "(docs/uncertainty.md says which have one)",
    )
    result.add_argument(
        "--keep-degradation",
        action="store_true",
        help="with --task sr-x2 or sr-x4: enlarge noise and compression too, instead of removing them first",
    )
    result.add_argument(
        "--seed", type=Whole("--seed", 0, 2**63 - 1), default=0, metavar="N", help="seed of the samples (default: 0)"
    )
    result.add_argument(
        "--white", type=Real("--white", 1, 65535), metavar="N",
        help="of 16-bit pictures: the value that is white, 1 to 65535 (default: 65535, or what the picture uses where "
        "that is less than a quarter of it)",
    )  # fmt: skip
    many = parser.add_argument_group("many files (docs/scale.md)")
    many.add_argument(
        "--jobs",
        type=Whole("--jobs", 1, 10_000),
        metavar="N",
        help="restore N files at a time, each in a process of its own (default: 1; with --ray: as many as the cluster "
        "has room for)",
    )
    many.add_argument(
        "--shard", metavar="I/N",
        help="only the shard I of N, 1/N to N/N, by a hash of each path: for N runs on as many machines",
    )  # fmt: skip
    many.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS",
        help="restore on a Ray cluster: that of RAY_ADDRESS or of this machine, else one that is started here; local "
        "always starts one here. The word after --ray is taken as the address, so give --ray last. INPUT, OUT and "
        "FILE may be addresses such as s3://bucket/photos",
    )  # fmt: skip
    many.add_argument("--ray-gpus", type=float, metavar="X", help="GPUs of each worker of --ray, e.g. 1 or 0.25")
    limits = parser.add_argument_group("memory and limits")
    limits.add_argument(
        "--memory", type=Real("--memory", 0, 1e6, "give gigabytes, e.g. 2, or leave it out"), metavar="GB",
        help="memory for the networks of one process; sets the tile size, not with --tile",
    )  # fmt: skip
    limits.add_argument("--tile", type=Whole("--tile", 4), metavar="N", help="largest side of a tile: changes memory")
    limits.add_argument(
        "--max-pixels",
        type=Real("--max-pixels", 1e-6, 1e6, "give millions, e.g. 200, or leave it out"),
        metavar="M",
        help="refuse pictures of more than M million pixels (default: 500)",
    )


def run(args: argparse.Namespace) -> int:
    """Restore every file; 0 if all succeeded, 1 if some failed, 130 if interrupted.

    Raises:
        UndegradeError: no weights, no pictures, or a result would overwrite an input or another result.
    """
    from undegrade.inference.machine import give_large_arrays_back, keep_numpy_to_one_thread

    keep_numpy_to_one_thread()
    options = _options(args)
    cluster.check_places(args)
    if piped.is_wanted(args):
        piped.check(args)
    if args.ray is not None:
        return cluster.run(args, options, _selector(args, options))
    _leave_out_what_is_slower(args)
    from undegrade.files import batch
    from undegrade.files.plan import Naming, plan
    from undegrade.files.restore_file import beside, ever_beside
    from undegrade.files.shards import Shard

    give_large_arrays_back()
    shard = None if args.shard is None else Shard.parse(args.shard)
    selector = _selector(args, options)
    known = selector.check()
    interrupts.check()  # an import can lose the exception
    if piped.is_wanted(args):
        return piped.run(args, options, selector)
    naming = None if args.name is None else Naming(args.name, known)
    todo = plan(
        args.inputs, args.output, naming,
        skip_existing=args.skip_existing, shard=shard, beside=lambda output: beside(output, options.restore),
        ever_beside=ever_beside,
    )  # fmt: skip
    records = open_records(args.json, [job.source for job in todo.jobs]) if args.json is not None else None
    batch.clean({job.output.parent for job in todo.jobs})
    with Report(records, todo.jobs, len(todo.jobs) + len(todo.unread)) as report:
        how = batch.How(options, selector, args.skip_existing)
        outcomes = _outcomes(todo, batch.turns(todo.jobs), how, args.jobs or 1, report)
        return report_all(outcomes, report, args.skip_existing, todo)


def _outcomes(
    todo: Plan, turns: Sequence[Turn], how: How, jobs: int, report: Report
) -> Generator[tuple[int | None, Outcome]]:
    """Restore the files in this process or, with ``jobs``, in several; then each is given its part of the cores."""
    from undegrade.files.batch import in_turn
    from undegrade.files.restore_file import Outcome

    for folder, reason in todo.unread:
        yield None, Outcome(folder, None, reason=f"the folder cannot be searched ({reason}); check its permissions.")
    jobs = min(jobs, len(turns))  # more would have nothing to do
    if jobs <= 1:
        yield from in_turn(turns, how, report.progress)
        return
    from undegrade.files.workers import Workers
    from undegrade.inference.machine import usable_cores

    threads = how.select.threads or max(usable_cores() // jobs, 1)
    how = dataclasses.replace(how, select=dataclasses.replace(how.select, threads=threads))
    yield from Workers(turns, how, jobs, report.progress, report.complain).run()


def _leave_out_what_is_slower(args: argparse.Namespace) -> None:
    """Half precision or int8 where this machine would be slower for it; both together are refused later."""
    if args.half == args.draft or args.device not in (None, "cpu"):
        return
    why = ""
    if args.half and args.engine != "torch" and _slower_in_half(args.device):
        args.half, why = False, "this CPU would be slower in half precision; --half is left out."
    elif args.draft and args.weights is None and args.engine is None and _is_faster_in_float32():
        args.draft = False
        why = "compiled kernels in float32 are faster here than a draft in int8; --draft is left out."
    if why:
        warning = f"undegrade restore: {why}"
        streams.say(warning, sys.stderr, warning, Style.WARNING)


def _slower_in_half(device: str | None) -> bool:
    from undegrade.inference.engines import default_device
    from undegrade.inference.machine import multiplies_bfloat16

    return (device or default_device()) == "cpu" and not multiplies_bfloat16()


def _is_faster_in_float32() -> bool:
    """Whether compiled kernels in float32 are known to be faster than int8: measured without VNNI."""
    from undegrade.inference.machine import has_vnni
    from undegrade.native import NotCompiled
    from undegrade.native.convolution import check

    try:
        check()
    except NotCompiled:
        return False
    return not has_vnni()


def _selector(args: argparse.Namespace, options: FileOptions) -> Selector:
    from undegrade.files.level import LEVELS
    from undegrade.files.selector import Selector

    return Selector(
        task=args.task,
        variant=args.variant,
        weights=args.weights,
        device=args.device,
        half=args.half,
        options=options.restore,
        threads=args.threads,
        level=next((option for option in LEVELS if getattr(args, option) is not None), None),
        keep_degradation=args.keep_degradation,
        draft=args.draft,
        engine=args.engine,
    )


def _options(args: argparse.Namespace) -> FileOptions:
    # Before torch is imported: wrong arguments are reported immediately.
    if args.memory is not None and args.tile is not None:
        raise UndegradeError("--memory and --tile both set the size of tiles; leave one out.")
    if args.draft and args.uncertainty:
        raise UndegradeError("the intervals of --uncertainty hold in float32 only; leave out --uncertainty or --draft.")
    if args.samples == 1:
        raise UndegradeError(f"--samples {args.samples} gives no standard deviation; give at least 2, or leave it out.")
    if args.variant is not None and (args.task, args.weights, args.sigma, args.quality) == (None,) * 4:
        raise UndegradeError(
            f"--variant {args.variant} is a variant of a task; give that too, e.g. --task gaussian --variant fast."
        )
    from undegrade.files.level import LEVELS, check_range
    from undegrade.files.restore_file import FileOptions
    from undegrade.inference.options import MAX_STRENGTH, RestoreOptions

    if not 0 <= args.strength <= MAX_STRENGTH:
        raise UndegradeError(f"--strength {args.strength:g} is out of range; give 0 to {MAX_STRENGTH:g}.")
    for option in LEVELS:
        if (value := getattr(args, option)) is not None:
            check_range(option, value)
    restore = RestoreOptions(
        strength=args.strength,
        level=args.sigma if args.sigma is not None else args.quality,
        samples=args.samples,
        seed=args.seed,
        self_ensemble=args.self_ensemble,
        tile=args.tile,
        memory=None if args.memory is None else args.memory * 1e9,
        white=args.white,
        uncertainty=args.uncertainty,
    )
    options = FileOptions(restore, strip_metadata=args.strip_metadata)
    if args.max_pixels is None:
        return options
    return dataclasses.replace(options, max_pixels=int(args.max_pixels * 1e6))
