"""Loads a model by name or from a file, and restores an image in one call."""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.image import Picture
from undegrade.inference.arrays import Image, Layout
from undegrade.inference.calls import Array, Progress
from undegrade.inference.clean_first import after, before, choose, cleaned, in_steps
from undegrade.inference.engines import check_int8, check_threads, make_engine
from undegrade.inference.given import opened
from undegrade.inference.one_image import in_two_steps
from undegrade.inference.options import Restoration, RestoreOptions
from undegrade.inference.origin import Origin
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import UNIVERSAL, select_task
from undegrade.tasks import TASKS, check_variant, task_named
from undegrade.weights.card import Weights, find_weights, read_weights, shipped_cards
from undegrade.weights.int8 import read_int8
from undegrade.weights.names import weights_file

if TYPE_CHECKING:
    import PIL.Image


def load_pipeline(
    task: str | None = None,
    variant: str | None = None,
    weights: str | PathLike[str] | None = None,
    device: str | None = None,
    half: bool = False,
    engine: str | None = None,
    threads: int | None = None,
    draft: bool = False,
) -> Pipeline:
    """A pipeline from shipped weights (cached for the next call) or from your own weights file.

    Args:
        task: a name in ``TASKS``, or the name of a shipped model as messages have it, ``"gaussian-fast"``; None for the
            task of ``weights``, else the universal one.
        variant: of the task, e.g. ``"fast"``; None for the best shipped variant.
        weights: a safetensors file with its card in the same folder, or the name of a shipped model.
        device, half, engine, threads: see :func:`undegrade.inference.engines.make_engine`.
        draft: compute in int8, on the CPU: faster, and a little less exact. The int8 form of the weights lies beside
            them, as ``NAME-int8.safetensors``.

    Raises:
        UndegradeError: an unknown task or variant, no such weights, or weights of another task or variant; no int8 form
            of them; or see :func:`undegrade.inference.engines.make_engine`.
    """
    for name, value in (("task", task), ("variant", variant)):
        if value is not None and not isinstance(value, str):
            raise UndegradeError(f"{name} is {value!r:.60}; give its name as a text.")
    check_threads(threads)  # before it is a key of the cache
    task, variant = _of_name(task, variant)
    device = str(device) if device is not None else None
    if weights is None:
        task = task or UNIVERSAL
        if variant is not None:
            check_variant(TASKS[task], variant)
        return _shipped(task, variant, _How(device, half, engine, threads, draft))
    if not isinstance(weights, str | PathLike):
        raise UndegradeError(f"weights are {weights!r:.60}; give the path of a safetensors file.")
    path = weights_file(weights)
    found = read_weights(path)
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
        return _pipeline(found, path, _How(device, half, engine, threads, draft))
    except UndegradeError as error:
        raise UndegradeError(f"{weights}: {error}") from error


# fmt: off
@overload
def restore(
    image: str | PathLike[str] | Picture, task: str | None = ..., variant: str | None = ..., *, strength: float = ...,
    level: float | None = ..., samples: int = ..., seed: int = ..., self_ensemble: bool = ..., direct: bool = ...,
    tile: int | None = ..., memory: float | None = ..., white: float | None = ..., uncertainty: bool = ...,
    device: str | None = ..., engine: str | None = ..., threads: int | None = ..., draft: bool = ...,
    keep_degradation: bool = ..., progress: Progress | None = ...,
) -> Restoration[Image]: ...
@overload
def restore(
    image: PIL.Image.Image, task: str | None = ..., variant: str | None = ..., *, strength: float = ...,
    level: float | None = ..., samples: int = ..., seed: int = ..., self_ensemble: bool = ..., direct: bool = ...,
    tile: int | None = ..., memory: float | None = ..., white: float | None = ..., device: str | None = ...,
    engine: str | None = ..., threads: int | None = ..., draft: bool = ..., keep_degradation: bool = ...,
    progress: Progress | None = ...,
) -> PIL.Image.Image: ...
@overload
def restore(
    image: Array, task: str | None = ..., variant: str | None = ..., *, strength: float = ...,
    level: float | None = ..., samples: int = ..., seed: int = ..., self_ensemble: bool = ..., direct: bool = ...,
    tile: int | None = ..., memory: float | None = ..., white: float | None = ..., device: str | None = ...,
    engine: str | None = ..., threads: int | None = ..., draft: bool = ..., keep_degradation: bool = ...,
    progress: Progress | None = ...,
) -> Array: ...
# fmt: on
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
    uncertainty: bool = False,
    device: str | None = None,
    engine: str | None = None,
    threads: int | None = None,
    draft: bool = False,
    keep_degradation: bool = False,
    progress: Progress | None = None,
) -> Any:
    """Restore an image with shipped weights.

    Args:
        image: an array (H, W), (H, W, C) or (B, H, W, C), or a tensor (H, W), (C, H, W) or (B, C, H, W), of uint8,
            uint16, or floats nominally in [0, 1]; an image of Pillow; or the path of a picture file. C is 1 for grey
            and 3 for RGB, or 2 and 4 with alpha, which comes back as it was.
        task: a name in ``TASKS``, or that of a shipped model, ``"gaussian-fast"``; None for the universal model, which
            finds out what happened and leaves an image alone in which it finds nothing.
        variant: of the task, e.g. ``"fast"``; None for the best shipped variant.
        strength, level, samples, seed, self_ensemble, direct, tile, memory, white: see :class:`RestoreOptions`.
        uncertainty: of a file, see :class:`RestoreOptions`; an array, a tensor or an image comes back alone, without
            room for it.
        device, engine, threads: see :func:`undegrade.inference.engines.make_engine`.
        draft: see :func:`load_pipeline`.
        keep_degradation: of tasks that enlarge: enlarge noise and compression too, instead of removing them first. A
            pipeline, which is one model, does no more than enlarge.
        progress: called after each tile with the fraction done, 0 to 1.

    Returns:
        The same kind of array, tensor or image; ``scale`` times as large along each side for super-resolution. Of a
        file, what a pipeline returns: a :class:`Restoration` with ``image``, ``estimate`` and ``save(path)``.

    Raises:
        UndegradeError: not an image, a file that cannot be read, an unknown task or variant, options out of range, or
            no weights are shipped.
    """
    options = RestoreOptions(strength, level, samples, seed, self_ensemble, direct, tile, memory, white, uncertainty)
    pipeline = load_pipeline(task, variant, device=device, engine=engine, threads=threads, draft=draft)
    image = opened(image)
    if uncertainty:
        if not isinstance(image, Picture):
            raise UndegradeError(
                "the restored image comes back alone here, without its uncertainty; use "
                "undegrade.load(...)(image, uncertainty=True)."
            )
        pipeline.check_scale_head()  # also if the picture is then left alone
    if task is not None:
        if pipeline.architecture.scale > 1 and not keep_degradation:
            universal = load_pipeline(UNIVERSAL, device=device, engine=engine, threads=threads, draft=draft)
            return _enlarged(pipeline, universal, image, options, progress)
        found = pipeline.run(image, options, progress)
        return found if isinstance(image, Picture) else found.image
    if level is not None:
        raise UndegradeError("a level replaces the estimate of one task; give the task too, e.g. 'gaussian' or 'jpeg'.")
    if isinstance(image, Picture):
        return _restored_file(pipeline, image, options, progress)
    layout = Layout.of(image)
    images = layout.shown(image)
    return layout.back(
        [_restored(pipeline, x, options, _share(progress, i, len(images))) for i, x in enumerate(images)]
    )


def _restored_file(
    pipeline: Pipeline, picture: Picture, options: RestoreOptions, progress: Progress | None
) -> Restoration[Image]:
    """The picture of a file restored by the universal model, or as it is if nothing is found in it."""
    looking, restoring = in_two_steps(progress)
    choice = select_task(picture.visible, pipeline, options, picture.quality, looking)
    if choice.pipeline is None:
        if progress is not None:
            progress(1.0)
        std = np.zeros(picture.pixels.shape[:2], np.float32) if options.samples else None
        estimate, spread = (None if choice.look is None else choice.look.numbers) or (None, None)
        found = Restoration(picture.array, estimate, spread, std)
    else:
        found = pipeline.run(picture, options, restoring, choice.look)
    return replace(found, origin=Origin(picture, pipeline.name, pipeline.quantity, choice.reason))


def _enlarged(
    pipeline: Pipeline, universal: Pipeline, image: Any, options: RestoreOptions, progress: Progress | None
) -> Any:
    """What :func:`restore` returns for a task that enlarges, where noise and compression are removed first."""
    looking, restoring = in_two_steps(progress)
    if isinstance(image, Picture):
        given, choice = image, choose(pipeline, image.visible, lambda: universal, options, image.quality, looking)
        if choice.first is None:
            return pipeline.run(image, options, restoring)
        cleaning, enlarging = in_steps(restoring)
        image, _ = cleaned(image, choice.first, options, cleaning)
        found = pipeline.run(image, after(options), enlarging)
        return replace(found, origin=Origin(given, pipeline.name, pipeline.quantity, f"{choice.first.reason}, first"))
    layout = Layout.of(image)
    images = layout.shown(image)
    cleaning, enlarging = in_steps(progress)
    clean = [_restored(universal, x, before(options), _share(cleaning, i, len(images))) for i, x in enumerate(images)]
    return pipeline.run(layout.back(clean), options, enlarging).image


def _of_name(task: str | None, variant: str | None) -> tuple[str | None, str | None]:
    """Task and variant, also if the task was given as the name of a shipped model."""
    if task is None or task in TASKS:
        return task, variant
    for card in shipped_cards():
        if card.name == task:
            if variant not in (None, card.variant):
                raise UndegradeError(
                    f"{task} is the variant {card.variant!r} of the task {card.task}, not {variant!r}; leave one out."
                )
            return card.task, card.variant
    if task.endswith(".safetensors"):
        raise UndegradeError(f"there is no task {task!r}; give a file of weights as weights={task!r}.")
    task_named(task)
    return task, variant


def _restored(pipeline: Pipeline, x: Image, options: RestoreOptions, progress: Progress | None) -> Image:
    """An image (H, W, C) restored by the universal model, or a copy of it if nothing is found in it."""
    looking, restoring = in_two_steps(progress)
    choice = select_task(x, pipeline, options, progress=looking)
    if choice.pipeline is None:
        if progress is not None:
            progress(1.0)
        return np.array(x)
    restored: Image = pipeline.run(x, options, restoring, choice.look).image
    return restored


def _share(progress: Progress | None, i: int, count: int) -> Progress | None:
    """The progress of the i-th of several images, as a part of that of all."""
    return None if progress is None else lambda fraction: progress((i + fraction) / count)


class _How(NamedTuple):
    """What a pipeline computes with, see :func:`load_pipeline`."""

    device: str | None
    half: bool
    engine: str | None
    threads: int | None
    draft: bool


@functools.cache
def _shipped(task: str, variant: str | None, how: _How) -> Pipeline:
    path = find_weights(task, tuple(TASKS[task].variants) if variant is None else (variant,))
    return _pipeline(read_weights(path), path, how)


def _pipeline(weights: Weights, path: Path | Traversable, how: _How) -> Pipeline:
    card, int8 = weights.card, None
    if how.draft:
        check_int8(how.device, how.half, how.engine)
        int8 = read_int8(path, card)
        # The results are those of the int8 file; what was measured of the other's intervals does not hold for it.
        card = replace(card, sha256=int8.card.sha256, scale_head={}, intervals={})
    return Pipeline(make_engine(weights, how.device, how.half, how.engine, how.threads, int8), TASKS[card.task], card)
