"""Images in, images of the same kind out: exact tiles, strength, samples, self-ensemble, estimates.

An image is a numpy array (H, W), (H, W, 1), (H, W, 3) or a batch (B, H, W, 1 or 3); or a torch tensor (H, W),
(1 or 3, H, W) or (B, 1 or 3, H, W). Integers are uint8 or uint16; floats are nominally in [0, 1] and may lie outside.
It is worked on tile by tile, straight from the caller's array into the result, so that memory is bounded by the tile,
not by the image; :mod:`undegrade.inference.tiles` says why the result is the whole image's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from undegrade.degrade.base import Quantity
from undegrade.degrade.resize import SHIFT_REACH
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import Image, Layout, centre, from_float, is_grey, to_float, transformed
from undegrade.inference.engine import Engine, Window, out_of_memory, usable
from undegrade.inference.estimates import Readings
from undegrade.inference.options import BLEND, Restoration, Survey, Wishes
from undegrade.inference.tiles import Tile, slices, split, tiles
from undegrade.model import LATENT_STRIDE
from undegrade.model.latent_noise import latent_noise
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS, Task
from undegrade.weights.card import Card, find_weights, load_weights

TILE = 512
"""Side of what is worked on at once where no halo is needed, in output pixels."""


class Pipeline:
    """A model ready to restore images.

    Attributes:
        task: what it restores.
        card: of the weights, where they came from a file.
        quantity: what the estimator reads off; None where it was not trained (lambda_2 = 0).
    """

    def __init__(
        self,
        model: VDIR,
        task: Task,
        device: str | torch.device = "cpu",
        card: Card | None = None,
        half: bool = False,
    ) -> None:
        """See :class:`undegrade.inference.engine.Engine` for the arguments."""
        self.task = task
        self.engine = Engine(model, usable(device), half)
        self.card = card
        trained = card is None or card.recipe.get("lambda_est", 1.0) > 0
        self.quantity = task.degradation.quantity if trained else None

    @property
    def model(self) -> VDIR:
        """The networks, on :attr:`device`, in evaluation mode."""
        return self.engine.model

    @property
    def device(self) -> torch.device:
        """Where they run."""
        return self.engine.device

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
        progress: Callable[[float], None] | None = None,
    ) -> Restoration:
        """Restore an image and estimate its damage, encoding it once.

        Args:
            image: an array or a tensor, see the module; values outside [0, 1] are kept, not clipped.
            strength, level, samples, seed, self_ensemble, direct: see :class:`Wishes`.
            tile: largest side of a tile in input pixels; changes memory and time, never the result.
            memory: bytes that the work on a tile may take, to choose the tile by; not with ``tile``. Where memory
                runs out all the same, tiles are halved and the work goes on.
            progress: called after each tile with the fraction done.

        Raises:
            UndegradeError: it is not an image, the model cannot take it, or the wishes make no sense.
        """
        wishes = Wishes(strength, level, samples, seed, self_ensemble, direct)
        layout = Layout.of(image)
        found = [self._one(x, wishes, self._side(tile, memory), progress) for x in layout.images(image)]
        std = [f.std for f in found]
        return Restoration(
            layout.back([f.image for f in found]),
            _mean([f.estimate for f in found]),
            _mean([f.spread for f in found]),
            layout.back(std, planes=True) if wishes.samples else None,
        )

    def restore(self, image: Any, **wishes: Any) -> Any:
        """The restored image alone; arguments as for :meth:`__call__`."""
        return self(image, **wishes).image

    def estimate(
        self, image: Any, *, direct: bool = False, tile: int | None = None, memory: float | None = None
    ) -> npt.NDArray[np.float64]:
        """What the image suffers from, without restoring it; arguments as for :meth:`__call__`.

        Returns:
            (P,), :attr:`Restoration.estimate`; for a batch the mean over its images.

        Raises:
            UndegradeError: as for :meth:`__call__`, or the task has no estimator.
        """
        surveys = [self.survey(x, direct=direct, tile=tile, memory=memory) for x in Layout.of(image).images(image)]
        mean: npt.NDArray[np.float64] = np.mean([survey.estimate for survey in surveys], axis=0)
        return mean

    def survey(
        self, image: Any, *, direct: bool = False, tile: int | None = None, memory: float | None = None
    ) -> Survey:
        """What one image suffers from, everywhere, without restoring it; arguments as for :meth:`__call__`.

        Raises:
            UndegradeError: as for :meth:`estimate`, or it is a batch.
        """
        images = Layout.of(image).images(image)
        if len(images) > 1:
            raise UndegradeError("a survey is of one image; give the images of a batch one at a time.")
        seen = self._look(images[0], direct, self._side(tile, memory))
        assert seen.mean is not None  # asked for when looking
        quantity = self._read()
        return Survey(*seen.in_units(quantity), seen.mean * np.float32(quantity.scale))

    def _look(self, x: Image, direct: bool, side: int) -> Readings:
        """Encode an image and read its damage off, everywhere."""
        self._read()
        self._check(x, Wishes())
        seen = Readings(self.model.architecture.params, x, at_mean=True)

        def look(cut: Tile, window: Window) -> None:
            seen.note(self.engine, self.engine.encode(self.engine.to_model(window, direct)), cut)

        self._over(x, side, self._reach, look)
        return seen

    def _one(self, source: Image, wishes: Wishes, side: int, progress: Callable[[float], None] | None) -> Restoration:
        """Restore one image, (H, W, C), which may be any view."""
        self._check(source, wishes)
        if source.shape[2] == 3 and is_grey(source):
            # The three opinions of a colour model would differ in the last digits: grey must stay exactly grey.
            found = self._one(source[..., :1], wishes, side, progress)
            return replace(found, image=np.repeat(found.image, 3, axis=2))
        amount = self._amount(source, wishes)
        weight = min(wishes.strength / BLEND, 1.0)
        h, w, channels = source.shape
        s = self.model.architecture.scale
        seen = None if self.quantity is None else Readings(self.model.architecture.params, source)
        out = np.empty((h * s, w * s, channels), source.dtype)
        total = np.zeros(out.shape, np.float32) if wishes.self_ensemble else None
        std = np.empty(out.shape[:2], np.float32) if wishes.samples else None
        passes = 8 if wishes.self_ensemble else 1
        # Steering encodes a second time what was restored from the first encoding.
        halo = self._reach * (1 if amount == 1 else 2)
        done = 0

        def work(cut: Tile, window: Window) -> None:
            nonlocal done
            restored, deviation = self._tile(window, cut, wishes, amount, weight, seen if i == 0 else None)
            target = y[slices(cut, s)]
            target[...] = from_float(restored, source.dtype) if total is None else target + restored
            if std is not None:
                std[slices(cut, s)] = deviation
            done += (cut.rows.stop - cut.rows.start) * (cut.columns.stop - cut.columns.start)
            if progress is not None:
                progress(done / (h * w * passes))

        for i in range(passes):
            # Views of the source and of the result: what is written through the view lands upright.
            x = transformed(source, i)
            y = transformed(out if total is None else total, i)
            self._over(x, side, halo, work)
        if total is not None:
            for row in range(0, len(out), TILE):
                out[row : row + TILE] = from_float(total[row : row + TILE] / np.float32(passes), source.dtype)
        if wishes.strength == 0:
            out[...] = source  # bit for bit, whatever the type
        estimate, spread = seen.in_units(self._read()) if seen is not None else (None, None)
        return Restoration(out, estimate, spread, std)

    def _over(self, x: Image, side: int, halo: int, work: Callable[[Tile, Window], None]) -> None:
        """Do the work on every tile of x, given its window as floats; on smaller ones once memory runs out."""
        stride = self.model.stride
        pending = list(tiles(x.shape[0], x.shape[1], side, halo, stride))[::-1]
        while pending:
            cut = pending.pop()
            rows, columns = cut
            try:
                work(cut, to_float(x[rows.low : rows.high, columns.low : columns.high]))
                continue
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                pieces = split(cut, x.shape[0], x.shape[1], halo, stride)
                if len(pieces) == 1:
                    raise UndegradeError(
                        "there is not enough memory for even the smallest tile; close other programs, or use the fast "
                        "variant or another device."
                    ) from error
            # Outside the except block, where the error would keep the failed tile's tensors alive.
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            rest = [piece for cut in pending for piece in reversed(split(cut, x.shape[0], x.shape[1], halo, stride))]
            pending = rest + pieces[::-1]

    def _tile(
        self, window: Window, cut: Tile, wishes: Wishes, amount: float, weight: float, seen: Readings | None
    ) -> tuple[Window, Window | None]:
        """Restore one tile: (h scale, w scale, C), and with samples its standard deviation."""
        engine, s = self.engine, self.model.architecture.scale
        inner, upper = slices(cut, 1, inner=True), slices(cut, s, inner=True)
        y = engine.to_model(window, wishes.direct)
        posterior = engine.encode(y)
        if seen is not None:
            seen.note(engine, posterior, cut)
        if wishes.strength == 0:
            return np.repeat(np.repeat(window[inner], s, 0), s, 1), None
        posterior = engine.steered(y, posterior, amount)
        given = window[inner]

        def answer(c: torch.Tensor) -> Window:
            xhat = engine.restore(y, c)[:, :, *upper]
            restored = engine.from_model(xhat, given)
            return restored if weight == 1 else given + np.float32(weight) * (restored - given)

        if not wishes.samples:
            return answer(posterior.mean), None
        rows, columns = ((span.low // LATENT_STRIDE, -(-span.high // LATENT_STRIDE)) for span in cut)
        mean = spread = np.zeros((), np.float32)
        for n in range(wishes.samples):  # Welford's recurrence
            noise = torch.from_numpy(latent_noise(wishes.seed, n, rows, columns)).to(engine.device)
            one = answer(posterior.at(noise))
            difference = one - mean
            mean = mean + difference / np.float32(n + 1)
            spread = spread + difference * (one - mean)
        return mean, np.sqrt(spread.mean(axis=2) / np.float32(wishes.samples - 1))

    def _amount(self, source: Image, wishes: Wishes) -> float:
        """By how much the latent is to be steered; 1 leaves it."""
        if wishes.level is None or wishes.strength == 0:
            return wishes.strength or 1.0
        quantity = self._read()
        if quantity.size != 1:
            raise UndegradeError(f"the {quantity.name} has {quantity.size} numbers and cannot be overruled by one.")
        middle = centre(source, TILE)
        whole = next(tiles(middle.shape[0], middle.shape[1], TILE, 0, self.model.stride))
        engine, params = self.engine, self.model.architecture.params
        y = engine.to_model(to_float(middle))
        xhat = engine.restore(y, engine.encode(y).mean)

        def read(amount: float) -> float:
            seen = Readings(params, middle)
            seen.note(engine, engine.encode(xhat + amount * (y - xhat)), whole)
            # Around the middle lies more image, which the networks would see.
            seen = seen if middle.shape == source.shape else seen.within(self.model.reach)
            return float(seen.in_units(quantity)[0][0])

        return wishes.strength * _search(read, wishes.level)

    def _check(self, x: Image, wishes: Wishes) -> None:
        a = self.model.architecture
        if a.channels == 1 and x.shape[2] == 3 and a.scale != 1:
            raise UndegradeError(f"this {self.task.name} model enlarges grey images only; give it a grey image.")
        if a.scale != 1 and (wishes.strength != 1 or wishes.level is not None):
            raise UndegradeError(
                f"the task {self.task.name} enlarges and has no strength; leave strength and level out."
            )
        if a.scale != 1 and wishes.direct and wishes.self_ensemble:
            raise UndegradeError("a flip moves the grid of direct decimation; leave out direct or the self-ensemble.")

    @property
    def _reach(self) -> int:
        """Pixels of the image around a pixel that its result can depend on, a multiple of the model's stride."""
        stride = self.model.stride
        shift = SHIFT_REACH if self.model.architecture.scale > 1 else 0
        return self.model.reach + -(-shift // stride) * stride

    def _read(self) -> Quantity:
        if self.quantity is None:
            raise UndegradeError(f"the task {self.task.name} has no estimate to give; use another task.")
        return self.quantity

    def _side(self, tile: int | None, memory: float | None) -> int:
        scale, stride = self.model.architecture.scale, self.model.stride
        if tile is None:
            if memory is None:
                return RESTORERS[self.model.architecture.restorer].tile // scale
            window = int((memory / self.engine.bytes_per_pixel) ** 0.5)
            tile = max(window - 2 * self._reach, stride)
        if tile < stride:
            raise UndegradeError(f"a tile of {tile} pixels is too small; give at least {stride}, or leave it out.")
        return tile // stride * stride


def load_pipeline(
    task: str | None = None,
    variant: str | None = None,
    weights: Path | None = None,
    device: str | None = None,
    half: bool = False,
) -> Pipeline:
    """A pipeline from shipped weights (kept for the next call) or from a file of your own.

    Args:
        task: a name in ``TASKS``; None for the one ``weights`` are for, else ``"gaussian"``.
        variant: of the task, e.g. ``"fast"``; None for the best that is shipped.
        weights: a safetensors file with its card beside it, instead of shipped ones.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one.
        half: see :class:`undegrade.inference.engine.Engine`.

    Raises:
        UndegradeError: unknown names, no such weights, or weights for something else.
    """
    if task is not None and task not in TASKS:
        raise UndegradeError(f"there is no task {task!r}; choose one of: {', '.join(TASKS)}.")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if weights is None:
        task = task or "gaussian"
        if variant is not None and variant not in TASKS[task].variants:
            choices = ", ".join(TASKS[task].variants)
            raise UndegradeError(f"the task {task} has no variant {variant!r}; choose one of: {choices}.")
        return _shipped(task, variant, device, half)
    model, card = load_weights(weights)
    if card.task not in TASKS:
        raise UndegradeError(f"{weights}: made for the task {card.task!r}, unknown to this version; update undegrade.")
    if task not in (None, card.task) or variant not in (None, card.variant):
        asked = f"{task or card.task}-{variant or card.variant}"
        raise UndegradeError(
            f"{weights}: these weights are for {card.name}, not {asked}; ask for that or leave it out."
        )
    return Pipeline(model, TASKS[card.task], device, card, half)


def restore(
    image: Any,
    task: str = "gaussian",
    variant: str | None = None,
    *,
    device: str | None = None,
    **wishes: Any,
) -> Any:
    """Restore an image with shipped weights.

    Args:
        image: an array (H, W), (H, W, 1), (H, W, 3) or (B, H, W, 1 or 3), or a tensor (H, W), (1 or 3, H, W) or
            (B, 1 or 3, H, W); uint8, uint16, or floats nominally in [0, 1].
        task: a name in ``TASKS``.
        variant: of the task, e.g. ``"fast"``; None for the best that is shipped.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one.
        wishes: ``strength``, ``level``, ``samples``, ``seed``, ``self_ensemble``, ``direct``, ``tile``, ``memory``,
            ``progress``: see :meth:`Pipeline.__call__`.

    Returns:
        The same kind of array or tensor; ``scale`` times as large along each side for super-resolution.

    Raises:
        UndegradeError: not an image, unknown names, or nothing shipped for the task.
    """
    return load_pipeline(task, variant, device=device).restore(image, **wishes)


@functools.cache
def _shipped(task: str, variant: str | None, device: str, half: bool) -> Pipeline:
    model, card = load_weights(find_weights(task, tuple(TASKS[task].variants) if variant is None else (variant,)))
    return Pipeline(model, TASKS[task], device, card, half)


def _search(read: Callable[[float], float], wanted: float, most: float = 64.0, steps: int = 12) -> float:
    """The amount of damage at which the estimator reads ``wanted``, or the nearest to it in [0, most].

    The reading is nearly proportional to the amount where it is a noise level, and falls with it where it is a quality;
    either way it is monotone, as a bisection needs.
    """
    low, high = 0.0, 1.0
    at_low, at_high = read(low), read(high)
    rising = at_high >= at_low
    while (at_high < wanted) == rising and high < most:
        low, high = high, 2 * high
        at_high = read(high)
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if (read(middle) < wanted) == rising else (low, middle)
    return (low + high) / 2


def _mean(values: list[npt.NDArray[np.float64] | None]) -> npt.NDArray[np.float64] | None:
    present = [v for v in values if v is not None]
    return np.mean(present, axis=0) if present else None
