"""DND, photographs of four cameras (Plötz and Roth, CVPR 2017): Tables III, VIII, X.

``info.mat`` holds, in ``info.boundingboxes``, a 20 x 4 array for each of the 50 images: first row, first column, last
row and last column of the blocks to restore, counted from 1. ``images_srgb/0001.mat`` and on hold ``InoisySRGB``,
(H, W, 3) single in [0, 1]. All are version 7.3 files, of which only the blocks are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.data import matfile
from undegrade.data.block_benchmark import Restore, SubmittedBlocks
from undegrade.errors import UndegradeError


def bounding_boxes(info: Path) -> list[NDArray[np.int64]]:
    """The boxes of each image, (blocks, 4), as MATLAB counts: row, column, last row, last column, from 1.

    Raises:
        UndegradeError: the file cannot be read or is something else, or h5py is missing.
    """
    with matfile.opened(info) as file:
        references = np.array(file["info"]["boundingboxes"]).ravel()
        boxes = [np.array(file[reference]).transpose().astype(np.int64) for reference in references]
    if not boxes or any(b.ndim != 2 or b.shape[1] != 4 for b in boxes):
        raise UndegradeError(f"{info} holds no boxes of four numbers; get it again.")
    return boxes


def noisy_blocks(image: Path, boxes: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """The blocks of one image, (H, W, 3) in [0, 1], one at a time.

    Raises:
        UndegradeError: the file cannot be read, a box is outside the image, or h5py is missing.
    """
    with matfile.opened(image) as file:
        pixels = file["InoisySRGB"]  # (3, W, H)
        for top, left, bottom, right in boxes:
            if not (0 < top <= bottom <= pixels.shape[2] and 0 < left <= right <= pixels.shape[1]):
                raise UndegradeError(f"{image} is smaller than its boxes in info.mat; get both again.")
            yield np.array(pixels[:, left - 1 : right, top - 1 : bottom], dtype=np.float32).transpose(2, 1, 0)


def write_submission(out: Path, image: int, restored: list[NDArray[np.float32]]) -> None:
    """Write one image's blocks as the owners' ``bundle_submissions_srgb`` does: ``bundled/0001.mat``.

    Args:
        out: folder, created if necessary.
        image: its number, from 1.
        restored: its blocks in their order, (H, W, 3) in [0, 1].

    Raises:
        UndegradeError: it cannot be written, or scipy is missing.
    """
    cells = np.empty((1, len(restored)), dtype=object)
    cells[0, :] = restored
    variables = {"Idenoised": cells, "israw": False, "eval_version": "1.0"}
    matfile.write(out / "bundled" / f"{image:04d}.mat", variables)


@dataclass(frozen=True)
class DndBenchmark(SubmittedBlocks):
    """``info.mat`` and ``images_srgb/`` -> ``bundled/0001.mat`` to ``bundled/0050.mat``.

    Each holds ``Idenoised``, a cell array 1 x 20 of single blocks, ``israw`` and ``eval_version``. The work goes image
    by image, so that memory is bounded by one image's blocks.
    """

    @property
    def sent(self) -> str:
        return f"the files of bundled/ to {self.offered}"

    def submit(self, folder: Path, out: Path, restore: Restore, method: str) -> Iterator[int]:
        done = 0
        for number, boxes in enumerate(bounding_boxes(folder / "info.mat"), 1):
            restored = []
            for y in noisy_blocks(folder / "images_srgb" / f"{number:04d}.mat", boxes):
                restored.append(np.clip(restore(np.ascontiguousarray(y)), 0, 1).astype(np.float32))
                done += 1
                yield done
            write_submission(out, number, restored)


DND = DndBenchmark(
    name="DND",
    table="III",
    files=("info.mat", "images_srgb"),
    count=1000,
    offered="the Darmstadt Noise Dataset page of TU Darmstadt",
)
