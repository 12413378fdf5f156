"""What the clean crops x of a task are cut from: photographs as they are, made smaller, and graphics made by program.

Small pictures and screenshots are not degraded: a model that has only seen large photographs takes
their sharp edges and few colours for noise or bad compression.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from undegrade.data.training_images import TrainingImages
from undegrade.lazy import torch
from undegrade.metrics import luma_8bit

if TYPE_CHECKING:
    from torch import Tensor

Picture = NDArray[np.uint8]

_RESIZERS = ("BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
"""Pillow's."""
_SMALLER = ((0.6, 1.15, 2.0), (0.4, 2.0, 4.0))
"""Share of the crops of small photographs, and the range of the factors that they are made smaller by."""
_LEAST_SIDE = 96
"""Shortest side of a photograph that was made smaller, in pixels."""


class Crops(Protocol):
    """Where clean crops come from."""

    @property
    def device(self) -> torch.device: ...

    def crops(self, batch: int, patch: int, generator: torch.Generator) -> Tensor:
        """(batch, C, patch, patch), float32 in [0, 1]."""


@dataclass(frozen=True)
class MixedCrops:
    """Every crop is cut from one of several sets of images.

    Attributes:
        parts: shares, which add up to 1, and images on one device.
    """

    parts: tuple[tuple[float, TrainingImages], ...]

    @property
    def device(self) -> torch.device:
        return self.parts[0][1].device

    def crops(self, batch: int, patch: int, generator: torch.Generator) -> Tensor:
        ends = torch.tensor([share for share, _ in self.parts], device=self.device).cumsum(0)
        drawn = torch.rand(batch, generator=generator, device=self.device)
        which = torch.searchsorted(ends, drawn, right=True).clamp(max=len(self.parts) - 1)
        x = None
        for i, (_, images) in enumerate(self.parts):
            chosen = (which == i).nonzero().flatten()
            if len(chosen):
                cut = images.crops(len(chosen), patch, generator)
                x = cut.new_empty(batch, *cut.shape[1:]) if x is None else x
                x[chosen] = cut
        assert x is not None, "a batch holds at least one crop"
        return x


@dataclass(frozen=True)
class CleanMixture:
    """The shares of a task's clean crops. The default is photographs as they are.

    Attributes:
        smaller: of photographs made smaller by 1.15 to 4.
        graphics: of graphics made by program.
        bars: share of the photographs that get black or plain bars, as films have.
        canvases: how many graphics of 512 x 512 are made, from the seed, to crop from.
    """

    smaller: float = 0.0
    graphics: float = 0.0
    bars: float = 0.0
    canvases: int = 256

    def __post_init__(self) -> None:
        if min(self.smaller, self.graphics, self.bars) < 0 or self.smaller + self.graphics > 1 or self.bars > 1:
            raise ValueError(f"shares must be between 0 and 1 and add up to no more, got {self}")

    def crops(
        self, photographs: Sequence[Picture], device: torch.device | str, seed: int
    ) -> TrainingImages | MixedCrops:
        """Make what crops are cut from. The same photographs and seed give the same.

        Args:
            photographs: (H, W, C), uint8, all of the same C, 1 or 3.
            device: where the pixels are kept.
            seed: of everything that is made here.
        """
        channels = photographs[0].shape[2]
        whole = _barred(photographs, self.bars, seed) if self.bars else list(photographs)
        if self.smaller == self.graphics == 0:
            return TrainingImages(whole, device)
        parts = [(1 - self.smaller - self.graphics, TrainingImages(whole, device))]
        if self.smaller:
            parts += [
                (self.smaller * share, TrainingImages(made_smaller(whole, low, high, seed + i), device))
                for i, (share, low, high) in enumerate(_SMALLER)
            ]
        if self.graphics:
            from undegrade.data.graphics import canvases  # draws: slow to import, and restoring does not need it

            drawn = canvases(seed, self.canvases)
            if channels == 1:
                drawn = [luma_8bit(picture)[:, :, None] for picture in drawn]
            parts.append((self.graphics, TrainingImages(drawn, device)))
        return MixedCrops(tuple((share, images) for share, images in parts if share > 0))


def made_smaller(photographs: Sequence[Picture], low: float, high: float, seed: int) -> list[Picture]:
    """Every photograph once, smaller by a factor of its own from ``low`` to ``high``, by an ordinary resizer.

    None gets smaller than 96 pixels.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda i: _smaller(photographs[i], low, high, np.random.default_rng([seed, i])),
                             range(len(photographs))))  # fmt: skip


def _smaller(photograph: Picture, low: float, high: float, random: np.random.Generator) -> Picture:
    h, w, c = photograph.shape
    factor = max(min(low * (high / low) ** random.random(), min(h, w) / _LEAST_SIDE), 1.0)
    size = (max(round(w / factor), 1), max(round(h / factor), 1))
    from PIL import Image  # tasks say what they are trained on: a restoration imports this module and not Pillow

    image = Image.fromarray(photograph if c == 3 else photograph[..., 0])
    small = np.array(image.resize(size, Image.Resampling[_RESIZERS[random.integers(len(_RESIZERS))]]))
    return small.reshape(size[1], size[0], c)


def _barred(photographs: Sequence[Picture], share: float, seed: int) -> list[Picture]:
    """Bars above and below, or left and right, on a share of the photographs."""
    random, made = np.random.default_rng([seed, 1]), []
    for photograph in photographs:
        chosen, across, part, colour, *_ = random.random(8)
        if chosen < share:
            photograph = photograph.copy()
            view = photograph if across < 0.6 else photograph.swapaxes(0, 1)
            width = round(len(view) * (0.05 + 0.2 * part))
            value = 0 if colour < 0.7 else 255 if colour < 0.85 else random.integers(0, 256, photograph.shape[2])
            view[:width] = view[-width:] = value
        made.append(photograph)
    return made


AS_THEY_ARE = CleanMixture()
"""Photographs only."""


class Clean(enum.StrEnum):
    """What clean images a validation case is watched on."""

    PHOTOGRAPHS = "photographs"
    """The centres of the held-out photographs."""
    SMALL = "small"
    """The same photographs at half their size."""
    GRAPHICS = "graphics"
    """Graphics of a seed that training does not use."""


_HELD_OUT_SEED = 1_000_003
_HELD_OUT_GRAPHICS = 16


def held_out(kind: Clean, photographs: Sequence[Picture], size: int) -> list[Picture]:
    """Clean images of a kind, (size, size, C) each; of small ones those that are large enough.

    Args:
        kind: which.
        photographs: held-out photographs, (H, W, C).
        size: side of what comes out.
    """
    if kind is Clean.GRAPHICS:
        from undegrade.data.graphics import canvases

        drawn = canvases(_HELD_OUT_SEED, _HELD_OUT_GRAPHICS, size)
        return drawn if photographs[0].shape[2] == 3 else [luma_8bit(picture)[:, :, None] for picture in drawn]
    if kind is Clean.SMALL:
        photographs = made_smaller(photographs, 2.0, 2.0, _HELD_OUT_SEED)
    return [centre(p, size) for p in photographs if min(p.shape[:2]) >= size]


def centre(image: Picture, size: int) -> Picture:
    """The middle of an image, (size, size, C)."""
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]
