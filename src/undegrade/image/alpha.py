"""Transparency: enlarged with the picture, colours that a file stores multiplied by it, and colours that it hides."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS = 128
"""Height of a strip: the division needs more memory than the pixels."""


def unmultiplied(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Divide colours by alpha, (H, W, C) whose last channel is alpha; rounded, and 0 where alpha is 0."""
    top = np.iinfo(stored.dtype).max
    result = stored.copy()
    for row in range(0, len(stored), _ROWS):
        strip = stored[row : row + _ROWS].astype(np.uint64)
        alpha = strip[..., -1:]
        colours = np.minimum((strip[..., :-1] * top + alpha // 2) // np.maximum(alpha, 1), top)
        result[row : row + _ROWS, :, :-1] = np.where(alpha > 0, colours, 0).astype(stored.dtype)
    return result


def enlarged(alpha: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Enlarge alpha, (H, W), by bicubic interpolation on the grid of ordinary resizers; of the same type.

    Constant alpha stays constant. Floats are in [0, 1].
    """
    from PIL import Image

    plane = Image.fromarray(np.asarray(alpha, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    larger: npt.NDArray[np.float32] = np.asarray(plane)
    if np.issubdtype(alpha.dtype, np.floating):
        return larger.clip(0, 1).astype(alpha.dtype)
    return np.rint(larger).clip(0, np.iinfo(alpha.dtype).max).astype(alpha.dtype)


def continued(colours: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Colours, (H, W, C), where alpha, (H, W), is 0: those of the visible pixels around, in place of what is hidden.

    A network sees neighbours: what nobody sees would colour the edge of what everybody sees. Visible pixels count by
    their alpha, the closer ones alone: block means, of ever larger blocks until each holds a visible pixel. What is
    visible stays as it is. Where nothing is hidden, or everything, the result is what was given, no copy.
    """
    hidden = alpha <= 0
    if not hidden.any() or hidden.all():
        return colours
    h, w = alpha.shape
    levels = [_halved_strips(colours, alpha)]
    while (levels[-1][..., -1] == 0).any():
        levels.append(_halved(levels[-1]))
    around = _divided(levels.pop())
    while levels:
        finer = levels.pop()
        coarser = _doubled(around, *finer.shape[:2])
        around = np.where(finer[..., -1:] > 0, _divided(finer), coarser)
    result = colours.copy()
    for row in range(0, h, _ROWS):
        strip = slice(row, min(row + _ROWS, h))
        if not hidden[strip].any():
            continue
        # One row of blocks more on either side, which the interpolation needs.
        top, bottom = max(row // 2 - 1, 0), min((strip.stop + 1) // 2 + 1, len(around))
        fill = _doubled(around[top:bottom], 2 * (bottom - top), w)[row - 2 * top :][: strip.stop - row]
        if np.issubdtype(colours.dtype, np.integer):
            fill = np.rint(fill)
        result[strip] = np.where(hidden[strip, :, None], fill.astype(colours.dtype), colours[strip])
    return result


def with_hidden(shown: npt.NDArray[Any], given: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``shown`` with the colours of ``given`` where alpha, (H, W), is 0; both (H, W) or (H, W, C)."""
    hidden = alpha <= 0
    if not hidden.any():
        return shown
    result = shown.copy()
    result[hidden] = given[hidden]
    return result


def _halved_strips(colours: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The sums over blocks of 2x2 of colours times alpha, and of alpha: (H, W, C) -> (ceil(H/2), ceil(W/2), C + 1)."""
    strips = []
    for row in range(0, len(alpha), _ROWS):
        weight = alpha[row : row + _ROWS, :, None].astype(np.float32).clip(min=0)
        strips.append(_halved(np.concatenate([colours[row : row + _ROWS] * weight, weight], 2, dtype=np.float32)))
    return np.concatenate(strips)


def _halved(sums: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    h, w, channels = sums.shape
    even = np.pad(sums, ((0, h % 2), (0, w % 2), (0, 0)))
    blocks: npt.NDArray[np.float32] = even.reshape(-(-h // 2), 2, -(-w // 2), 2, channels).sum((1, 3))
    return blocks


def _divided(sums: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean colours of blocks; of those without a visible pixel any."""
    weight = sums[..., -1:]
    means: npt.NDArray[np.float32] = np.divide(sums[..., :-1], np.where(weight > 0, weight, 1), dtype=np.float32)
    return means


def _doubled(means: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """Bilinear interpolation of block means to pixels, cut to a size."""
    for axis, size in ((0, height), (1, width)):
        means = means.swapaxes(0, axis)
        edge = np.concatenate([means[:1], means, means[-1:]])
        near, before, after = np.float32(0.75) * means, np.float32(0.25) * edge[:-2], np.float32(0.25) * edge[2:]
        means = np.stack([near + before, near + after], 1).reshape(-1, *means.shape[1:])[:size].swapaxes(0, axis)
    return means
