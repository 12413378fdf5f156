"""Lossy saving, as of pictures on the web: JPEG, WebP and AVIF by Pillow, once or twice, with the grid at any place."""

from __future__ import annotations

import enum
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.base import Degradation, Degraded, Generator, uniform
from undegrade.degrade.jpeg import Subsampling, decode, encode, side_by_side
from undegrade.degrade.noise_grain_quality import NOISE_GRAIN_QUALITY, saving_params
from undegrade.degrade.numbers import Numbers
from undegrade.errors import UndegradeError
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

_CELL = 16
"""Side of what a codec's grid repeats by, in pixels."""


class Codec(enum.StrEnum):
    """A lossy format."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


_AS_JPEG: dict[Codec, tuple[tuple[int, float], ...]] = {
    Codec.WEBP: (
        (1, 11),
        (10, 20),
        (20, 30),
        (30, 42),
        (40, 56),
        (50, 66),
        (60, 72),
        (70, 77),
        (80, 85),
        (90, 93),
        (100, 97),
    ),
    Codec.AVIF: (
        (1, 8),
        (10, 10),
        (20, 15),
        (30, 22),
        (40, 36),
        (50, 62),
        (60, 78),
        (70, 87),
        (80, 92),
        (90, 95),
        (100, 99),
    ),
}
"""Qualities, and those of the 4:2:0 JPEGs of the same PSNR on photographs of half their size. Which pictures are taken
matters by several steps; ``tests/degrade/test_saved.py`` looks whether they are near."""


def as_jpeg(codec: Codec, quality: float) -> float:
    """The quality factor of the JPEG with about the same PSNR."""
    if codec is Codec.JPEG:
        return quality
    theirs, ours = zip(*_AS_JPEG[codec], strict=True)
    return float(np.interp(quality, theirs, ours))


@dataclass(frozen=True)
class Saved(Degradation):
    """Every image is saved at a quality of its own; f(T) knows that of the last saving, as a JPEG's.

    Where an earlier saving was coarser, the quality is not learned (nan): the pixels show the earlier one.

    Attributes:
        codec: the format.
        quality: range of the quality, 1 to 100, every whole number equally likely.
        subsampling: of a JPEG's chroma, each of these equally likely.
        aligned: share of images whose grid starts at their corner; the others are crops, with a grid anywhere.
        twice: share of images that were saved by the same codec before.
        first: range of the quality of that first time.
    """

    codec: Codec
    quality: tuple[int, int]
    subsampling: tuple[Subsampling, ...] = ("4:2:0",)
    aligned: float = 1.0
    twice: float = 0.0
    first: tuple[int, int] = (1, 100)

    quantity: ClassVar[Numbers] = NOISE_GRAIN_QUALITY

    def __post_init__(self) -> None:
        for low, high in (self.quality, self.first):
            if not 1 <= low <= high <= 100:
                raise ValueError(f"quality must satisfy 1 <= low <= high <= 100, got {(low, high)}")
        if not self.subsampling or not 0 <= self.aligned <= 1 or not 0 <= self.twice <= 1:
            raise ValueError(f"there must be a subsampling, aligned and twice must be shares: {self}")

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, c, _, _ = x.shape
        if c not in (1, 3):
            raise ValueError(f"files have 1 or 3 channels, got {c}")
        histories = [self._history(row) for row in uniform((b, 10), 0.0, 1.0, generator, x).tolist()]
        levels = x.detach().clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        pictures = [np.ascontiguousarray(p if c == 3 else p[..., 0]) for p in levels]
        coded = side_by_side(_saved, pictures, histories)
        y = torch.from_numpy(np.stack(coded)).view(b, *levels.shape[1:]).to(x.device)
        qualities = [
            as_jpeg(history[-1].codec, history[-1].quality)
            if history[-1].quality <= min(save.quality for save in history) + 5
            else np.nan
            for history in histories
        ]
        params = saving_params(torch.tensor(qualities, device=x.device, dtype=x.dtype))
        return Degraded(y.permute(0, 3, 1, 2).contiguous().to(x.dtype).div(255), params)

    def _history(self, u: list[float]) -> list[_Save]:
        """Of one image, from ten numbers in [0, 1)."""

        def whole(u: float, low: int, high: int) -> int:
            return min(low + int(u * (high - low + 1)), high)

        def save(quality: int, row: float, column: float) -> _Save:
            kind = self.subsampling[whole(u[0], 0, len(self.subsampling) - 1)]
            return _Save(self.codec, quality, kind, whole(row, 0, _CELL - 1), whole(column, 0, _CELL - 1))

        last = save(whole(u[1], *self.quality), u[2], u[3])
        if u[4] < self.aligned:
            last = last._replace(top=0, left=0)
        return ([save(whole(u[6], *self.first), u[7], u[8])] if u[5] < self.twice else []) + [last]


class _Save(NamedTuple):
    """How a picture was saved; ``top`` rows and ``left`` columns of the grid's cell are not part of it any more."""

    codec: Codec
    quality: int
    subsampling: Subsampling
    top: int
    left: int


def _saved(image: NDArray[np.uint8], history: list[_Save]) -> NDArray[np.uint8]:
    h, w = image.shape[:2]
    for save in history:
        if save.top == save.left == 0:
            image = _coded(image, save)
            continue
        # What lies outside continues the picture, so that it adds no edge to the blocks that it shares.
        margin = [(save.top, -(save.top + h) % _CELL), (save.left, -(save.left + w) % _CELL)]
        whole = np.pad(image, margin + [(0, 0)] * (image.ndim - 2), mode="symmetric")
        coded = _coded(whole, save)
        image = np.ascontiguousarray(coded[save.top : save.top + h, save.left : save.left + w])
    return image


def _coded(image: NDArray[np.uint8], save: _Save) -> NDArray[np.uint8]:
    if save.codec is Codec.JPEG:
        return decode(encode(image, save.quality, save.subsampling))
    from PIL import Image, features

    if not features.check(str(save.codec)):
        raise UndegradeError(
            f"this Pillow cannot write {save.codec}; install Pillow 11.3 or newer, whose wheels hold the codecs."
        )
    file = io.BytesIO()
    # The fastest settings that look like the usual ones; one thread, as the images are coded side by side.
    extra = {"method": 2} if save.codec is Codec.WEBP else {"speed": 9, "max_threads": 1}
    Image.fromarray(image).save(file, save.codec.upper(), quality=save.quality, **extra)
    with Image.open(file) as opened:
        return np.array(opened.convert("RGB" if image.ndim == 3 else "L"), dtype=np.uint8)
