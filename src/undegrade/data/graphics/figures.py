"""Drawn pictures: charts, maps, line art, logos."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from PIL import Image

from undegrade.data.graphics.pen import Pen, Point, Random, any_font
from undegrade.data.graphics.surfaces import field, halftone
from undegrade.data.graphics.taste import any_colour, grey, mixed, theme, vivid, word, words


def chart(random: Random, side: int) -> Image.Image:
    """One to four of lines, bars, dots, areas and pies with their axes."""
    colours = theme(random)
    pen = Pen(random, side, colours.ground, smooth=bool(random.random() < 0.6))
    font = any_font(random, 8, 15)
    cells = int(random.integers(1, 3))
    size = side / cells
    for row in range(cells):
        for column in range(cells):
            left, top = column * size + 4 * font.size, row * size + 2 * font.size
            right, bottom = (column + 1) * size - font.size, (row + 1) * size - 3 * font.size
            if right - left < 20 or bottom - top < 20:
                continue
            if random.random() < 0.15:
                _pie(random, pen, (left, top, right, bottom))
                continue
            if random.random() < 0.3:
                pen.rectangle((left, top, right, bottom), mixed(colours.ground, colours.ink, 0.06))
            ticks = int(random.integers(3, 8))
            for i in range(ticks + 1):
                y = round(bottom + (top - bottom) * i / ticks)
                if random.random() < 0.9:
                    pen.line([(left, y), (right, y)], colours.faint)
                label = f"{i * 10 ** int(random.integers(0, 3))}"
                pen.text((left - font.scaled(1).getlength(label) - 4, y - font.size / 2), label, font, colours.ink)
                x = round(left + (right - left) * i / ticks)
                pen.text((x - 4, bottom + 4), str(i), font, colours.ink)
            _series(random, pen, (left, top, right, bottom))
            pen.line([(left, top), (left, bottom), (right, bottom)], colours.ink)
            pen.text((left + (right - left) / 4, bottom + font.size + 6), words(random, 3), font, colours.ink)
            pen.text((left + (right - left) / 4, top - font.size - 4), words(random, 2), font, colours.ink)
    return pen.picture()


def _series(random: Random, pen: Pen, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    kind = random.integers(4)
    for _ in range(random.integers(1, 5)):
        colour, count = vivid(random), int(random.integers(5, 120))
        walk = np.cumsum(random.normal(0, 1, count))
        walk = 0.05 + 0.9 * (walk - walk.min()) / max(np.ptp(walk), 1e-6)
        x = np.linspace(left, right, count)
        y = bottom - (bottom - top) * walk
        points: list[Point] = list(zip(x.tolist(), y.tolist(), strict=True))
        if kind == 0:
            pen.line(points, colour, float(random.choice((1, 1, 1.5, 2, 3))))
        elif kind == 1:
            wide = (right - left) / count * 0.7
            for px, py in points[: max(count // 3, 3)]:
                pen.rectangle((px, py, min(px + wide * 3, right), bottom), colour)
        elif kind == 2:
            r = float(random.uniform(1, 4))
            for px, py in zip(random.uniform(left, right, count), random.uniform(top, bottom, count), strict=True):
                pen.ellipse((px - r, py - r, px + r, py + r), colour)
        else:
            pen.polygon([(left, bottom), *points, (right, bottom)], mixed(colour, grey(255), 0.3), colour)


def _pie(random: Random, pen: Pen, box: tuple[float, float, float, float]) -> None:
    size = min(box[2] - box[0], box[3] - box[1])
    corners = [round(v * pen.k) for v in (box[0], box[1], box[0] + size, box[1] + size)]
    ends = np.cumsum(random.uniform(0.2, 1, random.integers(2, 9)))
    ends = np.concatenate(([0], 360 * ends / ends[-1]))
    for start, end in pairwise(ends.tolist()):
        pen.draw.pieslice(corners, start, end, vivid(random), grey(255))


def map_(random: Random, side: int) -> Image.Image:
    """Regions of flat colours, contour lines, roads and names."""
    heights = field(random, side, int(random.integers(3, 8)))
    count = int(random.integers(3, 9))
    regions = np.clip((heights * count).astype(int), 0, count - 1)
    colours = np.array([mixed(any_colour(random), grey(235), random.uniform(0.2, 0.8)) for _ in range(count)], np.uint8)
    picture = colours[regions]
    if random.random() < 0.5:
        edge = (regions != np.roll(regions, 1, 0)) | (regions != np.roll(regions, 1, 1))
        picture[edge] = grey(random.uniform(0, 160))
    pen = Pen(random, side, grey(255), smooth=bool(random.random() < 0.5))
    large = Image.fromarray(picture)
    pen.canvas.paste(large.resize(pen.canvas.size, Image.Resampling.NEAREST) if pen.k > 1 else large)
    for _ in range(random.integers(3, 14)):
        points = _wander(random, side, int(random.integers(3, 12)))
        width, fill = float(random.choice((1, 2, 3, 5, 8))), grey(255) if random.random() < 0.5 else vivid(random)
        if random.random() < 0.6:
            pen.line(points, grey(random.uniform(60, 160)), width + 2)
        pen.line(points, fill, width)
    font = any_font(random, 8, 16)
    for _ in range(random.integers(4, 20)):
        at, name = random.uniform(0, side, 2).tolist(), word(random)
        if random.random() < 0.4:
            pen.text((at[0], at[1]), name, font, grey(255), stroke=2)
        pen.text((at[0], at[1]), name, font, grey(random.uniform(0, 80)))
    return pen.picture()


def _wander(random: Random, side: int, count: int) -> list[Point]:
    """A line that keeps its direction more or less."""
    x, y = random.uniform(0, side, 2)
    angle, points = random.uniform(0, 2 * math.pi), []
    for _ in range(count):
        points.append((float(x), float(y)))
        angle += random.normal(0, 0.6)
        x, y = x + side / 6 * math.cos(angle), y + side / 6 * math.sin(angle)
    return points


def line_art(random: Random, side: int) -> Image.Image:
    """Ink on paper: curves, hatching, areas of screentone, drawn hard or smooth."""
    paper, ink = (grey(255), grey(0)) if random.random() < 0.7 else (theme(random).ground, theme(random).ink)
    pen = Pen(random, side, paper, smooth=bool(random.random() < 0.5))
    for _ in range(random.integers(5, 40)):
        t = np.linspace(0, 2 * math.pi, 40)
        size, at = random.uniform(0.03, 0.3) * side, random.uniform(0, side, 2)
        wave = 1 + random.uniform(0, 0.5) * np.sin(random.integers(1, 6) * t + random.uniform(0, 6))
        end = int(random.integers(10, 41))
        x, y = at[0] + size * wave * np.cos(t), at[1] + size * random.uniform(0.2, 1.5) * wave * np.sin(t)
        points = list(zip(x[:end].tolist(), y[:end].tolist(), strict=True))
        if end == 40 and random.random() < 0.5:
            pen.polygon(points, paper if random.random() < 0.6 else vivid(random))
        pen.line(points, ink, float(random.uniform(1, 4)))
    if random.random() < 0.4:
        at, step, length = random.uniform(0, side * 0.7, 2), random.uniform(3, 8), random.uniform(0.1, 0.5) * side
        for i in range(int(random.integers(10, 50))):
            start = (at[0] + i * step, at[1])
            pen.line([start, (start[0] - length / 2, start[1] + length)], ink)
    picture = np.array(pen.picture())
    if random.random() < 0.6:
        tone = halftone(random, field(random, side, 2))
        where = np.zeros((side, side), bool)
        top, left = random.integers(0, side // 2, 2)
        where[top : top + side // 2, left : left + side // 2] = True
        if random.random() < 0.5:
            where &= field(random, side, 3) > 0.5
        picture[where] = np.minimum(picture, tone[..., None])[where]
    return Image.fromarray(picture)


def logo(random: Random, side: int) -> Image.Image:
    """A few large flat shapes and large letters; now and then a single colour."""
    if random.random() < 0.12:
        return Image.new("RGB", (side, side), any_colour(random))
    colours = theme(random)
    pen = Pen(
        random, side, colours.ground if random.random() < 0.6 else vivid(random), smooth=bool(random.random() < 0.7)
    )
    for _ in range(random.integers(1, 14)):
        x, y = random.uniform(-0.1, 0.9, 2) * side
        w, h = random.uniform(0.05, 0.6, 2) * side
        fill = vivid(random) if random.random() < 0.7 else any_colour(random)
        kind = random.integers(4)
        if kind == 0:
            pen.ellipse((x, y, x + w, y + w), fill)
        elif kind == 1:
            pen.rectangle((x, y, x + w, y + h), fill, radius=float(random.choice((0, 0, 10, 30))))
        elif kind == 2:
            pen.polygon([(x, y + h), (x + w / 2, y), (x + w, y + h)], fill)
        else:
            turns = np.linspace(0, 2 * math.pi, 11)[:10]
            radius = np.where(np.arange(10) % 2, 0.4, 1.0) * w / 2
            star = zip((x + radius * np.cos(turns)).tolist(), (y + radius * np.sin(turns)).tolist(), strict=True)
            pen.polygon(list(star), fill)
    for _ in range(random.integers(0, 5)):
        at = random.uniform(0, 0.8, 2) * side
        pen.text((float(at[0]), float(at[1])), word(random), any_font(random, 20, 90), any_colour(random))
    return pen.picture()
