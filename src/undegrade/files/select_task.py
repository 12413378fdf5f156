"""Selects the task for a picture when the user gives none, and states the reason.

1. Is there noise everywhere? The rule takes the 10th percentile of the gaussian estimator's map, i.e. the quietest
   positions. White noise has nearly its full level there; texture, which also looks like noise, does not. The picture
   is noisy if the percentile is at least :data:`NOISE` levels and at least :data:`EVEN` times the median.
2. The noise reduction of a camera hides noise from this estimate. If weights for the real task exist, it therefore
   restores the centre of the picture, and the same rule is applied to what it removes, with :data:`TAKEN_EVEN`.
3. If the noise of neighbouring pixels is correlated (:func:`noise_correlation`), as after a camera's demosaicing, the
   real task is selected; otherwise the gaussian task, if rule 1 found noise.
4. Was it saved as a JPEG? If the quality in the header is below :data:`REPAIR_BELOW`, or the quality estimated from the
   pixels is below :data:`REPAIR_BELOW_SEEN`, the jpeg task is selected. The pixels also show earlier compressions.
5. Otherwise the picture is left alone: restoring a clean picture loses some of its finest texture.

Super-resolution is never selected, because it changes the size of the picture; the user must request it.
``reproduce/task_choice.py`` measures how often the rule is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, centre, to_float
from undegrade.inference.pipeline import Pipeline

NOISE = 2.0
"""Lowest noise level of the quietest positions, in 8-bit levels, that counts as noise."""
EVEN = 0.6
"""Noise, not texture, if the quietest positions have at least this fraction of the median level."""
TAKEN_EVEN = 0.4
"""The same for what the real task removes. Lower, as it removes little texture and camera noise varies in strength."""
CORRELATED = 0.15
"""Lowest correlation of neighbouring pixels' noise that counts as camera noise: white noise 0, demosaiced 0.25."""
REPAIR_BELOW = 85
"""A JPEG with a lower quality in its header is restored."""
REPAIR_BELOW_SEEN = 80
"""The same for the estimated quality. It is off by two or three: pictures saved once at 92 are estimated down to 84."""

_MIDDLE = 512
"""Side of the part of a picture that the real task is tried on, in pixels."""
_BLOCK = 16
_BLOCKS = 1 << 14
_QUIET = 0.1
_NOTHING = 1e-12
"""Variances below this are not noise: rounding to 16 bits gives 2e-11, the rounding of this computation 1e-30."""


@dataclass(frozen=True)
class Choice:
    """The selected pipeline for a picture.

    Attributes:
        pipeline: restores it; None to leave the picture alone.
        reason: for the selection, in words, without a full stop; empty if the user gave the task.
    """

    pipeline: Pipeline | None
    reason: str = ""


def select_task(
    image: Image, load: Callable[[str], Pipeline], tile: int | None = None, quality: int | None = None
) -> Choice:
    """Apply the rule.

    Args:
        image: (H, W) or (H, W, 3).
        load: returns the pipeline of a task by name, or raises UndegradeError if there is none; called only for tasks
            that the rule needs.
        tile: see :class:`undegrade.inference.options.RestoreOptions`.
        quality: from the header, if the file is a JPEG and its quality is known.
    """
    gaussian, real = load("gaussian"), _if_there(load, "real")
    levels = gaussian.estimate_map(image, tile=tile).map[0]
    quiet, median = np.percentile(levels, (10, 50))
    white = _is_noise(quiet, median, EVEN)
    taken, usual = (0.0, 0.0) if real is None else _taken_away(real, image, tile)
    if white or _is_noise(taken, usual, TAKEN_EVEN):
        shared = noise_correlation(image)
        if real is not None and shared is not None and shared >= CORRELATED:
            reason = f"even the quietest parts have a noise level of {max(quiet, taken):.1f}"
            return Choice(real, f"task real, since {reason}, correlated between pixels as a camera's is ({shared:.2f})")
        if white:
            return Choice(gaussian, f"task gaussian, since even the quietest parts have a noise level of {quiet:.1f}")
    jpeg = _if_there(load, "jpeg")
    if jpeg is not None:
        estimated = float(jpeg.estimate(image, tile=tile)[0])
        if estimated < REPAIR_BELOW_SEEN and (quality is None or estimated < quality):
            return Choice(jpeg, f"task jpeg, since the JPEG quality estimated from the pixels is {estimated:.0f}")
        if quality is not None and quality < REPAIR_BELOW:
            return Choice(jpeg, f"task jpeg, since the JPEG quality in the header is {quality}")
    if quiet < NOISE:
        return Choice(
            None, f"left alone: the quietest parts have a noise level of {max(quiet, 0):.1f}, below {NOISE:g}"
        )
    return Choice(
        None, f"left alone: what looks like noise (level {median:.1f}) is texture, since the quietest parts have "
        f"{quiet:.1f}"
    )  # fmt: skip


def _is_noise(quiet: float, median: float, even: float) -> bool:
    return quiet >= max(NOISE, even * median)


def _taken_away(real: Pipeline, image: Image, tile: int | None) -> tuple[float, float]:
    """The change by the real task at the centre of an image: root mean squares over blocks, in 8-bit levels.

    Returns:
        Their 10th percentile and their median; zeros if fewer than 16 blocks are not clipped.
    """
    y = np.atleast_3d(centre(image, _MIDDLE))
    restored = np.atleast_3d(real(y, tile=tile).image)
    before, after = (np.stack([_blocks(x[..., i]) for i in range(x.shape[2])], 1) for x in (y, restored))
    changes = 255 * np.sqrt(np.square(after - before).mean((1, 2)))[_unclipped(before)]
    if len(changes) < 16:
        return 0.0, 0.0
    quiet, median = np.percentile(changes, (10, 50))
    return float(quiet), float(median)


def noise_correlation(image: Image) -> float | None:
    """Correlation of the noise of neighbouring pixels in the quietest blocks.

    The quadratic trend of each 16 x 16 block is subtracted. The tenth of the blocks with the smallest variance is
    used as noise. Blocks near black or white are left out, because clipping removes noise there. In a large image
    about 16,000 evenly spaced blocks are used.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3). In colour, green is used: cameras sample it most densely.

    Returns:
        -1 to 1, about 0 for white noise; None if fewer than 8 blocks can be used or they have no noise.
    """
    blocks = _blocks(image[..., image.shape[2] // 2] if image.ndim == 3 else image)
    inside = _unclipped(blocks)
    # In double precision: the residual of a flat picture is then rounding, far below any file's precision on any CPU.
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
    """Blocks of 16 x 16 of one channel, (H, W) -> (N, 256), in [0, 1]; a subset, evenly spaced, of a large channel."""
    h, w = (n // _BLOCK for n in plane.shape)
    step = math.ceil(max(math.sqrt(h * w / _BLOCKS), 1))
    grid = plane[: h * _BLOCK, : w * _BLOCK].reshape(h, _BLOCK, w, _BLOCK)[::step, :, ::step]
    return to_float(grid.swapaxes(1, 2).reshape(-1, _BLOCK**2))


def _unclipped(blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Mask of the blocks, (N, ...), with more than 90 % of their values inside (0.02, 0.98)."""
    away: npt.NDArray[np.bool_] = ((blocks > 0.02) & (blocks < 0.98)).mean(tuple(range(1, blocks.ndim))) > 0.9
    return away


def _trend() -> npt.NDArray[np.float64]:
    """An orthonormal basis of the quadratic functions on a block, (256, 6)."""
    y, x = np.mgrid[:_BLOCK, :_BLOCK].reshape(2, -1)
    return np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1))[0]


_TREND = _trend()


def _if_there(load: Callable[[str], Pipeline], task: str) -> Pipeline | None:
    try:
        return load(task)
    except UndegradeError:  # no weights for this task or variant
        return None
