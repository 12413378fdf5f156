"""Results in words and, for notebooks, as pictures."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from undegrade.image import Picture
from undegrade.inference.arrays import Image, Layout, centre, from_float, to_float
from undegrade.inference.pil import is_pil
from undegrade.inference.ranges import Range, find_range

if TYPE_CHECKING:
    from undegrade.inference.options import Restoration

SIDE = 320
"""Most pixels along a side that a notebook shows, one to one: made smaller, noise could not be seen."""
_QUALITY = 85


def named(image: Any) -> str:
    """What an image is, in a few words: ``array (320, 480, 3) uint8``."""
    if is_pil(image):
        return f"PIL image {image.width} x {image.height} {image.mode}"
    kind = "array" if isinstance(image, np.ndarray) else "tensor"
    return f"{kind} {tuple(image.shape)} {str(image.dtype).removeprefix('torch.')}"


def before_and_after(result: Restoration[Any]) -> str:
    """HTML with the middle of the image before and after; of a batch its first image."""
    layout = Layout.of(result.image)
    images = layout.images(result.image)
    given = None if result.origin is None else result.origin.given
    before = None if given is None else _first(given)
    scale = 1 if before is None else max(images[0].shape[0] // before.shape[0], 1)
    found = find_range(images[0] if before is None else before)
    shown = [] if before is None else [("before", _middle(before, SIDE // scale, found), scale)]
    shown.append(("after", _middle(images[0], SIDE // scale * scale, found), 1))
    figures = "".join(
        f'<figure style="margin:0"><img alt="{name}" width="{x.shape[1] * times}" height="{x.shape[0] * times}" '
        f'style="image-rendering:pixelated" src="{_data(x)}"><figcaption>{name}</figcaption></figure>'
        for name, x, times in shown
    )
    about = [result.words, "" if result.origin is None else result.origin.reason]
    if len(images) > 1:
        about.append(f"the first of {len(images)} images")
    elif max(images[0].shape[:2]) > SIDE // scale * scale:
        about.append("the middle of the image")
    text = html.escape("; ".join(part for part in about if part))
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{figures}</div><p>{text}</p>'


def _first(given: Any) -> Image:
    if isinstance(given, Picture):
        given = given.pixels
    first: Image = Layout.of(given).images(given)[0]
    return first


def _middle(x: Image, side: int, found: Range) -> Image:
    """The middle of (H, W, C), at most ``side`` pixels high and wide, as uint8."""
    part = centre(x, side)
    return from_float(to_float(part) if found.is_full else found.scaled(part), np.dtype(np.uint8))


def _data(x: Image) -> str:
    """uint8 (H, W, C) as the address of a JPEG that holds itself."""
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(x[..., 0] if x.shape[2] == 1 else np.ascontiguousarray(x)).save(file, "jpeg", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
