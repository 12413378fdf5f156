"""Reads the images of a folder, and crops disjoint patches from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.data.catalogue import SUFFIXES, load
from undegrade.errors import UndegradeError
from undegrade.metrics import luma_8bit


@dataclass(frozen=True)
class Patches:
    """Square patches of images that do not overlap.

    Attributes:
        x: (N, C, S, S), float32 in [0, 1].
        image: (N,), index of the image of each patch.
    """

    x: Tensor
    image: NDArray[np.int64]

    def part(self, chosen: NDArray[Any]) -> Patches:
        """A subset, by indices or by a mask."""
        return Patches(self.x[torch.from_numpy(chosen)], self.image[chosen])


def image_files(folder: Path, limit: int | None = None) -> list[Path]:
    """The pictures in a folder (not in subfolders), sorted by name; with a limit, evenly spaced in this order.

    Raises:
        UndegradeError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UndegradeError(f"there is no folder {folder}; give a folder with images.")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise UndegradeError(f"{folder} has no images (png, jpg, webp, tif, bmp); give a folder with images.")
    if limit is None or limit >= len(files):
        return files
    return [files[i * len(files) // limit] for i in range(limit)]


def chosen_files(folder: Path, limit: int | None = None, show: str | None = None) -> list[Path]:
    """Like :func:`image_files`, with the picture to show first.

    Args:
        folder, limit: see :func:`image_files`.
        show: name of the picture to show, without suffix; None keeps the order.

    Raises:
        UndegradeError: see :func:`image_files`; or no picture has this name.
    """
    files = image_files(folder, limit)
    if show is None:
        return files
    shown = next((f for f in image_files(folder) if f.stem == show), None)
    if shown is None:
        raise UndegradeError(
            f"there is no image named {show} in {folder}; give the name of an image without its suffix."
        )
    return [shown, *(f for f in files if f != shown)]


def read(file: Path, channels: int) -> NDArray[np.uint8]:
    """One image, uint8, (H, W, channels): RGB, or 8-bit luma for one channel.

    Raises:
        UndegradeError: it cannot be decoded.
    """
    image = load(file)
    if channels == 1:
        return luma_8bit(image)[..., None]
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """(H, W, C), 8 bits -> (1, C, H, W), float32 in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def cut(images: Sequence[NDArray[np.uint8]], size: int, count: int, seed: int = 0) -> Patches:
    """Crop patches from a grid over all images, drawn without replacement.

    Args:
        images: (H, W, C) each.
        size: S, in pixels.
        count: N.
        seed: of the draw.

    Raises:
        UndegradeError: the grid has fewer than ``count`` patches.
    """
    places = [
        (i, top, left)
        for i, image in enumerate(images)
        for top in range(0, image.shape[0] - size + 1, size)
        for left in range(0, image.shape[1] - size + 1, size)
    ]
    if len(places) < count:
        raise UndegradeError(
            f"the images hold {len(places)} disjoint patches of {size} pixels, not {count}; use more or larger images, "
            "or fewer or smaller patches."
        )
    chosen = np.random.RandomState(seed).permutation(len(places))[:count]
    tiles = [to_tensor(images[i][top : top + size, left : left + size]) for i, top, left in (places[n] for n in chosen)]
    return Patches(torch.cat(tiles), np.array([places[n][0] for n in chosen]))


def stacked_centres(images: Sequence[NDArray[np.uint8]], most: int, multiple: int = 1) -> Tensor:
    """Central crops of all images, (N, C, S, S), as large as the smallest image allows; S is at most ``most``.

    Raises:
        UndegradeError: an image is smaller than 16 pixels.
    """
    side = min(most, *(min(image.shape[:2]) for image in images))
    if side < 16:
        raise UndegradeError(f"an image is only {side} pixels high or wide; use images of at least 16.")
    side -= side % multiple
    crops = []
    for image in images:
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        crops.append(to_tensor(image[top : top + side, left : left + side]))
    return torch.cat(crops)
