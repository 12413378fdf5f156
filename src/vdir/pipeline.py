"""Arrays in, arrays of the same kind out: exact tiles, grey and colour, self-ensemble, estimates.

An image is an array (H, W), (H, W, 1) or (H, W, 3): uint8, uint16, or floats that are nominally in [0, 1]
and may lie outside. It is worked on tile by tile, straight from the caller's array into the result, so that
memory is bounded by the tile, not by the image; :mod:`vdir.tiles` says why the result is the whole image's.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vdir import hub
from vdir.arrays import Image, as_rows, from_float, luma, to_float, transformed
from vdir.errors import VdirError
from vdir.model import VDIR
from vdir.nets import LATENT_STRIDE
from vdir.tasks import TASKS, Task
from vdir.tiles import GRID, Tile, tiles

TILE = 512
"""Default side of a tile, in output pixels: beyond it nothing gets faster, only larger."""


class Restoration(NamedTuple):
    """What a pipeline returns.

    Attributes:
        image: the restored image, of the kind that was given, ``scale`` times as large along each side.
        estimate: (P,), f(T) in the units of the task's quantity; None where the task has no estimator.
    """

    image: Image
    estimate: npt.NDArray[np.float64] | None


class Pipeline:
    """A model ready to restore images.

    Attributes:
        model: on ``device``, in evaluation mode.
        task: what it restores.
        device: where it runs.
        card: of the weights, where they came from a file.
    """

    def __init__(
        self, model: VDIR, task: Task, device: str | torch.device = "cpu", card: hub.Card | None = None
    ) -> None:
        self.task = task
        self.device = _usable(device)
        # On the CPU this layout is up to twice as fast, and rounds the same whatever the tile's size.
        self.model: VDIR = model.eval().to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.card = card

    def __call__(
        self,
        image: Image,
        *,
        self_ensemble: bool = False,
        tile: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Restoration:
        """Restore an image and estimate its damage, encoding it once.

        Args:
            image: see the module; values outside [0, 1] are kept, not clipped.
            self_ensemble: the paper's "+": the mean over the eight flips and rotations, eight times the work.
                The estimate stays that of the image as given.
            tile: largest side of a tile in input pixels; changes memory and time, never the result.
            progress: called after each tile with the fraction done.

        Raises:
            VdirError: the array is not an image, or the model cannot take it.
        """
        source, side = as_rows(image), self._side(tile)
        self._check_channels(source)
        h, w, channels = source.shape
        s = self.model.architecture.scale
        out = np.empty((h * s, w * s, channels), image.dtype)
        total = np.zeros(out.shape, np.float32) if self_ensemble else None
        seen = self._empty_map(source)
        passes = 8 if self_ensemble else 1
        for i in range(passes):
            # Views of the source and of the result: what is written through the view lands upright.
            x = transformed(source, i)
            y = transformed(out if total is None else total, i)
            cuts = list(tiles(x.shape[0], x.shape[1], side, self.model.reach))
            for n, cut in enumerate(cuts, 1):
                restored = self._tile(x, cut, seen if i == 0 else None)
                target = y[_slices(cut, s)]
                target[...] = from_float(restored, image.dtype) if total is None else target + restored
                if progress is not None:
                    progress((i + n / len(cuts)) / passes)
        if total is not None:
            for row in range(0, len(out), TILE):
                out[row : row + TILE] = from_float(total[row : row + TILE] / np.float32(passes), image.dtype)
        return Restoration(out.reshape(out.shape[: image.ndim]), self._in_units(seen))

    def restore(self, image: Image, *, self_ensemble: bool = False, tile: int | None = None) -> Image:
        """The restored image alone; see :meth:`__call__`."""
        return self(image, self_ensemble=self_ensemble, tile=tile).image

    def estimate(self, image: Image, *, tile: int | None = None) -> npt.NDArray[np.float64]:
        """What the image suffers from, without restoring it.

        Returns:
            (P,), the mean of the estimator's map, in the units of the task's quantity.

        Raises:
            VdirError: as for :meth:`__call__`, or the task has no estimator.
        """
        source, side = as_rows(image), self._side(tile)
        self._check_channels(source)
        seen = self._empty_map(source)
        for cut in tiles(source.shape[0], source.shape[1], side, self.model.reach):
            self._encode(source, cut, seen)
        estimate = self._in_units(seen)
        if estimate is None:
            raise VdirError(f"the task {self.task.name} has no estimate to give; use another task.")
        return estimate

    def _encode(self, x: Image, cut: Tile, seen: Image | None) -> tuple[npt.NDArray[np.float32], Tensor, Tensor]:
        """One window of x as floats, as y and as its latent c; its estimates are noted in ``seen``."""
        rows, columns = cut
        window = to_float(x[rows.low : rows.high, columns.low : columns.high])
        with torch.inference_mode(), _full_precision(self.device):
            y = self._to_model(window)
            c = self.model.encode(y).mean
            if seen is not None:
                found = self.model.estimate(c)[0].cpu().numpy()
                outer, inner = _slices(cut, 1, LATENT_STRIDE), _slices(cut, 1, LATENT_STRIDE, inner=True)
                seen[:, *outer] = found[:, *inner]
        return window, y, c

    def _tile(self, x: Image, cut: Tile, seen: Image | None) -> npt.NDArray[np.float32]:
        """Restore one tile of x, (h scale, w scale, C); its estimates are noted in ``seen``."""
        window, y, c = self._encode(x, cut, seen)
        with torch.inference_mode(), _full_precision(self.device):
            xhat = self.model.restore(y, c)[0].permute(1, 2, 0).cpu().numpy()
        restored = xhat[_slices(cut, self.model.architecture.scale, inner=True)]
        return self._from_model(restored, window[_slices(cut, 1, inner=True)])

    def _to_model(self, window: npt.NDArray[np.float32]) -> Tensor:
        """(h, w, C) -> (1, model channels, h, w). Grey is given to a colour model as three equal channels."""
        channels = self.model.architecture.channels
        if channels == 1 and window.shape[2] == 3:
            window = luma(window)
        elif channels == 3 and window.shape[2] == 1:
            window = np.repeat(window, 3, axis=2)
        # (h, w, C) in memory is channels_last already.
        return torch.from_numpy(np.ascontiguousarray(window)).to(self.device).permute(2, 0, 1)[None]

    def _from_model(self, restored: npt.NDArray[np.float32], given: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The model's answer in the channels that were given."""
        if restored.shape[2] == given.shape[2]:
            return restored
        if given.shape[2] == 1:  # a colour model's three opinions of a grey image
            return (restored[..., :1] + restored[..., 1:2] + restored[..., 2:]) / np.float32(3)
        # New luma under the same chroma is the same change in R, G and B.
        return given + (restored - luma(given))

    def _check_channels(self, source: Image) -> None:
        a = self.model.architecture
        if a.channels == 1 and source.shape[2] == 3 and a.scale != 1:
            raise VdirError(f"this {self.task.name} model enlarges grey images only; give it a grey image.")

    def _side(self, tile: int | None) -> int:
        if tile is None:
            scale: int = self.model.architecture.scale
            return TILE // scale
        if tile < GRID:
            raise VdirError(f"a tile of {tile} pixels is too small; give at least {GRID}, or leave it out.")
        return tile // GRID * GRID

    def _empty_map(self, x: Image) -> Image | None:
        """Room for the estimator's answer for every latent position of x; None where the task has none."""
        if self.task.degradation is None:
            return None
        h, w = (-(-n // LATENT_STRIDE) for n in x.shape[:2])
        return np.empty((self.model.architecture.params, h, w), np.float32)

    def _in_units(self, seen: Image | None) -> npt.NDArray[np.float64] | None:
        if seen is None or self.task.degradation is None:
            return None
        estimate: npt.NDArray[np.float64] = seen.mean(axis=(1, 2), dtype=np.float64)
        return estimate * self.task.degradation.quantity.scale


def load_pipeline(
    task: str | None = None,
    variant: str | None = None,
    weights: Path | None = None,
    device: str | None = None,
) -> Pipeline:
    """A pipeline from shipped weights (kept for the next call) or from a file of your own.

    Args:
        task: a name in ``TASKS``; None for the one ``weights`` are for, else ``"gaussian"``.
        variant: ``"full"`` or ``"fast"``; None for the best that is shipped.
        weights: a safetensors file with its card beside it, instead of shipped ones.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one.

    Raises:
        VdirError: unknown names, no such weights, or weights for something else.
    """
    if task is not None and task not in TASKS:
        raise VdirError(f"there is no task {task!r}; choose one of: {', '.join(TASKS)}.")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if weights is None:
        task = task or "gaussian"
        if variant is not None and variant not in TASKS[task].variants:
            choices = ", ".join(TASKS[task].variants)
            raise VdirError(f"the task {task} has no variant {variant!r}; choose one of: {choices}.")
        return _shipped(task, variant, device)
    model, card = hub.load(weights)
    if card.task not in TASKS:
        raise VdirError(f"{weights}: made for the task {card.task!r}, unknown to this version; update vdir.")
    if task not in (None, card.task) or variant not in (None, card.variant):
        asked = f"{task or card.task}-{variant or card.variant}"
        raise VdirError(f"{weights}: these weights are for {card.name}, not {asked}; ask for that or leave it out.")
    return Pipeline(model, TASKS[card.task], device, card)


def restore(
    image: Image,
    task: str = "gaussian",
    variant: str | None = None,
    *,
    self_ensemble: bool = False,
    tile: int | None = None,
    device: str | None = None,
) -> Image:
    """Restore an image with shipped weights.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3); uint8, uint16, or floats nominally in [0, 1].
        task: a name in ``TASKS``.
        variant: ``"full"`` or ``"fast"``; None for the best that is shipped.
        self_ensemble: average over eight flips and rotations: a little better, eight times slower.
        tile: largest side of a tile; changes memory and time, never the result.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one.

    Returns:
        The same kind of array; ``scale`` times as large along each side for super-resolution.

    Raises:
        VdirError: not an image, unknown names, or nothing shipped for the task.
    """
    return load_pipeline(task, variant, device=device).restore(image, self_ensemble=self_ensemble, tile=tile)


@functools.cache
def _shipped(task: str, variant: str | None, device: str) -> Pipeline:
    model, card = hub.load(hub.find(task, variant))
    return Pipeline(model, TASKS[task], device, card)


def _usable(device: str | torch.device) -> torch.device:
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise VdirError(f"the device {str(device)!r} cannot be used here; try cpu.") from error
    return chosen


def _full_precision(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Float32 that is float32: cuDNN would round to TF32, three digits, and pick algorithms by shape."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    flags: contextlib.AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return flags


def _slices(cut: Tile, times: int, divided: int = 1, *, inner: bool = False) -> tuple[slice, slice]:
    """A tile's rows and columns in the image, or within its window (``inner``), at another resolution."""
    rows, columns = (
        slice((span.start - origin) * times // divided, -(-(span.stop - origin) * times // divided))
        for span in cut
        for origin in [span.low if inner else 0]
    )
    return rows, columns
