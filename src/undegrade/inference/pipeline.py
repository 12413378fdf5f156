"""Images in, images of the same kind out: exact tiles, strength, samples, self-ensemble, estimates.

An image is a numpy array (H, W), (H, W, C) or a batch (B, H, W, C); a torch tensor (H, W), (C, H, W) or (B, C, H, W);
an image of Pillow; or the path of a file. C is 1 for grey and 3 for RGB, or 2 and 4 with alpha as the last channel,
which comes back as it was. Integers are uint8 or uint16; floats are nominally in [0, 1] and may lie outside.
Each tile is read from the caller's array and written to the result. The memory therefore depends on the tile and not
on the image. :mod:`undegrade.inference.tiles` explains why the result equals that of the whole image.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from undegrade.degrade.base import Quantity
from undegrade.degrade.severity import Category
from undegrade.errors import UndegradeError
from undegrade.image import Picture
from undegrade.inference import jpeg_projection
from undegrade.inference.arrays import Image, Layout, is_grey, peak
from undegrade.inference.calls import Calls, Progress
from undegrade.inference.engine import Engine, Window
from undegrade.inference.given import opened, pixels_of
from undegrade.inference.held import Held
from undegrade.inference.look import Look, look_at
from undegrade.inference.one_image import OneImage
from undegrade.inference.options import EstimateMap, Restoration, RestoreOptions
from undegrade.inference.origin import Origin
from undegrade.inference.ranges import find_range
from undegrade.inference.steering import amount_of_level
from undegrade.inference.tiling import largest_side
from undegrade.inference.uncertainty import UNMEASURED
from undegrade.model.architecture import Architecture
from undegrade.tasks import Task
from undegrade.weights.card import Card
from undegrade.weights.intervals import Intervals, Widths

if TYPE_CHECKING:
    import torch


class Pipeline(Calls):
    """A model ready to restore images.

    Attributes:
        engine: the model and what runs it.
        task: the task of the model.
        card: of the weights, if they came from a file.
        quantity: what the estimator estimates; None if it was not trained (lambda_2 = 0).
        intervals: what is known of how often intervals hold the truth.
    """

    def __init__(self, engine: Engine, task: Task, card: Card | None = None) -> None:
        self.engine, self.task, self.card = engine, task, card
        self.quantity = quantity_of(task, card)
        self.intervals = Intervals() if card is None else Intervals.from_dict(card.intervals)

    @property
    def architecture(self) -> Architecture:
        """Of the networks."""
        return self.engine.architecture

    @property
    def name(self) -> str:
        """The task, and the variant if it is known: ``"gaussian-fast"``."""
        return self.task.name if self.card is None else self.card.name

    def __repr__(self) -> str:
        return f"Pipeline({self.name} on {self.engine.device}, {self.engine.software})"

    def to(self, device: str | torch.device) -> Pipeline:
        """The same model on another device, as ``tensor.to`` does it: this pipeline stays where it is.

        Raises:
            UndegradeError: the device cannot be used, or it needs PyTorch, which is not installed.
        """
        moved = copy.copy(self)
        moved.engine = self.engine.to(str(device))
        return moved

    def run(
        self,
        image: Any,
        options: RestoreOptions,
        progress: Progress | None = None,
        look: Look | None = None,
    ) -> Restoration[Any]:
        """Like :meth:`__call__`, with all options in one object.

        Args:
            image: not a batch if ``look`` is given.
            look: what :meth:`look` returned for the same image and options: it is then not encoded again. For samples
                a look without them does not serve; the image is then encoded anew.
        """
        if look is not None and (look.latent is None or (options.samples and not look.latent.has_spread)):
            look = None
        image = opened(image)
        origin = Origin(image, self.name, self.quantity)
        if isinstance(image, Picture):
            of_file = jpeg_projection.restored(self, image, options, progress, look)
            return replace(of_file, image=image.with_pixels(of_file.image).array, origin=origin)
        layout = Layout.of(image)
        images = layout.shown(image)
        if look is not None and [x.shape[:2] for x in images] != [look.size]:
            raise UndegradeError(f"the look is of another image, of {look.size[0]} x {look.size[1]}; look at this one.")
        found = [self._in_range(x, options, progress, look) for x in images]
        return Restoration(
            layout.back([f.image for f in found]),
            _mean([f.estimate for f in found]),
            _mean([f.spread for f in found]),
            layout.back([f.std for f in found], planes=True) if options.samples else None,
            layout.back([f.scale for f in found], planes=True) if options.uncertainty else None,
            tuple(widths for f in found for widths in self.widths(f.estimate)),
            tuple(unit for f in found for unit in f.units),
            origin,
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
        """The degradation of an image, without restoring it; arguments as for :meth:`__call__`.

        Returns:
            (P,), :attr:`Restoration.estimate`; for a batch the mean over its images.

        Raises:
            UndegradeError: see :meth:`__call__`; or the task has no estimator.
        """
        image = pixels_of(image)
        images = Layout.of(image).shown(image)
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
        progress: Progress | None = None,
    ) -> EstimateMap:
        """The degradation at every position of one image, without restoring it; arguments as for :meth:`__call__`.

        Raises:
            UndegradeError: see :meth:`estimate`; or the input is a batch.
        """
        quantity = self._estimated()
        options = RestoreOptions(direct=direct, tile=tile, memory=memory, white=white)
        found = self._look(image, options, progress, latent=False).estimates
        assert found is not None  # there is a quantity
        return found.as_map(quantity)

    def look(self, image: Any, options: RestoreOptions, progress: Progress | None = None) -> Look:
        """Encode one image: what :meth:`run` needs, and what it estimates.

        Raises:
            UndegradeError: see :meth:`__call__`; or the input is a batch.
        """
        return self._look(image, options, progress, latent=True)

    def _look(self, image: Any, options: RestoreOptions, progress: Progress | None, latent: bool) -> Look:
        image = pixels_of(image)
        (source, *others) = Layout.of(image).shown(image)
        if others:
            raise UndegradeError("this needs a single image; pass the images of a batch one at a time.")
        black_and_white = find_range(source, options.white)
        if not black_and_white.is_full:
            source = black_and_white.scaled(source)
        self._check(source, options)
        if source.shape[2] == 3 and is_grey(source):  # as it is restored
            source = source[..., :1]
        whole, done = source.shape[0] * source.shape[1], 0

        def tick(pixels: int) -> None:
            nonlocal done
            done += pixels
            if progress is not None:
                progress(done / whole)

        return look_at(
            self.engine, source, largest_side(self.engine, options), direct=options.direct, latent=latent,
            spread=options.samples > 0, quantity=self.quantity, tick=tick,
        )  # fmt: skip

    def hold(
        self,
        image: Any,
        rows: tuple[int, int],
        columns: tuple[int, int],
        level: float | None = None,
        white: float | None = None,
        common: Window | None = None,
    ) -> Held:
        """Keep the latent of a part of one image, to restore that part at one strength after another.

        Args:
            image: see the module; not a batch.
            rows: first row of the part, and the one after its last.
            columns: the same along the other axis.
            level, white: see :class:`RestoreOptions`.
            common: :attr:`Look.common` of the same image; a model that pools its latent encodes all of it without.

        Raises:
            UndegradeError: see :meth:`__call__`; or the model enlarges, the input is a batch, or the part is not
                within the image.
        """
        image = pixels_of(image)
        layout = Layout.of(image)
        (source, *others) = layout.shown(image)
        if others:
            raise UndegradeError("only a part of a single image can be kept; pass the images one at a time.")
        if self.architecture.scale != 1:
            raise UndegradeError(f"the super-resolution task {self.task.name} has no strength; use another task.")
        if not all(0 <= low < high <= n for (low, high), n in zip((rows, columns), source.shape[:2], strict=True)):
            raise UndegradeError(f"rows {rows} and columns {columns} are not within the image; give a part of it.")
        black_and_white = find_range(source, white)
        shown = source if black_and_white.is_full else black_and_white.scaled(source)
        amount = self._amount(shown, RestoreOptions(level=level))
        if common is None and self.architecture.pooling:
            common = self.look(image, RestoreOptions(white=white)).common
        return Held(self.engine, layout.cut(rows, columns), shown, rows, columns, amount, black_and_white, common)

    def _in_range(
        self, source: Image, options: RestoreOptions, progress: Progress | None, look: Look | None
    ) -> Restoration[Image]:
        """Restore one image, (H, W, C), with its black and white shown to the model as 0 and 1."""
        found = find_range(source, options.white)
        if found.is_full:
            return replace(self._one(source, options, progress, look), units=(peak(source.dtype),))
        restored = self._one(found.scaled(source), options, progress, look)
        return replace(restored, image=found.back(restored.image), units=(found.white - found.black,))

    def _one(
        self, source: Image, options: RestoreOptions, progress: Progress | None, look: Look | None
    ) -> Restoration[Image]:
        """Restore one image, (H, W, C); it may be a view with any strides."""
        self._check(source, options)
        if source.shape[2] == 3 and is_grey(source):
            # The three outputs of a colour model differ in the last digits, but grey must stay exactly grey.
            found = self._one(source[..., :1], options, progress, look)
            return replace(found, image=np.repeat(found.image, 3, axis=2))
        amount = self._amount(source, options)
        side = largest_side(self.engine, options)
        return OneImage(self.engine, self.quantity, source, options, side, amount, progress).run(look)

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
                f"the super-resolution task {self.task.name} has no strength; leave out strength and level "
                "(--strength, --sigma, --quality)."
            )
        if options.uncertainty:
            self.check_scale_head()
            if a.channels == 1 and x.shape[2] == 3 and not is_grey(x):
                raise UndegradeError(
                    f"this {self.task.name} model says how sure it is of grey only; convert the image to grey, or use "
                    "a model of colour."
                )
        if a.scale != 1 and options.direct and options.self_ensemble:
            raise UndegradeError(
                "direct decimation and self-ensemble cannot be combined, since a flip moves the grid; leave one out."
            )

    def check_scale_head(self) -> None:
        """Check that the model knows how far off its result may be.

        Raises:
            UndegradeError: it has no scale head.
        """
        if self.engine.int8:
            raise UndegradeError("of a draft in int8 the uncertainty is not known; leave out draft or uncertainty.")
        if not self.architecture.scale_head:
            name = self.task.name if self.card is None else self.card.name
            raise UndegradeError(
                f"the weights of {name} have no scale head, so the uncertainty is not known; use other weights, or "
                "train a head for them (undegrade train --scale-head), or use --samples 8."
            )

    def check_intervals(self) -> None:
        """Check that the model's intervals are known.

        Raises:
            UndegradeError: it has no scale head, or its intervals were not measured.
        """
        self.check_scale_head()
        if self.intervals.pixels is None:
            raise UndegradeError(UNMEASURED)

    def category(self, estimate: npt.NDArray[Any] | None, quality: int | None = None) -> Category:
        """What kind of degradation an image has and how severe it is, which its intervals depend on.

        Args:
            estimate: (P,), :attr:`Restoration.estimate`, or None.
            quality: from the header of a JPEG: it was saved no better than that, whatever the estimate says.

        Returns:
            As :meth:`undegrade.degrade.base.Degradation.category`; an empty one where there is no estimate.
        """
        if estimate is None:
            return Category()
        if quality is not None and self.quantity is not None:
            is_quality = [name == jpeg_projection.QUALITY for name, _ in self.quantity.parts]
            estimate = np.where(is_quality, np.minimum(estimate, quality), estimate)
        return self.task.degradation.category(estimate)

    def widths(self, estimate: npt.NDArray[Any] | None, quality: int | None = None) -> tuple[Widths, ...]:
        """What turns b of one image into intervals, (1,); arguments as for :meth:`category`; () if it is not known."""
        pixels = self.intervals.pixels
        return () if pixels is None else (pixels.at(*self.category(estimate, quality)),)

    def _estimated(self) -> Quantity:
        if self.quantity is None:
            raise UndegradeError(f"the model for {self.task.name} gives no estimate; use another task.")
        return self.quantity


def quantity_of(task: Task, card: Card | None) -> Quantity | None:
    """What the estimator of a model estimates; None if its card says that it was not trained (lambda_2 = 0)."""
    trained = card is None or card.recipe.get("lambda_est", 1.0) > 0
    return task.degradation.quantity if trained else None


def _mean(values: list[npt.NDArray[np.float64] | None]) -> npt.NDArray[np.float64] | None:
    present = [v for v in values if v is not None]
    return np.mean(present, axis=0) if present else None
