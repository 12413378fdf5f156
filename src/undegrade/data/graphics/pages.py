"""Pictures that are mostly text: pages, terminals and editors, tables."""

from __future__ import annotations

from itertools import pairwise

from PIL import Image

from undegrade.data.graphics.pen import Font, Pen, Random, any_font
from undegrade.data.graphics.taste import code, theme, vivid, word, words


def page(random: Random, side: int) -> Image.Image:
    """Paragraphs with headings in one or two columns."""
    colours = theme(random)
    pen = Pen(random, side, colours.ground, smooth=bool(random.random() < 0.15))
    font = any_font(random, 8, 22)
    heading = Font(any_font(random).file, round(font.size * random.uniform(1.3, 3)))
    columns = 2 if font.size < 13 and random.random() < 0.4 else 1
    gap, spacing = int(random.integers(4, 40)), font.size * random.uniform(1.15, 1.7)
    width = (side - gap) / columns - gap
    for column in range(columns):
        left, y = gap + column * (width + gap), float(random.integers(0, 30))
        while y < side:
            if random.random() < 0.3:
                ink = colours.accent if random.random() < 0.3 else colours.ink
                pen.text((left, y), _fitting(words(random, 6), heading, width), heading, ink)
                y += heading.size * 1.5
            for _ in range(random.integers(2, 12)):
                line = _fitting(words(random, 4 + int(2.4 * width / font.size / 5)), font, width)
                if random.random() < 0.03:
                    pen.rectangle((left, y, left + width * random.random(), y + font.size), colours.panel)
                pen.text((left, y), line, font, vivid(random) if random.random() < 0.03 else colours.ink)
                y += spacing
                if y > side:
                    break
            y += spacing * random.uniform(0.3, 1)
            if random.random() < 0.15:
                pen.line([(left, y - 4), (left + width, y - 4)], colours.faint)
    return pen.picture()


def _fitting(text: str, font: Font, width: float) -> str:
    """As much of a text as a line holds."""
    length = float(font.scaled(1).getlength(text))
    return text[: int(len(text) * width / length)] if length > width else text


def terminal(random: Random, side: int) -> Image.Image:
    """Lines of one width, many-coloured words: a terminal or an editor."""
    colours = theme(random)
    pen = Pen(random, side, colours.ground, smooth=False)
    font = any_font(random, 9, 18, mono=True)
    inks = [colours.ink, colours.ink, *(vivid(random) for _ in range(4))]
    numbered, spacing = random.random() < 0.4, round(font.size * random.uniform(1.15, 1.5))
    left = 3 * font.size if numbered else int(random.integers(2, 8))
    if numbered:
        pen.rectangle((0, 0, left - 6, side), colours.panel)
    for i, y in enumerate(range(int(random.integers(0, 8)), side, spacing)):
        x = left + font.size * float(random.integers(0, 5))
        if numbered:
            pen.text((4, y), str(i + 1), font, colours.faint)
        if random.random() < 0.1:
            continue
        if random.random() < 0.04:
            pen.rectangle((left, y, side, y + spacing - 1), colours.panel)
        while x < side * random.uniform(0.4, 1.1):
            x += pen.text((x, y), code(random, int(random.integers(1, 4))) + " ", font, inks[random.integers(6)])
            x = float(round(x))
    return pen.picture()


def table(random: Random, side: int) -> Image.Image:
    """Numbers in cells: a spreadsheet."""
    colours = theme(random)
    pen = Pen(random, side, colours.ground, smooth=bool(random.random() < 0.1))
    font = any_font(random, 9, 16)
    height, y, striped, ruled = (
        round(font.size * random.uniform(1.3, 2)),
        0,
        random.random() < 0.4,
        random.random() < 0.7,
    )
    edges = [0]
    while edges[-1] < side:
        edges.append(edges[-1] + int(random.integers(3, 11)) * font.size)
    for row, y in enumerate(range(0, side, height)):
        if row == 0 or (striped and row % 2):
            pen.rectangle((0, y, side, y + height - 1), colours.panel if row == 0 else colours.faint)
        for left, right in pairwise(edges):
            text = (
                word(random) if row == 0 or random.random() < 0.3 else f"{random.normal(0, 300):.{random.integers(3)}f}"
            )
            x = left + 3 if row == 0 else max(right - 4 - font.scaled(1).getlength(text), left + 2)
            if right - left > 4 * font.size or random.random() < 0.8:
                pen.text((x, y + (height - font.size) // 2 - 1), text, font, colours.ink)
        if ruled:
            pen.line([(0, y), (side, y)], colours.faint)
    if ruled:
        for x in edges:
            pen.line([(x, 0), (x, side)], colours.faint)
    return pen.picture()
