"""Loads a model by name or from a file, and restores an image in one call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, Layout
from undegrade.inference.engines import make_engine
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import UNIVERSAL, select_task
from undegrade.tasks import TASKS, check_variant, task_named
from undegrade.weights.card import Weights, find_weights, read_weights


def load_pipeline(
    task: str | None = None,
    variant: str | None = None,
    weights: str | Path | None = None,
    device: str | None = None,
    half: bool = False,
    engine: str | None = None,
    threads: int | None = None,
) -> Pipeline:
    """A pipeline from shipped weights (cached for the next call) or from your own weights file.

    Args:
        task: a name in ``TASKS``; None for the task of ``weights``, else the universal one.
        variant: of the task, e.g. ``"fast"``; None for the best shipped variant.
        weights: a safetensors file with its card in the same folder, instead of shipped weights.
        device, half, engine, threads: see :func:`undegrade.inference.engines.make_engine`.

    Raises:
        UndegradeError: an unknown task or variant, no such weights, or weights of another task or variant; or see
            :func:`undegrade.inference.engines.make_engine`.
    """
    for name, value in (("task", task), ("variant", variant)):
        if value is not None and not isinstance(value, str):
            raise UndegradeError(f"{name} is {value!r:.60}; give its name as a text.")
    if task is not None:
        task_named(task)
    device = str(device) if device is not None else None
    if weights is None:
        task = task or UNIVERSAL
        if variant is not None:
            check_variant(TASKS[task], variant)
        return _shipped(task, variant, device, half, engine, threads)
    if not isinstance(weights, str | Path):
        raise UndegradeError(f"weights are {weights!r:.60}; give the path of a safetensors file.")
    weights = Path(weights)
    found = read_weights(weights)
    card = found.card
    if card.task not in TASKS:
        raise UndegradeError(f"{weights}: made for the task {card.task!r}, unknown to this version; update undegrade.")
    if task not in (None, card.task) or variant not in (None, card.variant):
        requested = f"{task or card.task}-{variant or card.variant}"
        raise UndegradeError(
            f"{weights}: these weights are for {card.name}, not {requested}; change task and variant, or leave them "
            "out."
        )
    try:
        return _pipeline(found, device, half, engine, threads)
    except UndegradeError as error:
        raise UndegradeError(f"{weights}: {error}") from error


def restore(
    image: Any,
    task: str | None = None,
    variant: str | None = None,
    *,
    strength: float = 1.0,
    level: float | None = None,
    samples: int = 0,
    seed: int = 0,
    self_ensemble: bool = False,
    direct: bool = False,
    tile: int | None = None,
    memory: float | None = None,
    white: float | None = None,
    device: str | None = None,
    engine: str | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Any:
    """Restore an image with shipped weights.

    Args:
        image: an array (H, W), (H, W, 1), (H, W, 3) or (B, H, W, 1 or 3), or a tensor (H, W), (1 or 3, H, W) or
            (B, 1 or 3, H, W); uint8, uint16, or floats nominally in [0, 1].
        task: a name in ``TASKS``; None for the universal model, which finds out what happened and leaves an image alone
            in which it finds nothing.
        variant: of the task, e.g. ``"fast"``; None for the best shipped variant.
        strength, level, samples, seed, self_ensemble, direct, tile, memory, white: see :class:`RestoreOptions`.
        device, engine, threads: see :func:`undegrade.inference.engines.make_engine`.
        progress: called after each tile with the fraction done, 0 to 1.

    Returns:
        The same kind of array or tensor; ``scale`` times as large along each side for super-resolution.

    Raises:
        UndegradeError: not an image, an unknown task or variant, options out of range, or no weights are shipped.
    """
    options = RestoreOptions(strength, level, samples, seed, self_ensemble, direct, tile, memory, white)
    pipeline = load_pipeline(task, variant, device=device, engine=engine, threads=threads)
    if task is not None:
        return pipeline.run(image, options, progress).image
    if level is not None:
        raise UndegradeError("a level replaces the estimate of one task; give the task too, e.g. 'gaussian' or 'jpeg'.")
    layout = Layout.of(image)
    images = layout.images(image)
    return layout.back(
        [_restored(pipeline, x, options, _share(progress, i, len(images))) for i, x in enumerate(images)]
    )


def _restored(pipeline: Pipeline, x: Image, options: RestoreOptions, progress: Callable[[float], None] | None) -> Image:
    """An image (H, W, C) restored by the universal model, or a copy of it if nothing is found in it."""
    choice = select_task(x, pipeline, options)
    if choice.pipeline is None:
        if progress is not None:
            progress(1.0)
        return np.array(x)
    restored: Image = pipeline.run(x, options, progress, choice.look).image
    return restored


def _share(progress: Callable[[float], None] | None, i: int, count: int) -> Callable[[float], None] | None:
    """The progress of the i-th of several images, as a part of that of all."""
    return None if progress is None else lambda fraction: progress((i + fraction) / count)


@functools.cache
def _shipped(
    task: str, variant: str | None, device: str | None, half: bool, engine: str | None, threads: int | None
) -> Pipeline:
    found = read_weights(find_weights(task, tuple(TASKS[task].variants) if variant is None else (variant,)))
    return _pipeline(found, device, half, engine, threads)


def _pipeline(weights: Weights, device: str | None, half: bool, engine: str | None, threads: int | None) -> Pipeline:
    return Pipeline(make_engine(weights, device, half, engine, threads), TASKS[weights.card.task], weights.card)
