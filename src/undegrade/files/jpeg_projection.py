"""What a JPEG file still knows of its original: every coefficient, to within half a step.

The network sees pixels, whatever their past. A file knows more: which steps its coefficients were rounded to. What a
restoration changes is therefore brought into the blocks of the file, and there

    d' = w(t) clip(d, -t/2, t/2),    w(t) = 1 - exp(-t / STEP)

for a coefficient's change d and its step t. The original lies within half a step of what was stored, so that the first
part can only bring the result nearer to it. The second weighs two witnesses: with fine steps the stored value is nearer
to the original than anything a network can propose, with coarse ones the network is.
``reproduce/jpeg_projection.py`` measures both.

Cb and Cr are projected where they were sampled, if more coarsely than Y; between their samples the network is free.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from undegrade.degrade import Jpeg
from undegrade.degrade.colour import BT601
from undegrade.image import Coding, Picture, Pixels
from undegrade.image.picture import as_stored
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline

STEP = 6.0
"""Where w = 63 %: a little above the steps at which network and file are equally near to the original."""

_ROWS = 128
"""Of a strip, about."""

EARLIER = 10
"""If the pixels look so much worse than the header says, the file was saved before, in steps that it does not tell."""
RESAVE_LIMIT = 93
"""JPEG quality from which on saving a repaired picture as a JPEG again costs more than the repair gains."""

Plane = npt.NDArray[np.float32]


def applies(
    pipeline: Pipeline, picture: Picture, estimate: npt.NDArray[np.float64] | None, options: RestoreOptions
) -> bool:
    """Whether the file's header says more about its artifacts than its pixels do.

    It does where JPEG artifacts are removed, unless the file was saved before, or the user overrules the quality.
    """
    if not _removes_artifacts(pipeline) or picture.coding is None or picture.quality is None:
        return False
    earlier = estimate is not None and estimate[0] < picture.quality - EARLIER
    return not earlier and options.level is None


def is_better_left(pipeline: Pipeline, picture: Picture, options: RestoreOptions) -> bool:
    """Whether a repaired JPEG that is saved as a JPEG again would be further from its original than it is now."""
    if not _removes_artifacts(pipeline) or picture.quality is None:
        return False
    wanted = options.strength > 1 or options.samples > 0 or options.level is not None
    return picture.quality >= RESAVE_LIMIT and not wanted


def _removes_artifacts(pipeline: Pipeline) -> bool:
    return isinstance(pipeline.task.degradation, Jpeg)


def project(restored: Pixels, given: Pixels, coding: Coding, room: float = 1.0) -> None:
    """Bring a restoration to where its file says that the original was.

    Args:
        restored: uint8, (H, W) or (H, W, 3); changed in place.
        given: the pixels that it was restored from, as the file gave them.
        coding: of the file.
        room: widens the intervals, for a strength beyond 1.
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
    """A strip's change in grey or RGB, (h, w) or (h, w, 3), in levels."""
    if change.ndim == 2:
        return _at_samples(change, tables[0], (1, 1), room)
    r, g, b = np.moveaxis(change, -1, 0)
    red, green, blue = BT601
    to_blue, to_red = np.float32(2 * (1 - blue)), np.float32(2 * (1 - red))
    luma = g + np.float32(red) * (r - g) + np.float32(blue) * (b - g)  # so that grey stays exactly grey
    cb, cr = (b - luma) / to_blue, (r - luma) / to_red
    luma = _at_samples(luma, tables[0], (1, 1), room)
    cb, cr = (_at_samples(c, t, sampling, room) for c, t in zip((cb, cr), tables[1:], strict=True))
    g = luma - np.float32(blue / green) * to_blue * cb - np.float32(red / green) * to_red * cr
    rgb: Plane = np.stack((luma + to_red * cr, g, luma + to_blue * cb), -1)
    return rgb


def _at_samples(plane: Plane, steps: Plane, sampling: tuple[int, int], room: np.float32) -> Plane:
    """Project one channel, each sample of which stands for so many rows and columns of pixels."""
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
    """The formula of the module, on whole blocks: (8 m, 8 n) -> the same."""
    h, w = plane.shape
    d = (_DCT @ plane.reshape(-1, 8, w)).reshape(-1, 8, w // 8, 8) @ _DCT.T
    half = steps * room / 2
    d = np.clip(d, -half, half) * -np.expm1(-steps / np.float32(STEP))
    back: Plane = (_DCT.T @ (d @ _DCT).reshape(-1, 8, w)).reshape(h, w)
    return back


def _dct() -> Plane:
    """The orthonormal cosines of T.81: rows by frequency, (8, 8)."""
    k, x = np.mgrid[:8, :8]
    cosines: Plane = (np.cos((2 * x + 1) * k * np.pi / 16) / 2).astype(np.float32)
    cosines[0] /= np.sqrt(np.float32(2))
    return cosines


_DCT = _dct()
