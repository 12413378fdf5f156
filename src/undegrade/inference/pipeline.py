"""Images in, images of the same kind out: exact tiles, strength, samples, self-ensemble, estimates.

An image is a numpy array (H, W), (H, W, 1), (H, W, 3) or a batch (B, H, W, 1 or 3); or a torch tensor (H, W),
(1 or 3, H, W) or (B, 1 or 3, H, W). Integers are uint8 or uint16; floats are nominally in [0, 1] and may lie outside.
Each tile is read from the caller's array and written to the result. The memory therefore depends on the tile and not
on the image. :mod:`undegrade.inference.tiles` explains why the result equals that of the whole image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, Layout, from_float, is_grey, transformed
from undegrade.inference.engine import Engine, Posterior, Window
from undegrade.inference.estimates import Estimates
from undegrade.inference.held import Held
from undegrade.inference.latent_image import LatentImage, latent_span
from undegrade.inference.options import BLEND, EstimateMap, Restoration, RestoreOptions
from undegrade.inference.ranges import find_range
from undegrade.inference.steering import amount_of_level
from undegrade.inference.tiles import Tile, slices
from undegrade.inference.tiling import over_tiles
from undegrade.model.architecture import Architecture
from undegrade.model.latent_noise import latent_noise
from undegrade.model.restorers import RESTORERS
from undegrade.tasks import Task
from undegrade.weights.card import Card

ENCODING, RESTORING = 1, 4
"""Cost of a pixel, for the progress."""
ROWS = 512
"""Rows of the result that are converted at once where no network is at work."""


class Pipeline:
    """A model ready to restore images.

    Attributes:
        engine: the model and what runs it.
        task: the task of the model.
        card: of the weights, if they came from a file.
        quantity: what the estimator estimates; None if it was not trained (lambda_2 = 0).
    """

    def __init__(self, engine: Engine, task: Task, card: Card | None = None) -> None:
        self.engine, self.task, self.card = engine, task, card
        trained = card is None or card.recipe.get("lambda_est", 1.0) > 0
        self.quantity = task.degradation.quantity if trained else None

    @property
    def architecture(self) -> Architecture:
        """Of the networks."""
        return self.engine.architecture

    def __call__(
        self,
        image: Any,
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
        progress: Callable[[float], None] | None = None,
    ) -> Restoration:
        """Restore an image and estimate its damage; the encoder runs once.

        Args:
            image: an array or a tensor, see the module; float values outside [0, 1] are kept, not clipped.
            strength, level, samples, seed, self_ensemble, direct, tile, memory, white: see :class:`RestoreOptions`.
            progress: called after each tile with the fraction done, 0 to 1.

        Raises:
            UndegradeError: it is not an image, the model cannot restore it, or the options are invalid.
        """
        options = RestoreOptions(strength, level, samples, seed, self_ensemble, direct, tile, memory, white)
        return self.run(image, options, progress)

    def run(self, image: Any, options: RestoreOptions, progress: Callable[[float], None] | None = None) -> Restoration:
        """Like :meth:`__call__`, with all options in one object."""
        layout = Layout.of(image)
        found = [self._in_range(x, options, progress) for x in layout.images(image)]
        std = [f.std for f in found]
        return Restoration(
            layout.back([f.image for f in found]),
            _mean([f.estimate for f in found]),
            _mean([f.spread for f in found]),
            layout.back(std, planes=True) if options.samples else None,
        )

    def estimate(
        self,
        image: Any,
        *,
        direct: bool = False,
        tile: int | None = None,
        memory: float | None = None,
        white: float | None = None,
    ) -> npt.NDArray[np.float64]:
        """The damage of an image, without restoring it; arguments as for :meth:`__call__`.

        Returns:
            (P,), :attr:`Restoration.estimate`; for a batch the mean over its images.

        Raises:
            UndegradeError: see :meth:`__call__`; or the task has no estimator.
        """
        images = Layout.of(image).images(image)
        maps = [self.estimate_map(x, direct=direct, tile=tile, memory=memory, white=white) for x in images]
        mean: npt.NDArray[np.float64] = np.mean([found.estimate for found in maps], axis=0)
        return mean

    def estimate_map(
        self,
        image: Any,
        *,
        direct: bool = False,
        tile: int | None = None,
        memory: float | None = None,
        white: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> EstimateMap:
        """The damage at every position of one image, without restoring it; arguments as for :meth:`__call__`.

        Raises:
            UndegradeError: see :meth:`estimate`; or the input is a batch.
        """
        options = RestoreOptions(direct=direct, tile=tile, memory=memory, white=white)
        images = Layout.of(image).images(image)
        if len(images) > 1:
            raise UndegradeError("a map needs a single image; pass the images of a batch one at a time.")
        quantity = self._estimated()
        black_and_white = find_range(images[0], white)
        source = images[0] if black_and_white.is_full else black_and_white.scaled(images[0])
        self._check(source, options)
        found = Estimates(self.architecture.params, source, at_mean=True)
        done = 0

        def add(tile: Tile, window: Window) -> None:
            nonlocal done
            found.add_tile(self.engine, self.engine.encode(self.engine.to_model(window, direct)), tile)
            done += tile.pixels
            if progress is not None:
                progress(done / (source.shape[0] * source.shape[1]))

        over_tiles(source, self._side(options), self.engine.reaches.encode, self.engine, add)
        assert found.mean is not None  # at_mean=True above
        return EstimateMap(*found.in_units(quantity), quantity.within_range(quantity.decode(found.mean)))

    def hold(
        self,
        image: Any,
        rows: tuple[int, int],
        columns: tuple[int, int],
        level: float | None = None,
        white: float | None = None,
    ) -> Held:
        """Keep the latent of a part of one image, to restore that part at one strength after another.

        Args:
            image: see the module; not a batch.
            rows: first row of the part, and the one after its last.
            columns: the same along the other axis.
            level, white: see :class:`RestoreOptions`.

        Raises:
            UndegradeError: see :meth:`__call__`; or the model enlarges, the input is a batch, or the part is not
                within the image.
        """
        layout = Layout.of(image)
        (source, *others) = layout.images(image)
        if others:
            raise UndegradeError("only a part of a single image can be kept; pass the images one at a time.")
        if self.architecture.scale != 1:
            raise UndegradeError(f"the super-resolution task {self.task.name} has no strength; use another task.")
        if not all(0 <= low < high <= n for (low, high), n in zip((rows, columns), source.shape[:2], strict=True)):
            raise UndegradeError(f"rows {rows} and columns {columns} are not within the image; give a part of it.")
        black_and_white = find_range(source, white)
        shown = source if black_and_white.is_full else black_and_white.scaled(source)
        amount = self._amount(shown, RestoreOptions(level=level))
        return Held(self.engine, layout, shown, rows, columns, amount, black_and_white)

    def _in_range(
        self, source: Image, options: RestoreOptions, progress: Callable[[float], None] | None
    ) -> Restoration:
        """Restore one image, (H, W, C), with its black and white shown to the model as 0 and 1."""
        found = find_range(source, options.white)
        if found.is_full:
            return self._one(source, options, progress)
        restored = self._one(found.scaled(source), options, progress)
        return replace(restored, image=found.back(restored.image))

    def _one(self, source: Image, options: RestoreOptions, progress: Callable[[float], None] | None) -> Restoration:
        """Restore one image, (H, W, C); it may be a view with any strides."""
        self._check(source, options)
        if source.shape[2] == 3 and is_grey(source):
            # The three outputs of a colour model differ in the last digits, but grey must stay exactly grey.
            found = self._one(source[..., :1], options, progress)
            return replace(found, image=np.repeat(found.image, 3, axis=2))
        amount = self._amount(source, options)
        weight = min(options.strength / BLEND, 1.0)
        h, w, channels = source.shape
        s = self.architecture.scale
        estimates = None if self.quantity is None else Estimates(self.architecture.params, source)
        out = np.empty((h * s, w * s, channels), source.dtype)
        total = np.zeros(out.shape, np.float32) if options.self_ensemble else None
        std = np.empty(out.shape[:2], np.float32) if options.samples else None
        passes = 8 if options.self_ensemble else 1
        # The picture is encoded once, before it is restored: either step has a smaller halo than both together. To
        # move the latent, each tile is encoded a second time, from a restoration made from the first latent.
        reaches, side = self.engine.reaches, self._side(options)
        halo = reaches.restore if amount == 1 else 2 * reaches.both
        done = 0

        def tick(cost: int) -> None:
            nonlocal done
            done += cost
            if progress is not None:
                progress(done / (h * w * passes * (RESTORING + (ENCODING if amount == 1 else 0))))

        def work(tile: Tile, window: Window) -> None:
            y = self.engine.to_model(window, options.direct)
            posterior = self._steered(y, tile, amount, read) if latent is None else latent.within(tile)
            restored, deviation = self._tile(y, window, tile, posterior, options, weight)
            if not np.isfinite(restored).all():
                raise UndegradeError("the model's result is not finite; use other weights, or smaller pixel values.")
            target = result[slices(tile, s)]
            target[...] = from_float(restored, source.dtype) if total is None else target + restored
            if std is not None:
                std[slices(tile, s)] = deviation
            tick(RESTORING * tile.pixels)

        for i in range(passes):
            # Transformed views of the source and of the result: writing to the view undoes the transform.
            x = transformed(source, i)
            result = transformed(out if total is None else total, i)
            read = estimates if i == 0 else None
            latent = self._encoded(x, side, options, read, tick) if amount == 1 else None
            if options.strength > 0:
                over_tiles(x, side, halo, self.engine, work)
        if total is not None:
            for row in range(0, len(out), ROWS):
                out[row : row + ROWS] = from_float(total[row : row + ROWS] / np.float32(passes), source.dtype)
        if options.strength == 0:
            out[...] = source  # bit for bit, for every dtype
            if progress is not None:
                progress(1.0)
        estimate, spread = estimates.in_units(self._estimated()) if estimates is not None else (None, None)
        return Restoration(out, estimate, spread, std)

    def _encoded(
        self, x: Image, side: int, options: RestoreOptions, estimates: Estimates | None, tick: Callable[[int], None]
    ) -> LatentImage | None:
        """The latent of a whole image; on the way its estimates are added. None if neither is asked for."""
        if options.strength == 0 and estimates is None:
            return None
        latent = LatentImage(x, spread=options.samples > 0)

        def add(tile: Tile, window: Window) -> None:
            posterior = self.engine.encode(self.engine.to_model(window, options.direct))
            if estimates is not None:
                estimates.add_tile(self.engine, posterior, tile)
            latent.add_tile(posterior, tile)
            tick(ENCODING * tile.pixels)

        over_tiles(x, side, self.engine.reaches.encode, self.engine, add)
        return latent

    def _steered(self, y: Window, tile: Tile, amount: float, estimates: Estimates | None) -> Posterior:
        """The posterior of a window, moved by the amount; the window's estimates, before it is moved, are added."""
        posterior = self.engine.encode(y)
        if estimates is not None:
            estimates.add_tile(self.engine, posterior, tile)
        return self.engine.steered(y, posterior, amount)

    def _tile(
        self, y: Window, window: Window, tile: Tile, posterior: Posterior, options: RestoreOptions, weight: float
    ) -> tuple[Window, Window | None]:
        """Restore one tile: (h scale, w scale, C), and with samples its standard deviation."""
        engine, s = self.engine, self.architecture.scale
        given, upper = window[slices(tile, 1, inner=True)], slices(tile, s, inner=True)

        def restore_from(c: Window) -> Window:
            xhat = engine.restore(y, c)[:, :, *upper]
            restored = engine.from_model(xhat, given)
            return restored if weight == 1 else given + np.float32(weight) * (restored - given)

        if not options.samples:
            return restore_from(posterior.mean), None
        rows, columns = latent_span(tile)
        mean = spread = np.zeros((), np.float32)
        for n in range(options.samples):  # Welford's recurrence
            sample = restore_from(posterior.at(latent_noise(options.seed, n, rows, columns)))
            difference = sample - mean
            mean = mean + difference / np.float32(n + 1)
            spread = spread + difference * (sample - mean)
        return mean, np.sqrt(spread.mean(axis=2) / np.float32(options.samples - 1))

    def _amount(self, source: Image, options: RestoreOptions) -> float:
        """The amount for :meth:`Engine.steered`; 1 leaves the latent unchanged."""
        if options.level is None or options.strength == 0:
            return options.strength or 1.0
        return options.strength * amount_of_level(self.engine, self._estimated(), source, options.level)

    def _check(self, x: Image, options: RestoreOptions) -> None:
        a = self.architecture
        if a.channels == 1 and x.shape[2] == 3 and a.scale != 1:
            raise UndegradeError(f"this {self.task.name} model works on grey images only; convert the image to grey.")
        if a.scale != 1 and (options.strength != 1 or options.level is not None):
            raise UndegradeError(
                f"the super-resolution task {self.task.name} has no strength; leave out strength and level."
            )
        if a.scale != 1 and options.direct and options.self_ensemble:
            raise UndegradeError(
                "direct decimation and self-ensemble cannot be combined, since a flip moves the grid; leave one out."
            )

    def _estimated(self) -> Quantity:
        if self.quantity is None:
            raise UndegradeError(f"the model for {self.task.name} gives no estimate; use another task.")
        return self.quantity

    def _side(self, options: RestoreOptions) -> int:
        """The largest side of a tile, in input pixels."""
        stride = self.engine.stride
        tile = options.tile
        if tile is None and options.memory is None:
            tile = RESTORERS[self.architecture.restorer].tile // self.architecture.scale
        elif tile is None:
            assert options.memory is not None
            tile = int((options.memory / self.engine.bytes_per_pixel) ** 0.5) - 2 * self.engine.reaches.restore
        return max(tile, stride) // stride * stride


def _mean(values: list[npt.NDArray[np.float64] | None]) -> npt.NDArray[np.float64] | None:
    present = [v for v in values if v is not None]
    return np.mean(present, axis=0) if present else None
