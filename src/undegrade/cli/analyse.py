"""``undegrade analyse``: what the latent encodes (Figs. 5 to 8), as numbers and pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.cli import streams
from undegrade.cli.arguments import MANY, Whole, a_path, add_model
from undegrade.errors import UndegradeError
from undegrade.lazy import needs_torch

if TYPE_CHECKING:
    from undegrade.inference.pipeline import Pipeline

HELP = "analyse the latent: health, Figs. 5 to 8, steering (needs clean images)"

_WHAT = {
    "health": "KL per channel, active units, and the loss of PSNR without the picture's own latent",
    "manipulate": "Figs. 5, 6: pictures restored with modified or exchanged latents",
    "map": "Fig. 7: t-SNE of the latents of patches at ten levels of degradation",
    "sources": "Fig. 8: t-SNE of the latents of photographs, camera noise and Gaussian noise",
    "swap": "the loss of PSNR with a zero latent, another picture's latent, or one of weaker or stronger degradation",
    "steer": "restorations and estimates with the latent moved along the direction of increasing degradation",
}

_EXAMPLES = {
    "health": "--data photos --task jpeg --json health.json",
    "manipulate": "--data photos --show kodim05 --crop 100 200 -o figures",
    "map": "--data photos --patches 50 -o figures",
    "sources": "--data photos --photographs CC15/real --means CC15/mean --task real",
    "swap": "--data photos --images 10",
    "steer": "--data photos --probe other-photos --show kodim05",
}

EXAMPLES = """examples:
  undegrade analyse health --data photos --task gaussian     check whether every latent channel is used
  undegrade analyse map --data photos -o figures             draw Fig. 7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    made = {}
    for what, text in _WHAT.items():
        sub = made[what] = commands.add_parser(
            what,
            help=text,
            description=text,
            epilog=f"example:\n  undegrade analyse {what} {_EXAMPLES[what]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("--data", type=a_path, required=True, metavar="DIR", help="folder of clean images")
        sub.add_argument(
            "--images",
            type=Whole("--images", 1),
            metavar="N",
            help="use only N images, evenly spaced in the order of names",
        )
        add_model(sub, "the task of --weights, else gaussian")
        if what == "health":
            sub.add_argument("--json", type=a_path, metavar="FILE", help="also write the numbers to this file")
            continue
        sub.add_argument(
            "-o",
            "--out",
            type=a_path,
            default=Path("analysis"),
            metavar="DIR",
            help="output folder (default: analysis)",
        )
        if what == "swap":
            continue
        sub.add_argument(
            "--format", choices=("png", "jpg"), default="png", help="file format of figures (default: png)"
        )
        sub.add_argument(
            "--seed",
            type=Whole("--seed", 0, 2**32 - 1),
            default=0,
            help="seed of patches, noise and t-SNE (default: 0)",
        )
    for what, count in (("map", 100), ("sources", 300), ("steer", 60)):
        made[what].add_argument(
            "--patches",
            type=Whole("--patches", 1),
            default=count,
            metavar="N",
            help=f"number of patches (default: {count})",
        )
        made[what].add_argument(
            "--patch",
            type=Whole("--patch", 1, 65535),
            default=64,
            metavar="PIXELS",
            help="side of a patch (default: 64)",
        )
    for what in ("manipulate", "steer"):
        made[what].add_argument("--show", metavar="NAME", help="the picture to draw (default: the first)")
    made["manipulate"].add_argument(
        "--crop",
        type=Whole("--crop", -MANY),
        nargs=2,
        metavar=("TOP", "LEFT"),
        help="corner of the part to draw (default: the middle)",
    )
    made["sources"].add_argument("--photographs", type=a_path, required=True, metavar="DIR", help="noisy photographs")
    made["sources"].add_argument(
        "--means",
        type=a_path,
        metavar="DIR",
        help="the same scenes without noise, in the same order; adds two controls",
    )
    made["steer"].add_argument(
        "--probe",
        type=a_path,
        metavar="DIR",
        help="clean images on which the direction is fitted (default: half of --data)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the numbers and write the files; return 0."""
    from undegrade.analysis.extra import need
    from undegrade.inference.load import load_pipeline

    needs_torch("the analysis")
    if args.what not in ("health", "swap"):
        need("matplotlib")  # fail before minutes of computation
    if args.what in ("map", "sources"):
        need("sklearn")
    task = args.task or ("gaussian" if args.weights is None else None)
    pipeline = load_pipeline(task, args.variant, args.weights, args.device, threads=args.threads)
    for path in _RUN[args.what](args, pipeline):
        streams.say(f"-> {path}", sys.stdout)
    return 0


def _health(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    from undegrade.analysis.health import examine
    from undegrade.analysis.tables import write

    found = examine(pipeline, args.data, args.images)
    print(found.report())
    return [write(args.json, (json.dumps(found.to_record(), indent=1) + "\n").encode())] if args.json else []


def _manipulate(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    from undegrade.analysis import manipulation
    from undegrade.analysis.figures.manipulation import draw_latents, draw_restorations
    from undegrade.analysis.severity import severity
    from undegrade.analysis.tables import write, write_csv

    axis = severity(pipeline.task.degradation)
    rows, shown = manipulation.manipulate_folder(pipeline, args.data, args.images, args.show, _bar("manipulate"))
    report = manipulation.report(rows, axis)
    print(report)
    return [
        draw_restorations(shown, axis, args.out / f"fig-05.{args.format}", tuple(args.crop) if args.crop else None),
        draw_latents(shown, axis, args.out / f"fig-06.{args.format}"),
        write_csv(args.out / "fig-05.csv", manipulation.HEADER, rows),
        write(args.out / "fig-05.md", report.encode()),
    ]


def _swap(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    from undegrade.analysis import manipulation
    from undegrade.analysis.severity import severity
    from undegrade.analysis.tables import write_csv

    rows = manipulation.swap_folder(pipeline, args.data, args.images, _bar("swap"))
    print(manipulation.swap_report(rows, severity(pipeline.task.degradation)))
    return [write_csv(args.out / "swap.csv", manipulation.SWAP_HEADER, rows)]


def _map(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    from undegrade.analysis import embedding
    from undegrade.analysis.figures.maps import draw_levels
    from undegrade.analysis.samples import cut
    from undegrade.analysis.severity import severity
    from undegrade.analysis.tables import write_csv

    axis = severity(pipeline.task.degradation)
    patches = cut(_images(args.data, args, pipeline), args.patch * _scale(pipeline), args.patches, args.seed)
    codes = embedding.encode_levels(pipeline, patches, args.seed)
    known = embedding.knowledge(codes)
    print(known.report(axis.unit))
    plane = embedding.embed(codes.points, args.seed)
    return [
        draw_levels(codes, plane, axis, args.out / f"fig-07.{args.format}", args.seed),
        write_csv(args.out / "fig-07.csv", embedding.HEADER, embedding.rows(codes, plane)),
        write_csv(args.out / "fig-07-numbers.csv", ("what", "value", "chance"), known.rows()),
    ]


def _sources(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    import numpy as np

    from undegrade.analysis import embedding, sources
    from undegrade.analysis.figures.maps import draw_sources
    from undegrade.analysis.samples import image_files, read
    from undegrade.analysis.tables import write_csv

    channels = pipeline.architecture.channels

    def all_of(folder: Path) -> list[Any]:
        return [read(file, channels) for file in image_files(folder)]

    clean, photographs = _images(args.data, args, pipeline), all_of(args.photographs)
    means = None if args.means is None else all_of(args.means)
    found = sources.gather(pipeline, clean, photographs, means, args.patches, args.patch, args.seed)
    apart = sources.separations(found)
    print(sources.report(apart))
    plane = embedding.embed(np.concatenate([found[name].points for name in sources.SHOWN]), args.seed)
    header = ("first", "second", "purity", "chance", "accuracy", "chance", "silhouette")
    return [
        draw_sources(found, plane, args.out / f"fig-08.{args.format}", args.seed),
        write_csv(args.out / "fig-08.csv", sources.HEADER, sources.rows(found, plane)),
        write_csv(args.out / "fig-08-numbers.csv", header, sources.separation_rows(apart)),
    ]


def _steer(args: argparse.Namespace, pipeline: Pipeline) -> list[Path]:
    from undegrade.analysis import steering
    from undegrade.analysis.figures.steering import draw_steering
    from undegrade.analysis.samples import chosen_files, cut, image_files, read, stacked_centres
    from undegrade.analysis.severity import severity
    from undegrade.analysis.tables import write_csv

    axis, scale = severity(pipeline.task.degradation), _scale(pipeline)
    steered = [read(file, pipeline.architecture.channels) for file in chosen_files(args.data, args.images, args.show)]
    if args.probe is not None:
        fitted = [read(file, pipeline.architecture.channels) for file in image_files(args.probe)]
    elif len(steered) < 2:
        raise UndegradeError(
            "steering needs at least 2 images, one of them for the direction; give a folder with more images, or "
            "--probe."
        )
    else:
        steered, fitted = steered[::2], steered[1::2]
    probe = steering.fit_probe(pipeline, cut(fitted, args.patch * scale, args.patches, args.seed), args.seed)
    found = steering.steer(pipeline, probe, stacked_centres(steered, 192 * scale, 4 * scale), _bar("steer"))
    print(found.report(axis.unit))
    return [
        draw_steering(found, axis, args.out / f"steer.{args.format}"),
        write_csv(args.out / "steer.csv", steering.HEADER, found.rows()),
    ]


_RUN: dict[str, Callable[[argparse.Namespace, Pipeline], list[Path]]] = {
    "health": _health,
    "manipulate": _manipulate,
    "map": _map,
    "sources": _sources,
    "swap": _swap,
    "steer": _steer,
}


def _images(folder: Path, args: argparse.Namespace, pipeline: Pipeline) -> list[Any]:
    from undegrade.analysis.samples import image_files, read

    return [read(file, pipeline.architecture.channels) for file in image_files(folder, args.images)]


def _scale(pipeline: Pipeline) -> int:
    return pipeline.architecture.scale


def _bar(title: str) -> Callable[[Sequence[Any]], Any]:
    from tqdm import tqdm

    return lambda items: tqdm(items, desc=title, unit="image", file=sys.stderr, disable=not sys.stderr.isatty())
