"""Training images, decoded once and kept as one flat tensor of pixels; crops are gathered from it in one go.

The tensor lives where training happens (on the GPU where there is one), so a batch of crops, flipped and rotated,
costs one gather and no host work.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from undegrade.data.catalogue import SUFFIXES
from undegrade.degrade.colour import BT601
from undegrade.errors import UndegradeError
from undegrade.lazy import torch
from undegrade.metrics import luma_8bit
from undegrade.reading import open_regular

if TYPE_CHECKING:
    from torch import Tensor


class TrainingImages:
    """Clean images as one uint8 tensor (N, C): image i holds rows ``offset[i]`` to ``offset[i] + h[i] w[i]``.

    Args:
        images: uint8 arrays (H, W, C), all of the same C.
        device: where the pixels are kept and the crops are made.
    """

    def __init__(self, images: Sequence[np.ndarray], device: torch.device | str = "cpu") -> None:
        self.height = torch.tensor([i.shape[0] for i in images], device=device)
        self.width = torch.tensor([i.shape[1] for i in images], device=device)
        sizes = torch.tensor([i.shape[0] * i.shape[1] for i in images])
        self.offset = (sizes.cumsum(0) - sizes).to(device)
        self.pixels = torch.cat([torch.from_numpy(i).flatten(0, 1) for i in images]).to(device)
        self._known: dict[int, tuple[int, Tensor, Tensor]] = {}

    @property
    def device(self) -> torch.device:
        """Where the crops are made."""
        return self.pixels.device

    def __len__(self) -> int:
        return len(self.height)

    def crops(self, batch: int, patch: int, generator: torch.Generator) -> Tensor:
        """``batch`` crops, uniform over all places of all images, each flipped and rotated in one of eight ways.

        Images smaller than the patch are left out.

        Args:
            batch: B.
            patch: side of the crops.
            generator: on the images' device.

        Returns:
            (B, C, patch, patch), float32 in [0, 1].

        Raises:
            UndegradeError: no image is large enough.
        """
        device = self.pixels.device
        count, starts, columns = self._places(patch)
        place = torch.randint(count, (batch,), generator=generator, device=device)
        image = torch.searchsorted(starts, place, right=True) - 1
        place = place - starts[image]
        row, column = place // columns[image], place % columns[image]

        flips = torch.randint(2, (3, batch, 1, 1), generator=generator, device=device, dtype=torch.bool)
        side = torch.arange(patch, device=device)
        i, j = side.view(1, patch, 1), side.view(1, 1, patch)
        i, j = torch.where(flips[0], j, i), torch.where(flips[0], i, j)
        i = torch.where(flips[1], patch - 1 - i, i)
        j = torch.where(flips[2], patch - 1 - j, j)
        width = self.width[image].view(-1, 1, 1)
        index = self.offset[image].view(-1, 1, 1) + (row.view(-1, 1, 1) + i) * width + column.view(-1, 1, 1) + j
        return self.pixels[index].permute(0, 3, 1, 2).float() / 255

    def _places(self, patch: int) -> tuple[int, Tensor, Tensor]:
        """How many places a patch has, the first place of each image, and its number of columns of places.

        Kept for the next call: reading the count would make the host wait for the GPU at every step.
        """
        if patch not in self._known:
            rows, columns = (self.height - patch + 1).clamp(min=0), (self.width - patch + 1).clamp(min=0)
            ends = (rows * columns).cumsum(0)
            count = int(ends[-1])
            if count == 0:
                raise UndegradeError(
                    f"no training image is {patch} pixels high and wide; use larger images or a smaller patch."
                )
            self._known[patch] = count, ends - rows * columns, columns
        return self._known[patch]


def read_folder(folder: Path, channels: int, only: Sequence[str] = ()) -> list[np.ndarray]:
    """Decode every image below a folder, in the order of their paths.

    Args:
        folder: searched recursively.
        channels: 3 for RGB, 1 for 8-bit luma (MATLAB range, rounded).
        only: where there are some, take files alone whose names start with one of these.

    Returns:
        uint8 arrays (H, W, channels).

    Raises:
        UndegradeError: the folder is missing or empty, or a file in it cannot be decoded.
    """
    if not folder.is_dir():
        raise UndegradeError(f"there is no folder {folder}; give one that holds images.")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise UndegradeError(f"no images (png, jpg, webp, tif, bmp) below {folder}; give a folder that holds some.")
    paths = [p for p in paths if not only or p.name.startswith(tuple(only))]
    if not paths:
        raise UndegradeError(f"no image below {folder} has a name that starts with {' or '.join(only)}; give others.")
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda p: _decode(p, channels), paths))


def _decode(path: Path, channels: int) -> np.ndarray:
    try:
        from PIL import Image  # as in clean.py

        with open_regular(path) as file, Image.open(file) as image:
            rgb = np.array(image.convert("RGB"))
    except Exception as error:  # Pillow raises far more than OSError on broken files
        raise UndegradeError(f"cannot decode {path} ({error}); remove it or put a good copy in its place.") from error
    if channels == 3:
        return rgb
    return luma_8bit(rgb)[:, :, None]


def turn_grey(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Turn about ``share`` of a batch of RGB crops grey (BT.601 luma in all three channels).

    Args:
        x: (B, 3, H, W) in [0, 1]; one-channel batches come back as they are.
        share: probability per image.
        generator: on x's device; not advanced when share is 0.
    """
    if share == 0 or x.shape[1] == 1:
        return x
    chosen = torch.rand((x.shape[0], 1, 1, 1), generator=generator, device=x.device) < share
    weights = torch.tensor(BT601, device=x.device).view(1, 3, 1, 1)
    return torch.where(chosen, (x * weights).sum(1, keepdim=True).expand_as(x), x)
