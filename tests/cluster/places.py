"""Folders with small pictures, on a disk and in memory."""

import io

import numpy as np
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from undegrade.cluster.storage import Place


def png(seed: int = 0, height: int = 20) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, 30, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def fill(place: Place, **files: bytes) -> None:
    """Files by name; in the names, __ stands for a slash and _ for a dot."""
    for name, content in files.items():
        place.put_bytes(content, name.replace("__", "/").replace("_", "."))


def forget() -> None:
    """Empty the store in memory, which all tests of a process share."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
