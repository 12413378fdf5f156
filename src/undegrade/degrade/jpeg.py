"""JPEG: y = decode(encode(x, QF)), f(T) = QF / 100 (paper section VII).

The codec is libjpeg through Pillow. QF scales the example tables of ITU-T T.81, annex K, as the Independent
JPEG Group does: each entry t becomes clip(floor((t S + 50) / 100), 1, 255) with S = floor(5000 / QF) below
QF 50 and S = 200 - 2 QF from there on. MATLAB's imwrite writes the same tables.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity, uniform
from undegrade.degrade.severity import Severity, first
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Subsampling = Literal["4:2:0", "4:4:4"]

# T.81 tables K.1 (luminance) and K.2 (chrominance), rows of increasing vertical frequency.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def quantisation_tables(quality: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps of luminance and chrominance at a quality of 1 to 100: two (8, 8), rows by vertical frequency."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    luminance, chrominance = ((t * percent + 50) // 100 for t in (_LUMINANCE, _CHROMINANCE))
    return luminance.clip(1, 255), chrominance.clip(1, 255)


_LOG_STEPS = np.array([np.log(quantisation_tables(quality)[0]).mean() for quality in range(1, 101)])


def nearest_quality(luminance: NDArray[np.integer]) -> int:
    """The quality factor, 1 to 100, whose luminance steps are nearest to (8, 8) steps of any origin.

    Steps of the Independent JPEG Group's scale give their quality exactly. Those of other makers (cameras, Adobe) are
    compared by the mean of their logarithms, which is how much is lost.
    """
    logarithm = np.log(np.maximum(luminance, 1)).mean()
    return 1 + int(np.abs(_LOG_STEPS - logarithm).argmin())


def encode(image: NDArray[np.uint8], quality: int, subsampling: Subsampling = "4:2:0") -> bytes:
    """A JPEG file of a (H, W) grey or (H, W, 3) RGB image. ``subsampling`` matters to colour only."""
    from PIL import Image

    file = io.BytesIO()
    extra = {"subsampling": subsampling} if image.ndim == 3 else {}
    Image.fromarray(image).save(file, "JPEG", quality=quality, **extra)
    return file.getvalue()


def decode(file: bytes) -> NDArray[np.uint8]:
    """The pixels of a JPEG file: (H, W) grey or (H, W, 3) RGB."""
    from PIL import Image

    with Image.open(io.BytesIO(file)) as image:
        return np.array(image, dtype=np.uint8)


H = TypeVar("H")

_FEW = 4
"""For fewer pictures threads are not worth their start."""


def side_by_side(
    save: Callable[[NDArray[np.uint8], H], NDArray[np.uint8]], pictures: list[NDArray[np.uint8]], histories: list[H]
) -> list[NDArray[np.uint8]]:
    """``save`` every picture by its history, on all cores: the codecs run outside Python's lock."""
    if len(pictures) < _FEW:
        return [save(picture, history) for picture, history in zip(pictures, histories, strict=True)]
    with ThreadPoolExecutor(min(len(pictures), os.cpu_count() or 1)) as pool:
        return list(pool.map(save, pictures, histories))


@dataclass(frozen=True)
class Jpeg(Degradation):
    """One quality factor per image, every value of the range equally likely.

    Attributes:
        quality: first and last quality factor, 1 to 100.
        step: the quality factors are first, first + step, ..., last.
        subsampling: of the chroma of RGB images, each of these equally likely; ``"4:2:0"`` alone is what Table VII
            measures.
        twice: share of images that were saved once before, as a crop of a saved picture was. Their f(T) is the lower
            of the two qualities, which gives the strength of the degradation; the second one stands in a file's header.
        first: first and last quality factor of that first time; None for those of ``quality``.
        shift: how many rows and columns before the image the 8x8 grid of that first time starts, 0 to 7 each; None for
            any, equally likely.

    Raises:
        ValueError: on construction, for a range or step that makes no sense; on a call, for images that
            have neither one channel (a grey JPEG) nor three.
    """

    quality: tuple[int, int]
    step: int = 1
    subsampling: tuple[Subsampling, ...] = ("4:2:0",)
    twice: float = 0.0
    first: tuple[int, int] | None = None
    shift: tuple[int, int] | None = None

    # Flat places look the same at every quality.
    quantity: ClassVar[Quantity] = Quantity("JPEG quality", size=1, scale=100.0, unit="QF", places=0.2, low=1, high=100)

    def __post_init__(self) -> None:
        for low, high in (self.first or self.quality, self.quality):
            if not 1 <= low <= high <= 100:
                raise ValueError(f"quality must satisfy 1 <= low <= high <= 100, got {(low, high)}")
        if self.step < 1 or (high - low) % self.step:
            raise ValueError(f"step must divide {high} - {low}, got {self.step}")
        if not self.subsampling or any(kind not in ("4:2:0", "4:4:4") for kind in self.subsampling):
            raise ValueError(f"subsampling must be some of 4:2:0 and 4:4:4, got {self.subsampling}")
        if not 0 <= self.twice <= 1:
            raise ValueError(f"twice must be a share between 0 and 1, got {self.twice}")
        if self.shift is not None and not all(0 <= n <= 7 for n in self.shift):
            raise ValueError(f"shift must be 0 to 7 rows and columns, got {self.shift}")

    @property
    def severity(self) -> Severity:
        return Severity(
            name="JPEG quality",
            symbol="QF",
            unit="quality factor",
            steps=tuple(range(10, 91, 10)),
            own=40,
            mild=80,
            strong=10,
            reach=32,
            at=lambda quality: Jpeg((round(quality), round(quality))),
            read=first,
        )

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, c, _, _ = x.shape
        if c not in (1, 3):
            raise ValueError(f"JPEG takes 1 or 3 channels, got {c}")
        qualities = _qualities(self.quality, self.step, b, generator, x)
        kinds = [self.subsampling[i] for i in _choices(b, len(self.subsampling), generator, x)]
        saves = [[_Save(q, kind)] for q, kind in zip(qualities, kinds, strict=True)]
        if self.twice:
            chosen = uniform((b,), 0.0, 1.0, generator, x) < self.twice if self.twice < 1 else [True] * b
            step = self.step if self.first is None else 1
            before = _qualities(self.first or self.quality, step, b, generator, x)
            places = _choices(b, 64, generator, x) if self.shift is None else [8 * self.shift[0] + self.shift[1]] * b
            for image in range(b):
                if chosen[image]:
                    saves[image].insert(0, _Save(before[image], kinds[image], divmod(places[image], 8)))

        levels = x.detach().clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        pictures = [np.ascontiguousarray(p if c == 3 else p[..., 0]) for p in levels]
        coded = side_by_side(_saved, pictures, saves)
        y = torch.from_numpy(np.stack(coded)).view(b, *levels.shape[1:]).to(x.device)
        worst = [min(save.quality for save in history) for history in saves]
        params = torch.tensor(worst, device=x.device, dtype=x.dtype).view(b, 1) / self.quantity.scale
        return Degraded(y.permute(0, 3, 1, 2).contiguous().to(x.dtype).div(255), params)


class _Save(NamedTuple):
    """How a picture was once saved; ``before`` rows and columns of it are not part of ours any more."""

    quality: int
    subsampling: Subsampling
    before: tuple[int, int] = (0, 0)


def _saved(image: NDArray[np.uint8], history: list[_Save]) -> NDArray[np.uint8]:
    for save in history:
        top, left = save.before
        # What is cut off afterwards continues the picture, so that it adds no edge to the blocks that it shares.
        margin = [(top, 0), (left, 0)] + [(0, 0)] * (image.ndim - 2)
        whole = np.pad(image, margin, mode="symmetric")
        image = np.ascontiguousarray(decode(encode(whole, save.quality, save.subsampling))[top:, left:])
    return image


def _qualities(span: tuple[int, int], step: int, count: int, generator: Generator, like: Tensor) -> list[int]:
    """``count`` draws of first, first + step, ..., last."""
    low, high = span
    return [low + step * i for i in _choices(count, (high - low) // step + 1, generator, like)]


def _choices(count: int, choices: int, generator: Generator, like: Tensor) -> list[int]:
    """``count`` draws from range(choices); a single choice is not drawn."""
    if choices == 1:
        return [0] * count
    # The clamp is for u so near 1 that choices * u rounds up to choices.
    return [int(i) for i in uniform((count,), 0.0, choices, generator, like).floor().clamp(max=choices - 1).tolist()]
