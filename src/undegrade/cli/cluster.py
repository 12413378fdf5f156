"""``undegrade restore --ray``: the same on many machines."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from undegrade.cli import interrupts, streams
from undegrade.cli.arguments import Url
from undegrade.cli.reporting import Report, report_all
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.cluster.listing import Listing
    from undegrade.cluster.remote import RemoteHow
    from undegrade.files.restore_file import FileOptions, Outcome
    from undegrade.files.selector import Selector


def check_places(args: argparse.Namespace) -> None:
    """Check that the arguments fit to ``--ray``, or to its absence.

    Raises:
        UndegradeError: they do not.
    """
    if args.ray is None:
        if args.ray_gpus is not None:
            raise UndegradeError("--ray-gpus is for the workers of --ray; leave it out, or give --ray too.")
        for place in (*args.inputs, args.output, args.json):
            if isinstance(place, Url):
                raise UndegradeError(f"{place} is the address of a store, which needs --ray; or copy the files first.")
        return
    from undegrade.image import Format

    if len(args.inputs) > 1:
        raise UndegradeError(
            f"--ray takes one folder or file, not {len(args.inputs)}; run the command for each, and give --ray last."
        )
    for option, place in (("-o", args.output), ("--json", args.json)):
        if place is not None and Format.of_name(Path(place)) is not None:
            raise UndegradeError(f"{option} {place} is a picture's name; with --ray give a folder.")
    if args.ray_gpus is not None and not 0 < args.ray_gpus < math.inf:
        raise UndegradeError(f"--ray-gpus {args.ray_gpus:g} must be above 0; give e.g. 1 or 0.25, or leave it out.")
    if args.ray_gpus is None and args.device not in (None, "cpu"):
        raise UndegradeError(f"--device {args.device} with --ray needs --ray-gpus, such as --ray-gpus 1.")


def run(args: argparse.Namespace, options: FileOptions, selector: Selector) -> int:
    """Restore every file; exit codes as of ``undegrade restore``.

    Args:
        args: checked by :func:`check_places`.
        options: for each file.
        selector: as for this machine.

    Raises:
        UndegradeError: Ray or the weights are missing, the input is not there, or a result would replace an input.
    """
    from undegrade.cluster.listing import Listing
    from undegrade.cluster.records import Parts
    from undegrade.cluster.remote import RemoteHow
    from undegrade.cluster.storage import Place
    from undegrade.files.plan import Naming
    from undegrade.files.shards import Shard
    from undegrade.weights.names import weights_file

    shard = None if args.shard is None else Shard.parse(args.shard)
    # This machine may have no GPU: the weights are checked on its CPU.
    known = dataclasses.replace(selector, device="cpu", half=False, threads=1).check()
    interrupts.check()  # an import can lose the exception
    listing = Listing(
        Place.of(str(args.inputs[0])),
        Place.of(str(args.output)),
        None if args.name is None else Naming(args.name, known),
        shard,
        skip_existing=args.skip_existing,
        options=options.restore,
    )
    device = args.device or ("cpu" if args.ray_gpus is None else "cuda")
    weights = args.weights
    if weights is not None and weights_file(weights) == weights:  # else it is the name of a shipped model
        weights = weights.absolute()
    selector = dataclasses.replace(selector, device=device, threads=args.threads or 1, weights=weights)
    how = RemoteHow(listing.source, listing.output, options, selector)
    records: TextIO | None = None
    if args.json is not None:
        records = sys.stdout if str(args.json) == "-" else Parts(Place.of(str(args.json)))  # type: ignore[assignment]
    with Report(records) as report:
        outcomes = _outcomes(listing, how, args.ray or None, args.jobs, args.ray_gpus or 0.0)
        return report_all(outcomes, report, args.skip_existing, listing)


def _outcomes(
    listing: Listing, how: RemoteHow, address: str | None, count: int | None, gpus: float
) -> Generator[tuple[None, Outcome]]:
    from undegrade.cluster.pool import RayPool
    from undegrade.cluster.schedule import Schedule
    from undegrade.files.restore_file import Outcome

    ahead = iter(listing)
    first = next(ahead, None)
    if first is None and not listing.others:
        raise UndegradeError(f"there are no pictures in {listing.source.url}; give another folder, or a file.")
    while isinstance(first, Outcome):  # a batch that is done needs no cluster
        yield None, first
        first = next(ahead, None)
    if first is None:
        return
    pool = RayPool(address, how, gpus)
    schedule = None
    try:
        count = count or pool.room
        if count < 1:
            what = f"{gpus:g} GPUs" if gpus else f"{how.select.threads} CPUs"
            raise UndegradeError(f"the cluster has no machine with {what} for a worker; give --jobs to wait for one.")
        schedule = Schedule(
            itertools.chain([first], ahead),
            pool,
            count,
            lambda item: (how.source.shown(item.source), how.output.shown(item.output)),
            lambda sentence: streams.say(f"undegrade restore: {sentence}", sys.stderr),
        )
        for outcome in schedule.run():
            yield None, outcome
    finally:
        pool.close()
        for folder in sorted(schedule.unclean) if schedule is not None else ():
            how.output.clean(folder)  # what a worker was writing when it ended
