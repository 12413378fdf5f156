"""Small pictures as files, and the records of a batch."""

import json
from pathlib import Path

import numpy as np
from PIL import Image as Pillow


def picture(name: str, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(name)
    return pixels


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]
