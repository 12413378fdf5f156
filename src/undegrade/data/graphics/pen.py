"""A canvas whose lines and letters are drawn as programs draw them: hinted, unhinted, without or with subpixels."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Random = np.random.Generator
Colour = tuple[int, int, int]
Point = tuple[float, float]

_FAMILIES = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmr", "cmtt", "cmss")
_BUILT_IN = "Pillow"


class Font(NamedTuple):
    """A font file (or ``"Pillow"`` for the one that Pillow brings) at a size in pixels."""

    file: str
    size: int

    def scaled(self, factor: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return _loaded(self.file, self.size * factor)


@functools.cache
def font_files() -> tuple[str, ...]:
    """What there is on this machine: Pillow's own font, and matplotlib's text fonts."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return (_BUILT_IN,)
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    files = sorted(p for p in folder.glob("*.ttf") if p.name.startswith(_FAMILIES) and "Display" not in p.name)
    return (_BUILT_IN, *map(str, files))


@functools.lru_cache(maxsize=512)
def _loaded(file: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size) if file == _BUILT_IN else ImageFont.truetype(file, size)


def any_font(random: Random, low: int = 9, high: int = 24, mono: bool = False) -> Font:
    """A font of a size in [low, high], small ones more often; of typewriters where ``mono`` and there are some."""
    files = font_files()
    if mono:
        files = tuple(f for f in files if "Mono" in f or "cmtt" in f) or files
    elif random.random() < 0.35:  # what screens mostly show: without serifs
        files = tuple(f for f in files if f == _BUILT_IN or "DejaVuSans" in f)
    return Font(files[random.integers(len(files))], round(low * (high / low) ** random.random()))


class Pen:
    """Draws on a canvas in its own pixels.

    Args:
        random: draws how letters are made.
        side: of the canvas.
        ground: its colour.
        smooth: whether everything is drawn three times as large and averaged, which antialiases lines as well.
    """

    def __init__(self, random: Random, side: int, ground: Colour, smooth: bool) -> None:
        self.side, self.k = side, 3 if smooth else 1
        self.canvas = Image.new("RGB", (side * self.k, side * self.k), ground)
        self.draw = ImageDraw.Draw(self.canvas)
        letters = random.choice(4, p=(0.5, 0.12, 0.18, 0.2))
        self.subpixels = 0 if smooth or letters < 2 else 1 if letters == 2 else 3
        if not smooth and letters == 1:
            self.draw.fontmode = "1"
        self.order = int(random.integers(2))

    def rectangle(self, box: Sequence[float], fill: Colour | None = None, outline: Colour | None = None,
                  width: int = 1, radius: float = 0) -> None:  # fmt: skip
        """With its corners (left, top, right, bottom) inside."""
        left, top, right, bottom = (round(v * self.k) for v in box)
        if right < left or bottom < top:
            return
        corners = (left, top, right + self.k - 1, bottom + self.k - 1)
        if radius:
            self.draw.rounded_rectangle(corners, radius * self.k, fill, outline, width * self.k)
        else:
            self.draw.rectangle(corners, fill, outline, width * self.k)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 1) -> None:
        self.draw.line([(x * self.k, y * self.k) for x, y in points], fill, max(round(width * self.k), 1), "curve")

    def polygon(self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None) -> None:
        self.draw.polygon([(x * self.k, y * self.k) for x, y in points], fill, outline)

    def ellipse(self, box: Sequence[float], fill: Colour | None, outline: Colour | None = None, width: int = 1) -> None:
        self.draw.ellipse([v * self.k for v in box], fill, outline, width * self.k)

    def text(self, at: Point, text: str, font: Font, fill: Colour, stroke: int = 0) -> float:
        """Write a line whose upper left corner is ``at``. Returns how wide it is."""
        if self.subpixels == 0:
            loaded = font.scaled(self.k)
            self.draw.text((at[0] * self.k, at[1] * self.k), text, fill, loaded, stroke_width=stroke * self.k)
            return float(loaded.getlength(text)) / self.k
        loaded = font.scaled(3)
        width = float(loaded.getlength(text)) / 3
        wide, high = int(width) + 4, 2 * font.size
        mask = Image.new("L", (3 * wide, 3 * high))
        ImageDraw.Draw(mask).text((3 + 3 * (at[0] % 1), 0), text, 255, loaded, stroke_width=stroke * 3)
        self._blend((int(at[0]) - 1, int(at[1])), np.asarray(mask.reduce((1, 3)), np.float32) / 255, fill)
        return width

    def _blend(self, at: tuple[int, int], cover: np.ndarray, fill: Colour) -> None:
        """Paint through a mask of three samples a pixel along the rows: averaged, or one for each channel."""
        high, wide = cover.shape[0], cover.shape[1] // 3
        if self.subpixels == 3:
            # The five taps of FreeType's default filter, without which letters have coloured edges.
            padded = np.pad(cover, ((0, 0), (2, 2)))
            taps = (0.03, 0.30, 0.34, 0.30, 0.03)
            cover = sum(t * padded[:, i : i + 3 * wide] for i, t in enumerate(taps))  # type: ignore[assignment]
            alpha = cover.reshape(high, wide, 3)[..., :: 1 - 2 * self.order]
        else:
            alpha = cover.reshape(high, wide, 3).mean(2, keepdims=True)
        left, top = max(at[0], 0), max(at[1], 0)
        right, bottom = min(at[0] + wide, self.side), min(at[1] + high, self.side)
        if right <= left or bottom <= top:
            return
        box = (left, top, right, bottom)
        below = np.asarray(self.canvas.crop(box), np.float32)
        alpha = alpha[top - at[1] : bottom - at[1], left - at[0] : right - at[0]]
        above = below + (np.array(fill, np.float32) - below) * alpha
        self.canvas.paste(Image.fromarray(above.round().clip(0, 255).astype(np.uint8)), (left, top))

    def picture(self) -> Image.Image:
        return self.canvas.reduce(self.k) if self.k > 1 else self.canvas
