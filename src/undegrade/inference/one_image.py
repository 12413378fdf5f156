"""The restoration of one image: encode it tile by tile, then restore it tile by tile, for each flip and sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from undegrade.degrade.base import Quantity
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, from_float, transformed
from undegrade.inference.engine import Engine, Posterior, Window
from undegrade.inference.estimates import Estimates
from undegrade.inference.latent_image import LatentImage, latent_span
from undegrade.inference.look import Look, look_at
from undegrade.inference.options import BLEND, Restoration, RestoreOptions
from undegrade.inference.tiles import Tile, part_of_window, slices
from undegrade.inference.tiling import over_tiles
from undegrade.model.latent_noise import latent_noise

ENCODING, RESTORING = 1, 4
"""Cost of a pixel, for the progress."""
Progress = Callable[[float], None]
ROWS = 512
"""Rows of the result that are converted at once where no network is at work."""


def in_two_steps(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """The progress of a look, and of the restoration that it is for: together one that never goes back."""
    if progress is None:
        return None, None
    share = ENCODING / (ENCODING + RESTORING)
    return lambda fraction: progress(share * fraction), lambda fraction: progress(max(share, fraction))


class OneImage:
    """One image that is being restored.

    The picture is encoded once, before it is restored: either step has a smaller halo than both together. To move the
    latent, each tile is encoded a second time, from a restoration made from the first latent. What pooling needs is
    known when all of the picture has been encoded.

    Args:
        engine: with the model.
        quantity: what the estimator estimates; None if it was not trained.
        source: as the model is shown it, (H, W, C); it may be a view with any strides. Grey has one channel.
        options: checked against the model.
        side: largest side of a tile, in pixels.
        amount: for :meth:`Engine.steered`; 1 leaves the latent unchanged.
        progress: called after each tile with the fraction done.
    """

    def __init__(
        self,
        engine: Engine,
        quantity: Quantity | None,
        source: Image,
        options: RestoreOptions,
        side: int,
        amount: float,
        progress: Progress | None,
    ) -> None:
        self._engine, self._quantity, self._source, self._options = engine, quantity, source, options
        self._side, self._amount, self._progress = side, amount, progress
        self._scale = engine.architecture.scale
        self._weight = np.float32(min(options.strength / BLEND, 1.0))
        self._passes = 8 if options.self_ensemble and options.strength > 0 else 1
        h, w, channels = source.shape
        self._out = np.empty((h * self._scale, w * self._scale, channels), source.dtype)
        self._total = np.zeros(self._out.shape, np.float32) if self._passes > 1 else None
        self._std = np.empty(self._out.shape[:2], np.float32) if options.samples else None
        self._scales = np.empty(self._out.shape[:2], np.float32) if options.uncertainty else None
        self._looks = amount == 1 or engine.architecture.pooling > 0
        self._cost = h * w * self._passes * (RESTORING + (ENCODING if self._looks else 0))
        self._done = 0

    def run(self, look: Look | None) -> Restoration[Image]:
        """Restore it.

        Args:
            look: of the same image, if there is one: it is then not encoded again.
        """
        engine, options, out, total = self._engine, self._options, self._out, self._total
        numbers = unread = None
        if look is not None:
            numbers = look.numbers
            self._done = ENCODING * look.size[0] * look.size[1] if self._looks else 0
        elif self._quantity is not None and not self._looks:
            unread = Estimates(engine.architecture.params, self._source)
        halo = engine.reaches.restore if self._amount == 1 else 2 * engine.reaches.both
        for i in range(self._passes):
            # Transformed views of the source and of the result: writing to the view undoes the transform.
            x, result = transformed(self._source, i), transformed(out if total is None else total, i)
            latent, common = None, None
            if self._looks:
                found = look if i == 0 and look is not None else self._look(x, estimates=i == 0)
                latent, common = found.latent if self._amount == 1 else None, found.common
                numbers = found.numbers if i == 0 else numbers
            if options.strength > 0:
                self._over(x, result, halo, latent, common, unread if i == 0 else None)
        if total is not None:
            for row in range(0, len(out), ROWS):
                out[row : row + ROWS] = from_float(total[row : row + ROWS] / np.float32(self._passes), out.dtype)
        if options.strength == 0:
            out[...] = self._source  # bit for bit, for every dtype
            if self._progress is not None:
                self._progress(1.0)
        if unread is not None and self._quantity is not None:
            numbers = unread.in_units(self._quantity)
        estimate, spread = numbers or (None, None)
        return Restoration(out, estimate, spread, self._std, self._scales)

    def _look(self, x: Image, estimates: bool) -> Look:
        """Encode a view of the image, as far as restoring it needs it."""
        options = self._options
        found = look_at(
            self._engine, x, self._side, direct=options.direct, latent=options.strength > 0, spread=options.samples > 0,
            quantity=self._quantity if estimates else None, tick=lambda pixels: self._tick(ENCODING * pixels),
        )  # fmt: skip
        return found.without_maps()

    def _over(
        self, x: Image, result: Image, halo: int, latent: LatentImage | None, common: Window | None,
        unread: Estimates | None,
    ) -> None:  # fmt: skip
        """Restore a view of the image into the same view of the result."""

        def work(tile: Tile, window: Window) -> None:
            y = self._engine.to_model(window, self._options.direct)
            if latent is None:
                posterior = self._steered(y, tile, common, unread)
            else:
                found = latent.within(tile)
                posterior = Posterior(self._engine.pooled(found.mean, common), found.logvar)
            restored, deviation, b = self._tile(y, window, tile, posterior)
            if not (np.isfinite(restored).all() and (b is None or np.isfinite(b).all())):
                raise UndegradeError("the model's result is not finite; use other weights, or smaller pixel values.")
            target = result[slices(tile, self._scale)]
            target[...] = from_float(restored, self._source.dtype) if self._total is None else target + restored
            if self._std is not None:
                self._std[slices(tile, self._scale)] = deviation
            if self._scales is not None:
                self._scales[slices(tile, self._scale)] = b
            self._tick(RESTORING * tile.pixels)

        over_tiles(x, self._side, halo, self._engine, work)

    def _steered(self, y: Window, tile: Tile, common: Window | None, estimates: Estimates | None) -> Posterior:
        """The posterior of a window, moved by the amount; the window's estimates, before it is moved, are added."""
        posterior = self._engine.encode(y)
        if estimates is not None:
            estimates.add_tile(self._engine, posterior, tile)
        return self._engine.steered(y, posterior, self._amount, common)

    def _tile(
        self, y: Window, window: Window, tile: Tile, posterior: Posterior
    ) -> tuple[Window, Window | None, Window | None]:
        """Restore one tile: (h scale, w scale, C), with samples its standard deviation, with uncertainty its b."""
        samples = self._options.samples
        given, part = window[slices(tile, 1, inner=True)], part_of_window(tile)

        def restore_from(c: Window) -> tuple[Window, Window | None]:
            if self._scales is None:
                xhat, b = self._engine.restore(y, c, part), None
            else:
                xhat, scale = self._engine.restore_with_scale(y, c, part)
                # Beyond the whole range it says nothing more; exp() of a latent moved far can be infinite.
                b = np.minimum(scale[0, 0], np.float32(1))
            restored = self._engine.from_model(xhat, given)
            return restored if self._weight == 1 else given + self._weight * (restored - given), b

        if not samples:
            restored, b = restore_from(posterior.mean)
            return restored, None, b
        rows, columns = latent_span(tile)
        mean = spread = squares = np.zeros((), np.float32)
        for n in range(samples):  # Welford's recurrence
            sample, b = restore_from(posterior.at(latent_noise(self._options.seed, n, rows, columns)))
            difference = sample - mean
            mean = mean + difference / np.float32(n + 1)
            spread = spread + difference * (sample - mean)
            squares = squares if b is None else squares + np.square(b)
        variance = spread.mean(axis=2) / np.float32(samples - 1)
        total = None if self._scales is None else np.sqrt(squares / np.float32(samples) + variance / np.float32(2))
        return mean, np.sqrt(variance), total

    def _tick(self, cost: int) -> None:
        self._done += cost
        if self._progress is not None:
            self._progress(min(self._done / self._cost, 1.0))
