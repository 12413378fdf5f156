"""Projects a restoration onto the quantisation intervals of its JPEG file.

The network reads only pixels. The file also holds the quantisation steps: each DCT coefficient of the original lies
within half a step of the stored value. The change made by the restoration is transformed to the DCT blocks of the file,
where

    d' = w(t) clip(d, -t/2, t/2),    w(t) = 1 - exp(-t / STEP)

for the change d of a coefficient and its step t. The clip can only bring the result closer to the original. The weight
w(t) combines file and network: with fine steps the stored value is closer to the original, with coarse steps the
network's value is. ``reproduce/jpeg_projection.py`` measures both.

Subsampled Cb and Cr are projected at their samples; differences between the samples are not restricted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.colour import BT601
from undegrade.image import Coding, Picture, Pixels
from undegrade.image.picture import as_stored
from undegrade.inference.look import Look
from undegrade.inference.options import Restoration, RestoreOptions

if TYPE_CHECKING:
    from undegrade.inference.pipeline import Pipeline

STEP = 6.0
"""The step where w = 63 %: slightly above the steps at which network and file are equally close to the original."""

_ROWS = 128
"""Approximate height of a strip."""

EARLIER = 10
"""If the estimated quality is lower than the header's by more than this, the file was saved before with other steps."""
RESAVE_LIMIT = 93
"""From this JPEG quality on, saving a restored picture as a JPEG again costs more than the restoration gains."""

QUALITY, NOISE = "JPEG quality", "noise level"
"""Names of what is estimated."""
NOISY = 2.0
"""From this noise level on the original was noisy, in 8-bit levels."""

Plane = npt.NDArray[np.float32]


def restored(
    pipeline: Pipeline,
    picture: Picture,
    options: RestoreOptions,
    progress: Callable[[float], None] | None = None,
    look: Look | None = None,
) -> Restoration[Any]:
    """Restore the pixels of a file, and project them where that applies.

    Args:
        pipeline: see :meth:`Pipeline.run`.
        picture: what was read from the file.
        options: see :meth:`Pipeline.run`.
        progress: see :meth:`Pipeline.run`.
        look: see :meth:`Pipeline.run`.

    Returns:
        Its image has the pixels without alpha.
    """
    found = pipeline.run(picture.visible, options, progress, look)
    if found.scale is not None and picture.quality is not None:
        found = replace(found, widths=pipeline.widths(found.estimate, picture.quality))
    if applies(pipeline, picture, found.estimate, options):
        assert picture.coding is not None  # checked by applies()
        project(found.image, picture.pixels, picture.coding, room=max(options.strength, 1.0))
    return found


def applies(pipeline: Pipeline, picture: Picture, estimate: Iterable[float] | None, options: RestoreOptions) -> bool:
    """Whether the projection applies: the task removes JPEG artifacts and the header describes the compression.

    It does not apply if the file was saved before with a lower quality, if the original was noisy, which the file's
    coefficients then describe, or if the user replaces the quality.

    Args:
        pipeline: of the task.
        picture: what was read from the file.
        estimate: (P,), of the pipeline's estimator; None if there is none.
        options: of the restoration.
    """
    if not _removes_artifacts(pipeline) or picture.coding is None or picture.quality is None:
        return False
    names = [] if pipeline.quantity is None else [name for name, _ in pipeline.quantity.parts]
    values = {} if estimate is None else dict(zip(names, map(float, estimate), strict=True))
    seen, noise = values.get(QUALITY), values.get(NOISE)
    earlier = seen is not None and seen < picture.quality - EARLIER
    noisy = noise is not None and noise >= NOISY
    return not earlier and not noisy and options.level is None


def is_better_left(pipeline: Pipeline, picture: Picture, options: RestoreOptions) -> bool:
    """Whether restoring a JPEG and saving it as a JPEG again would move it away from its original."""
    if not _removes_artifacts(pipeline) or picture.quality is None:
        return False
    forced = options.strength > 1 or options.samples > 0 or options.uncertainty or options.level is not None
    return picture.quality >= RESAVE_LIMIT and not forced


def _removes_artifacts(pipeline: Pipeline) -> bool:
    return any(name == QUALITY for name, _ in pipeline.task.degradation.quantity.parts)


def project(restored: Pixels, given: Pixels, coding: Coding, room: float = 1.0) -> None:
    """Project a restoration onto the quantisation intervals of its file.

    Args:
        restored: uint8, (H, W) or (H, W, 3); changed in place.
        given: the decoded pixels that were restored, same shape.
        coding: quantisation steps, sampling and orientation of the file.
        room: factor on the width of the intervals, for a strength above 1.
    """
    inside, y = as_stored(restored, coding.orientation), as_stored(given, coding.orientation)
    tables = [np.array(steps, np.float32).reshape(8, 1, 8) for steps in coding.steps]
    whole = 8 * coding.sampling[0]
    rows = max(_ROWS // whole, 1) * whole
    for row in range(0, len(y), rows):
        strip = slice(row, row + rows)
        before = y[strip].astype(np.float32)
        change = _projected(inside[strip].astype(np.float32) - before, tables, coding.sampling, np.float32(room))
        inside[strip] = np.rint(before + change).clip(0, 255).astype(np.uint8)


def _projected(change: Plane, tables: list[Plane], sampling: tuple[int, int], room: np.float32) -> Plane:
    """Project the change of a strip, grey (h, w) or RGB (h, w, 3), in 8-bit levels."""
    if change.ndim == 2:
        return _at_samples(change, tables[0], (1, 1), room)
    r, g, b = np.moveaxis(change, -1, 0)
    red, green, blue = BT601
    to_blue, to_red = np.float32(2 * (1 - blue)), np.float32(2 * (1 - red))
    luma = g + np.float32(red) * (r - g) + np.float32(blue) * (b - g)  # this form keeps grey exactly grey
    cb, cr = (b - luma) / to_blue, (r - luma) / to_red
    luma = _at_samples(luma, tables[0], (1, 1), room)
    cb, cr = (_at_samples(c, t, sampling, room) for c, t in zip((cb, cr), tables[1:], strict=True))
    g = luma - np.float32(blue / green) * to_blue * cb - np.float32(red / green) * to_red * cr
    rgb: Plane = np.stack((luma + to_red * cr, g, luma + to_blue * cb), -1)
    return rgb


def _at_samples(plane: Plane, steps: Plane, sampling: tuple[int, int], room: np.float32) -> Plane:
    """Project one channel. ``sampling``: rows and columns of pixels per sample."""
    (h, w), (v, u) = plane.shape, sampling
    padded = np.pad(plane, ((0, -h % (8 * v)), (0, -w % (8 * u))), mode="edge")
    if (v, u) == (1, 1):
        inside: Plane = _in_blocks(padded, steps, room)[:h, :w]
        return inside
    samples = padded.reshape(padded.shape[0] // v, v, padded.shape[1] // u, u).mean((1, 3))
    moved = _in_blocks(samples, steps, room) - samples
    moved = moved.repeat(v, 0).repeat(u, 1)[:h, :w]
    result: Plane = plane + moved
    return result


def _in_blocks(plane: Plane, steps: Plane, room: np.float32) -> Plane:
    """The formula of the module docstring, on whole blocks: (8 m, 8 n) -> (8 m, 8 n)."""
    h, w = plane.shape
    d = (_DCT @ plane.reshape(-1, 8, w)).reshape(-1, 8, w // 8, 8) @ _DCT.T
    half = steps * room / 2
    d = np.clip(d, -half, half) * -np.expm1(-steps / np.float32(STEP))
    back: Plane = (_DCT.T @ (d @ _DCT).reshape(-1, 8, w)).reshape(h, w)
    return back


def _dct() -> Plane:
    """The orthonormal DCT-II matrix of T.81, (8, 8); each row is one frequency."""
    k, x = np.mgrid[:8, :8]
    cosines: Plane = (np.cos((2 * x + 1) * k * np.pi / 16) / 2).astype(np.float32)
    cosines[0] /= np.sqrt(np.float32(2))
    return cosines


_DCT = _dct()
