"""A part of an image whose latent is kept, so that it is quickly restored at another strength."""

from __future__ import annotations

from typing import Any

import numpy as np

from undegrade.inference.arrays import Image, Layout, from_float, is_grey, to_float
from undegrade.inference.engine import Engine, Window
from undegrade.inference.options import BLEND, RestoreOptions
from undegrade.inference.ranges import Range
from undegrade.inference.tiles import around, part_of_window
from undegrade.model.latent import LATENT_STRIDE


class Held:
    """A part of an image, to be restored at one strength after another; see :meth:`Pipeline.hold`.

    What the strength does not change is computed once: the latent at strength 1 and its restoration, from which the
    degradation y - xhat follows. Each strength then costs one encoding and one restoration of the part and its halo.

    Args:
        engine: with the model.
        layout: of the caller's image.
        source: the whole image as the model is shown it, (H, W, C).
        rows: first row of the part, and the one after its last.
        columns: the same along the other axis.
        amount: of strength 1, see :meth:`Engine.steered`.
        black_and_white: of the caller's image, by which ``source`` was scaled unless it is the full range.
        common: see :meth:`Engine.pooled`; needed by models that pool.
    """

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        source: Image,
        rows: tuple[int, int],
        columns: tuple[int, int],
        amount: float,
        black_and_white: Range,
        common: Window | None,
    ) -> None:
        h, w, self._channels = source.shape
        if self._channels == 3 and is_grey(source):  # as Pipeline does: grey stays exactly grey
            source = source[..., :1]
        self._engine, self._layout, self._amount, self._range = engine, layout, amount, black_and_white
        stride, reach = engine.stride, engine.reaches.both
        tile = around(rows, columns, h, w, reach, stride)
        # The second encoding reads the restoration in the whole window, which the first therefore needs with a halo.
        read = [(span.low, span.high) for span in tile]
        wider = around(read[0], read[1], h, w, reach, stride)
        y = engine.to_model(to_float(source[wider.rows.low : wider.rows.high, wider.columns.low : wider.columns.high]))
        inner = part_of_window(wider)
        mean = engine.encode(y).mean
        c = engine.pooled(mean, common)
        self._moved = None if c is mean else inner.of(c - mean, divided=LATENT_STRIDE)
        self._y, self._xhat, self._part = inner.of(y), engine.restore(y, c, inner), part_of_window(tile)
        # A copy: the caller's image need not be kept.
        self._source = np.array(source[rows[0] : rows[1], columns[0] : columns[1]])
        self._given = to_float(self._source)

    def restored(self, strength: float = 1.0) -> Any:
        """The part, as the whole image restored at this strength has it: exactly, in the layout of the image.

        Args:
            strength: see :class:`undegrade.inference.options.RestoreOptions`.

        Raises:
            UndegradeError: the strength is out of range.
        """
        RestoreOptions(strength=strength)
        if strength == 0:
            return self._back(self._source)
        amount, weight = strength * self._amount, np.float32(min(strength / BLEND, 1.0))
        xhat = self._part.of(self._xhat)
        if amount != 1:
            c = self._engine.encode(self._xhat + np.float32(amount) * (self._y - self._xhat)).mean
            c = c if self._moved is None else c + np.float32(min(amount, 1.0)) * self._moved
            xhat = self._engine.restore(self._y, c, self._part)
        restored = self._engine.from_model(xhat, self._given)
        if weight != 1:
            restored = self._given + weight * (restored - self._given)
        return self._back(from_float(restored, self._source.dtype))

    def _back(self, part: Image) -> Any:
        if not self._range.is_full:
            part = self._range.back(part)
        return self._layout.back([np.repeat(part, self._channels // part.shape[2], axis=2)])
