"""The options of a restoration, and its result."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from os import PathLike
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from undegrade.errors import UndegradeError
from undegrade.inference.origin import Origin
from undegrade.inference.uncertainty import LEVEL, half_widths, interval
from undegrade.weights.intervals import Widths

Kind = TypeVar("Kind", covariant=True)
"""What a restored image is: an array, a tensor or an image of Pillow."""

MIN_TILE = 4
"""Smallest side of a tile in pixels. A model whose stride is larger takes its stride."""
MAX_STRENGTH = 4.0
"""The largest strength."""
BLEND = 0.25
"""Below this strength the result is blended with the input."""


@dataclass(frozen=True)
class RestoreOptions:
    """How an image is restored; the defaults give the model's own result.

    Attributes:
        strength: 0 returns the input unchanged, 1 is the model's own result, more (up to 4) removes more. The latent is
            moved to that of the same image with ``strength`` times the degradation. Even the latent of a clean image
            changes the image a little; below :data:`BLEND` the result is therefore also blended with the input.
        level: replaces the estimate, in the units of the task's quantity (noise level, JPEG quality): the latent is
            moved until the estimate equals this value.
        samples: number of latents drawn from q(c|y) instead of using its mean, 0 or at least 2. The result is the mean
            of their restorations; their standard deviation is returned too.
        seed: of the samples, 0 or more.
        self_ensemble: the paper's "+": the mean over the eight flips and rotations, at eight times the cost. The
            estimate comes from the input without a flip or rotation.
        direct: the small image was made by direct decimation, as in the paper's tables, and not by an ordinary resizer
            or a camera. The result is then shifted up and left by (scale - 1) / 2 of its pixels. No effect at scale 1.
        tile: largest side of a tile in input pixels, at least :data:`MIN_TILE`; None for the
            default. It changes memory and time, never the result.
        memory: bytes that one tile may take; the size of the tiles follows from it. Not together with ``tile``. If
            memory runs out nevertheless, tiles are halved and the work continues.
        white: of a uint16 image, the value that is white, 1 to 65535; None to find black and white
            (:mod:`undegrade.inference.ranges`).
        uncertainty: also compute how far off every pixel may be, for :meth:`Restoration.interval`; of models with a
            scale head, at strength 1, without a level and without the self-ensemble, since the intervals were measured
            like that. They were measured without samples, too.

    Raises:
        UndegradeError: on construction, if a value is out of range or two options exclude each other.
    """

    strength: float = 1.0
    level: float | None = None
    samples: int = 0
    seed: int = 0
    self_ensemble: bool = False
    direct: bool = False
    tile: int | None = None
    memory: float | None = None
    white: float | None = None
    uncertainty: bool = False

    def __post_init__(self) -> None:
        for name in ("strength", "level", "memory", "white"):
            self._take(name, float, numbers.Real, "a number")
        for name in ("samples", "seed", "tile"):
            self._take(name, int, numbers.Integral, "a whole number")
        for name in ("self_ensemble", "direct", "uncertainty"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise UndegradeError(f"{name} is {getattr(self, name)!r:.60}; give True or False.")
        if self.seed >= 2**63:
            raise UndegradeError(f"a seed of {self.seed} is too large; give a number below 2**63.")
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise UndegradeError(f"a strength of {self.strength:g} is out of range; give 0 to {MAX_STRENGTH:g}.")
        if self.level is not None and not 0 <= self.level < float("inf"):
            raise UndegradeError(f"a level of {self.level:g} is out of range; give a number of at least 0.")
        if self.samples < 0 or self.samples == 1:
            raise UndegradeError(f"samples={self.samples} gives no standard deviation; use 0, or at least 2.")
        if self.seed < 0:
            raise UndegradeError(f"a seed of {self.seed} is negative; give a number of at least 0.")
        if self.samples and self.self_ensemble:
            raise UndegradeError("samples and self-ensemble cannot be combined; choose one.")
        if self.uncertainty and (self.self_ensemble or self.strength != 1 or self.level is not None):
            other = "self-ensemble" if self.self_ensemble else "a strength other than 1"
            other = "a level that replaces the estimate" if self.level is not None else other
            raise UndegradeError(
                f"uncertainty and {other} cannot be combined, since the intervals were measured without; choose one."
            )
        if self.tile is not None and self.tile < MIN_TILE:
            raise UndegradeError(
                f"a tile of {self.tile} pixels is too small; give at least {MIN_TILE}, or leave it out."
            )
        if self.memory is not None and (self.tile is not None or not 0 < self.memory < float("inf")):
            raise UndegradeError(
                "memory must be a number of bytes above 0, and not together with tile; give one of the two."
            )

    def _take(self, name: str, kind: type, wanted: type[Any], words: str) -> None:
        """Turn numpy's numbers, and floats such as 64.0 where a whole number is meant, into Python's."""
        value: Any = getattr(self, name)
        if value is None and name in ("level", "memory", "tile", "white"):
            return
        whole = kind is int and isinstance(value, numbers.Real) and math.isfinite(value) and float(value).is_integer()
        if isinstance(value, bool) or not (isinstance(value, wanted) or whole):
            raise UndegradeError(f"{name} is {value!r:.60}; give {words}.")
        object.__setattr__(self, name, kind(value))


@dataclass(frozen=True, repr=False)
class Restoration(Generic[Kind]):
    """What a pipeline returns. Notebooks show it as pictures before and after.

    Attributes:
        image: the restored image, of the same kind as the input, ``scale`` times as large along each side; of a file an
            array, with alpha as its last channel if it has any. With samples, their mean.
        estimate: (P,), f(T) in the units of the task's quantity: EST(c) averaged over draws of c at each position. The
            image's value is the median over the most certain positions (:attr:`Quantity.places`); for the covariance
            Sigma of a kernel it is the mean over all positions. None if the task has no estimator.
        spread: (P,), the posterior standard deviation of the estimate: that of EST(c) under q(c|y) at each position,
            averaged over the image, in the same units. None if the estimate is None.
        std: with samples, (H scale, W scale), float32: the standard deviation of every pixel over the samples (root
            mean square over its channels), for images in [0, 1]. Else None.
        scale: with ``uncertainty``, (H scale, W scale), float32: b = sqrt(Var / 2) of every pixel, for images in
            [0, 1], where Var = E_c[2 b(y, c)^2] + Var_c[xhat] (law of total variance; c is the posterior's mean without
            samples, where the second term is 0). Else None.
        widths: for each image what turns b into intervals; empty if it is not known.
        units: for each image, the difference of its values that is 1 for the model: 255 for uint8.
        origin: what was given, and to which model; None if a program made the object itself.
    """

    image: Kind
    estimate: npt.NDArray[np.float64] | None
    spread: npt.NDArray[np.float64] | None = None
    std: Any = None
    scale: Any = None
    widths: tuple[Widths, ...] = ()
    units: tuple[float, ...] = (1.0,)
    origin: Origin | None = None

    def half_width(self, level: float = LEVEL) -> Any:
        """Half the width of every pixel's interval: like :attr:`scale`, for images in [0, 1].

        Args:
            level: the share of the true values that the intervals are to hold: 0.5, 0.8, 0.9 or 0.95.

        Raises:
            UndegradeError: there is no interval of that level, or none at all.
        """
        return half_widths(self._scale(), self.widths, level)

    def interval(self, level: float = LEVEL) -> tuple[Any, Any]:
        """Between which values the true image lies: the lower and the upper ones, both of the kind of :attr:`image`.

        Measured on held-out images: of all true values (each channel of each pixel counts for itself) the share
        ``level`` lies within. The ends of integers are rounded outward, so that theirs hold more, the narrower the
        intervals are. :meth:`half_width` is what was measured.

        Args:
            level: see :meth:`half_width`.

        Raises:
            UndegradeError: see :meth:`half_width`.
        """
        return interval(self.image, self._scale(), self.widths, self.units, level)

    @property
    def words(self) -> str:
        """What was found, for people: ``"noise level 24.0 (8-bit levels)"``; empty if the task has no estimator."""
        return "" if self.origin is None else self.origin.words(self.estimate)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed while a file was read, e.g. that a broken colour profile was left out; empty for arrays.

        Each is a sentence without a full stop.
        """
        return () if self.origin is None else self.origin.notes

    def save(self, path: str | PathLike[str], *, strip_metadata: bool = False) -> None:
        """Write the restored image, whole or not at all, with the metadata of the file that was given.

        If nothing has changed, the file is copied byte for byte, unless in another format or without metadata. An image
        of Pillow has those of its ``info``: colour profile, EXIF, XMP, resolution; it is turned upright.

        Args:
            path: its suffix says the format; an existing file is replaced. Floats become 16 bits in PNG and TIFF,
                else 8.
            strip_metadata: leave out EXIF, XMP, IPTC and comments.

        Raises:
            UndegradeError: it is a batch, the suffix is of no format that is written, the format cannot hold the
                image, or the file cannot be written.
        """
        from undegrade.inference.saving import save

        save(self.image, None if self.origin is None else self.origin.given, path, strip_metadata)

    def __repr__(self) -> str:
        from undegrade.inference.showing import named

        about = [named(self.image), self.words, "" if self.origin is None else self.origin.reason]
        return f"Restoration({'; '.join(part for part in about if part)})"

    def _repr_html_(self) -> str:
        from undegrade.inference.showing import before_and_after

        return before_and_after(self)

    def _scale(self) -> Any:
        if self.scale is None:
            raise UndegradeError(
                "there are no intervals; restore with uncertainty=True (an image that is left alone has none, nor has "
                "one from which something was removed before it was enlarged)."
            )
        return self.scale


@dataclass(frozen=True, repr=False)
class EstimateMap:
    """The estimate of the degradation at every position of an image.

    Attributes:
        estimate: (P,), :attr:`Restoration.estimate`.
        spread: (P,), :attr:`Restoration.spread`.
        map: (P, ceil(H / 4), ceil(W / 4)), EST at the posterior mean for every position of the latent, in the same
            units.
    """

    estimate: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    map: npt.NDArray[np.float32]

    def __repr__(self) -> str:
        values = ", ".join(f"{value:.4g}" for value in self.estimate)
        return f"EstimateMap(estimate [{values}]; map {self.map.shape})"
