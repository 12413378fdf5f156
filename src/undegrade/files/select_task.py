"""Which task a picture needs, when nobody says: a rule that looks at the picture, and says why.

1. Noise everywhere? The gaussian estimator's map is read at its tenth percentile, the quietest places. White noise is
   there too, at nearly its full level; texture, which also looks like noise, is not. It is noise where that shows at
   least :data:`NOISE` levels, and at least :data:`EVEN` of the median.
2. A camera's noise reduction hides noise from that reading. So the real task, where there are weights for it, tries its
   hand at the middle of the picture, and what it takes away is read in the same way, but for :data:`TAKEN_EVEN`.
3. Where neighbouring pixels share the noise (:func:`noise_correlation`), as they do after a camera's demosaicing, the
   real task removes it; otherwise the gaussian task does, where it sees it.
4. Saved as a JPEG once? Where the file's header tells a quality under :data:`REPAIR_BELOW`, or the pixels show one
   under :data:`REPAIR_BELOW_SEEN`, the jpeg task repairs it; the pixels know of an earlier saving.
5. Otherwise the picture is left alone: restoring a clean picture costs some of its finest texture.

Enlarging is never chosen: it changes the picture's size, and only a person knows whether that is wanted.
``reproduce/choice.py`` measures how often the rule is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, centre, to_float
from undegrade.inference.pipeline import TILE, Pipeline

NOISE = 2.0
"""8-bit levels in the quietest places from which on there is noise to remove."""
EVEN = 0.6
"""Share of the median that the quietest places show at least, if it is noise and no texture."""
TAKEN_EVEN = 0.4
"""The same of what the real task takes away: little from texture; and a camera's noise differs with brightness."""
CORRELATED = 0.15
"""Correlation of neighbours' noise from which on it is a camera's: white noise has none, demosaiced noise 0.25."""
REPAIR_BELOW = 85
"""JPEG quality under which there are artifacts worth the repair."""
REPAIR_BELOW_SEEN = 80
"""The same where only the pixels tell, since that is off by two or three: pictures saved once at 92 read down to 84."""

_BLOCK = 16
_BLOCKS = 1 << 14
_QUIET = 0.1
_NOTHING = 1e-12
"""Variance below which there is no noise: the rounding to 16 bits has 2e-11, that of this computation 1e-30."""


@dataclass(frozen=True)
class Choice:
    """What is done with a picture.

    Attributes:
        pipeline: restores it; None to leave the picture alone.
        reason: why, for people, without a full stop; empty where the task was given.
    """

    pipeline: Pipeline | None
    reason: str = ""


def select_task(
    image: Image, load: Callable[[str], Pipeline], tile: int | None = None, quality: int | None = None
) -> Choice:
    """Apply the rule.

    Args:
        image: (H, W) or (H, W, 3).
        load: gives a task's pipeline by its name, or raises a UndegradeError where there is none; asked only for those
        that
            the rule needs.
        tile: see :class:`Pipeline`.
        quality: of the file, if it is a JPEG and its header tells.
    """
    gaussian, real = load("gaussian"), _if_there(load, "real")
    levels = gaussian.estimate_map(image, tile=tile).map[0]
    quiet, median = np.percentile(levels, (10, 50))
    white = _is_noise(quiet, median, EVEN)
    taken, usual = (0.0, 0.0) if real is None else _taken_away(real, image, tile)
    if white or _is_noise(taken, usual, TAKEN_EVEN):
        shared = noise_correlation(image)
        if real is not None and shared is not None and shared >= CORRELATED:
            reason = f"even its quietest places have a noise level of {max(quiet, taken):.1f}"
            return Choice(real, f"task real, since {reason}, shared by neighbours as a camera's is ({shared:.2f})")
        if white:
            return Choice(gaussian, f"task gaussian, since even its quietest places have a noise level of {quiet:.1f}")
    jpeg = _if_there(load, "jpeg")
    if jpeg is not None:
        seen = float(jpeg.estimate(image, tile=tile)[0])
        if seen < REPAIR_BELOW_SEEN and (quality is None or seen < quality):
            return Choice(jpeg, f"task jpeg, since its pixels look like a JPEG quality of {seen:.0f}")
        if quality is not None and quality < REPAIR_BELOW:
            return Choice(jpeg, f"task jpeg, since its header tells a JPEG quality of {quality}")
    if quiet < NOISE:
        return Choice(
            None, f"left alone: its quietest places have a noise level of {max(quiet, 0):.1f}, under {NOISE:g}"
        )
    return Choice(
        None, f"left alone: what looks like noise (level {median:.1f}) is texture, since the quietest places have "
        f"{quiet:.1f}"
    )  # fmt: skip


def _is_noise(quiet: float, median: float, even: float) -> bool:
    return quiet >= max(NOISE, even * median)


def _taken_away(real: Pipeline, image: Image, tile: int | None) -> tuple[float, float]:
    """What the real task changes in the middle of an image: root mean squares over blocks, in 8-bit levels.

    Returns:
        Their tenth percentile and their median; 0 where fewer than sixteen blocks are not clipped.
    """
    y = np.atleast_3d(centre(image, TILE))
    restored = np.atleast_3d(real(y, tile=tile).image)
    before, after = (np.stack([_blocks(x[..., i]) for i in range(x.shape[2])], 1) for x in (y, restored))
    changes = 255 * np.sqrt(np.square(after - before).mean((1, 2)))[_unclipped(before)]
    if len(changes) < 16:
        return 0.0, 0.0
    quiet, median = np.percentile(changes, (10, 50))
    return float(quiet), float(median)


def noise_correlation(image: Image) -> float | None:
    """Correlation of the noise of neighbouring pixels, over the quietest places.

    Blocks of 16 x 16 are freed of their quadratic trend; a tenth of them, those with the least variance, are taken for
    noise. Blocks at the ends of the range are left out, where clipping has taken the noise away. Of a large image some
    16,000 blocks are looked at, evenly spread.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), of which green is looked at: a camera sees it most often.

    Returns:
        -1 to 1, about 0 for white noise; None where fewer than eight blocks say something.
    """
    blocks = _blocks(image[..., image.shape[2] // 2] if image.ndim == 3 else image)
    inside = _unclipped(blocks)
    # In double precision: a flat picture's rest is then rounding far below what any file can hold, on every CPU.
    exact = blocks[inside].astype(np.float64)
    rest = exact - exact @ _TREND @ _TREND.T
    variances = rest.var(1)
    quietest = np.argsort(variances)[: max(int(_QUIET * len(rest)), 8)]
    if len(quietest) < 8 or variances[quietest].mean() < _NOTHING:
        return None
    noise = rest[quietest].reshape(-1, _BLOCK, _BLOCK)
    across, down = noise[:, :, 1:] * noise[:, :, :-1], noise[:, 1:] * noise[:, :-1]
    return float((across.mean() + down.mean()) / 2 / np.square(noise).mean())


def _blocks(plane: Image) -> npt.NDArray[np.float32]:
    """Blocks of 16 x 16 of one channel, (H, W) -> (N, 256), in [0, 1]; evenly spread over a large one."""
    h, w = (n // _BLOCK for n in plane.shape)
    step = math.ceil(max(math.sqrt(h * w / _BLOCKS), 1))
    grid = plane[: h * _BLOCK, : w * _BLOCK].reshape(h, _BLOCK, w, _BLOCK)[::step, :, ::step]
    return to_float(grid.swapaxes(1, 2).reshape(-1, _BLOCK**2))


def _unclipped(blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which blocks, (N, ...), have nine tenths of their values away from the ends of the range."""
    away: npt.NDArray[np.bool_] = ((blocks > 0.02) & (blocks < 0.98)).reshape(len(blocks), -1).mean(1) > 0.9
    return away


def _trend() -> npt.NDArray[np.float64]:
    """An orthonormal basis of the quadratic functions on a block, (256, 6)."""
    y, x = np.mgrid[:_BLOCK, :_BLOCK].reshape(2, -1)
    return np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1))[0]


_TREND = _trend()


def _if_there(load: Callable[[str], Pipeline], task: str) -> Pipeline | None:
    try:
        return load(task)
    except UndegradeError:  # no weights for it, or not of the wanted variant
        return None
