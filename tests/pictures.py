"""Pictures made from scratch, for tests that need something like a photo."""

from __future__ import annotations

import numpy as np


def make_photo(height: int, width: int, seed: int) -> np.ndarray:
    """Soft gradient, a few hard-edged discs and some texture, 8-bit RGB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([x / width, y / height, (x + y) / (height + width)], -1) * 0.6 + 0.2
    for _ in range(6):
        cy, cx, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.1, 0.35) * height
        image[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = rng.uniform(0, 1, 3)
    image += 0.05 * np.sin(x / 2.5)[..., None] * np.sin(y / 3.5)[..., None]
    return np.clip(image * 255, 0, 255).round().astype(np.uint8)
