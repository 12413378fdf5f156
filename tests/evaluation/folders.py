"""Small benchmark sets as folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_sets(folder: Path, photo: np.ndarray) -> Path:
    """Three different tiny images per dataset, two pairs of photographs."""
    for name in ("CBSD68", "Kodak24", "Urban100", "LIVE1", "Set5", "Classic5"):
        (folder / name).mkdir()
        for i in range(3):
            pixels = np.roll(photo, 17 * i, axis=1)[: 61 + i, :81]
            Image.fromarray(pixels[..., 0] if name == "Classic5" else pixels).save(folder / name / f"{i}.png")
    for part, pixels in (("mean", photo), ("real", photo // 2)):
        (folder / "CC15" / part).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(pixels).save(folder / "CC15" / part / f"{i}_{part}.png")
    return folder
