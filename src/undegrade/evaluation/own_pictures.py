"""The user's own pictures in the tables: clean ones that are degraded here, and noisy ones beside clean ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from undegrade.data.benchmark import Benchmark
from undegrade.data.catalogue import SUFFIXES, Dataset, load
from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured, Restore
from undegrade.metrics import Protocol, to_8bit
from undegrade.reading import open_regular, printable
from undegrade.tasks import Task

Pair = tuple[Path, Path]
"""A clean picture and a degraded one of the same scene."""
PAIRS = "pairs"
"""The case of pictures that were degraded elsewhere."""


def folder_benchmarks(task: Task, folder: Path) -> list[Benchmark]:
    """The pictures of a folder under each of the degradations that runs of a task are watched on.

    Cases that are watched on other images than photographs are left out.

    Args:
        task: whose :attr:`Task.validation` are the cases.
        folder: holds clean pictures; folders in it are not searched.

    Raises:
        UndegradeError: there are no pictures, or one is too small to be compared.
    """
    files = _pictures(folder)
    _check_sizes(files, task, max(d.scale for d in task.validation.values()))
    own = Dataset(
        name=printable(folder.resolve().name), folder="", count=len(files), colour=True, form="", offered="", terms="",
    )  # fmt: skip
    cases = {label: d for label, d in task.validation.items() if label not in task.validation_images}
    return [Benchmark("", own, label, degradation) for label, degradation in cases.items()]


def folder_pairs(task: Task, noisy: Path, clean: Path) -> list[Pair]:
    """Pictures of the same name in two folders, (clean, noisy), sorted by name; the endings may differ.

    Args:
        task: its scale says how many times smaller the noisy ones are.
        noisy, clean: the folders; folders in them are not searched.

    Raises:
        UndegradeError: a folder has no pictures, a picture has no partner or several, or partners differ in size.
    """
    found = {}
    for folder in (noisy, clean):
        found[folder] = by_stem = {file.stem: file for file in _pictures(folder)}
        if len(by_stem) < len(_pictures(folder)):
            raise UndegradeError(f"{folder} has two pictures of one name; keep one of them.")
    alone = sorted(set(found[noisy]) ^ set(found[clean]))
    if alone:
        raise UndegradeError(
            f"{len(alone)} pictures are in only one of {noisy} and {clean}, e.g. {alone[0]}; give both the same names."
        )
    pairs = [(found[clean][stem], found[noisy][stem]) for stem in sorted(found[clean])]
    scale = task.degradation.scale
    _check_sizes([c for c, _ in pairs], task, 1)
    for c, n in pairs:
        (cw, ch), (nw, nh) = _size(c), _size(n)
        if (cw, ch) != (nw * scale, nh * scale):
            times = f"{scale} times {nw}x{nh}" if scale > 1 else f"{nw}x{nh}"
            raise UndegradeError(f"{c} is {cw}x{ch} instead of {times}, the size of {n}; give pictures of one scene.")
    return pairs


def evaluate_pairs(
    pairs: Sequence[Pair],
    name: str,
    protocol: Protocol,
    restore: Restore,
    *,
    limit: int | None = None,
    progress: str | None = None,
) -> Cell:
    """Measure a restorer on pairs of pictures.

    Args:
        pairs: (clean, noisy).
        name: of the dataset.
        protocol: how pictures are compared.
        restore: the restorer to measure.
        limit: use only the first ``limit`` pairs.
        progress: title of a progress bar on standard error; None for no bar.

    Raises:
        UndegradeError: a picture cannot be read, or one of a pair is grey and the other is not.
    """
    measured = []
    bar = tqdm(pairs[:limit], desc=progress, unit="image", disable=progress is None, file=sys.stderr)
    for clean, noisy in bar:
        x, y = protocol.clean(load(clean)), protocol.clean(load(noisy))
        if x.ndim != y.ndim:
            raise UndegradeError(f"one of {clean} and {noisy} is grey and the other in colour; convert one of them.")
        xhat = to_8bit(restore(y.astype(np.float32) / np.float32(255)))
        measured.append(Measured(clean.stem, protocol.measure(x, xhat)))
    return Cell("", name, PAIRS, tuple(measured), complete=len(measured) == len(pairs))


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UndegradeError(f"there is no folder {folder}; give one that holds pictures.")
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found:
        raise UndegradeError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}; give a folder that holds some.")
    return found


def _check_sizes(files: Sequence[Path], task: Task, scale: int) -> None:
    """Whether each picture is large enough for the protocol's metrics, after its sides are cut to multiples."""
    protocol = task.protocol
    window = protocol.window.size if "ssim" in protocol.metrics else 1
    # At least as large as what the networks halve, and SSIM's window fits within the border.
    least = -(-max(window + 2 * protocol.border, 4 * scale) // scale) * scale
    for file in files:
        width, height = _size(file)
        if min(width, height) < least:
            raise UndegradeError(
                f"{file} is {width}x{height}, too small for {task.name}; give pictures of at least {least} pixels."
            )


def _size(file: Path) -> tuple[int, int]:
    """Width and height, from the header."""
    from PIL import Image

    try:
        with open_regular(file) as content, Image.open(content) as opened:
            width, height = opened.size
    except Exception as error:  # Pillow raises far more than OSError on broken files
        raise UndegradeError(f"cannot read {file} ({error}): replace it with a whole copy.") from error
    return width, height
