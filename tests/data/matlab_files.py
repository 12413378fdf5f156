"""Small files in the layouts of SIDD and DND."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from undegrade.data.block_benchmark import SubmittedBlocks

BOXES = np.array([[1, 1, 4, 6], [3, 5, 10, 8]])
"""First row, first column, last row, last column, from 1; two of different shapes."""


def blocks(seed: int, images: int = 2, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, count, 8, 6, 3), dtype=np.uint8)


def save_matlab_73(path: Path, **arrays: np.ndarray) -> None:
    """As MATLAB's ``save -v7.3``: a header of 512 bytes, axes in reverse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.transpose()
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def save_dnd(folder: Path, images: int = 2) -> list[np.ndarray]:
    """``info.mat`` with a struct array of references, and the images."""
    pixels = [np.random.default_rng(i).random((12, 9, 3), dtype=np.float32) for i in range(images)]
    for i, image in enumerate(pixels, 1):
        save_matlab_73(folder / "images_srgb" / f"{i:04d}.mat", InoisySRGB=image)
    with h5py.File(folder / "info.mat", "w", userblock_size=512) as file:
        references = file.create_dataset("info/boundingboxes", (1, images), dtype=h5py.ref_dtype)
        for i in range(images):
            file[f"#refs#/{i}"] = (BOXES + i).astype(np.float64).transpose()
            references[0, i] = file[f"#refs#/{i}"].ref
    return pixels


def finish(benchmark: SubmittedBlocks, folder: Path, out: Path) -> list[int]:
    """Write a submission of blocks that are brightened beyond the range."""
    return list(benchmark.submit(folder, out, lambda y: y * 2 - 0.1, "ours"))
