"""Pictures without lines: gradients, their dithers and screens, shaded bodies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undegrade.data.graphics.pen import Random
from undegrade.data.graphics.taste import any_colour, grey, theme, vivid

Plane = NDArray[np.float32]


def field(random: Random, side: int, cells: int) -> Plane:
    """A smooth random field from 0 to 1, ``cells`` hills along a side."""
    coarse = Image.fromarray(random.random((cells + 2, cells + 2)).astype(np.float32))
    fine = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    low, high = float(fine.min()), float(fine.max())
    return (fine - low) / max(high - low, 1e-6)


def ramp(random: Random, side: int) -> Plane:
    """A linear or radial gradient, or hills, from 0 to 1."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
    kind = random.integers(3)
    if kind == 0:
        angle = random.uniform(0, 2 * math.pi) if random.random() < 0.5 else math.pi / 2 * random.integers(4)
        plane = x * math.cos(angle) + y * math.sin(angle)
    elif kind == 1:
        plane = np.hypot(x - random.uniform(-0.5, 0.5), y - random.uniform(-0.5, 0.5))
    else:
        return field(random, side, int(random.integers(1, 5)))
    low, high = plane.min(), plane.max()
    return np.asarray((plane - low) / (high - low), np.float32)


def _coloured(random: Random, plane: Plane) -> Plane:
    """Two or three colours along a plane from 0 to 1, not rounded."""
    count = int(random.integers(2, 4))
    stops = np.array([any_colour(random) if random.random() < 0.6 else theme(random).ground for _ in range(count)])
    at = np.linspace(0, 1, count)
    return np.stack([np.interp(plane, at, stops[:, i]) for i in range(3)], 2).astype(np.float32)


def _rounded(picture: Plane) -> Image.Image:
    return Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))


def gradient(random: Random, side: int) -> Image.Image:
    """Colours that go over into one another; some dithered by less than a level, some in visible steps."""
    picture = _coloured(random, ramp(random, side))
    kind = random.random()
    if kind < 0.2:
        picture += random.uniform(-0.5, 0.5, picture.shape).astype(np.float32)
    elif kind < 0.35:
        step = random.uniform(2, 24)
        picture = np.asarray((picture / step).round() * step, np.float32)
    return _rounded(picture)


_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16


def screen(random: Random, side: int) -> Image.Image:
    """A gradient in few colours: error diffusion, an ordered dither, a printer's dots."""
    plane = ramp(random, side)
    kind = random.integers(4)
    if kind == 0:
        colours = int(random.choice((2, 4, 8, 16, 64)))
        dither = Image.Dither.FLOYDSTEINBERG
        reduced = _rounded(_coloured(random, plane)).quantize(colours, Image.Quantize.FASTOCTREE)
        return _rounded(_coloured(random, plane)).quantize(palette=reduced, dither=dither).convert("RGB")
    if kind == 1:
        levels, cell = int(random.integers(1, 6)), int(random.integers(1, 4))
        matrix = _BAYER if random.random() < 0.7 else _BAYER[:2, :2] * 4 / 3
        threshold = np.kron(matrix, np.ones((cell, cell), np.float32))
        tiles = -(-side // len(threshold))
        threshold = np.tile(threshold, (tiles, tiles))[:side, :side]
        picture = _coloured(random, plane) / 255
        return _rounded(np.asarray(np.floor(picture * levels + threshold[..., None]).clip(0, levels) / levels * 255))
    if kind == 2:
        tone = halftone(random, plane)[..., None] / np.float32(255)
        ink, paper = (vivid(random), grey(255)) if random.random() < 0.4 else (grey(0), grey(255))
        return _rounded(np.asarray(ink + (np.array(paper, np.float32) - ink) * tone, np.float32))
    channels = [halftone(random, ramp(random, side)) for _ in range(3)]
    return Image.fromarray(np.stack(channels, 2))


def halftone(random: Random, plane: Plane) -> NDArray[np.uint8]:
    """Dots or lines on a turned grid, the larger the darker: 0 ink, 255 paper, with hard or smooth edges."""
    side = len(plane)
    period = random.uniform(3, 12)
    angle = random.choice((0.0, 15.0, 45.0, 75.0)) * math.pi / 180
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) * np.float32(2 * math.pi / period)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    wave = (np.cos(u) + np.cos(v)) / 4 + 0.5 if random.random() < 0.7 else np.cos(u) / 2 + 0.5
    if random.random() < 0.3:
        plane = np.full_like(plane, random.uniform(0.15, 0.85))
    if random.random() < 0.5:
        return np.where(wave > plane, 255, 0).astype(np.uint8)
    edge = period / 2.5
    return np.asarray(((wave - plane) * edge + 0.5).clip(0, 1) * 255, np.float32).round().astype(np.uint8)


def bodies(random: Random, side: int) -> Image.Image:
    """Spheres lit from one side before a plain or graded ground, smooth or hard at the edge."""
    if random.random() < 0.5:
        picture = np.empty((side, side, 3), np.float32)
        picture[:] = any_colour(random) if random.random() < 0.5 else theme(random).ground
    else:
        picture = _coloured(random, ramp(random, side))
    light = random.normal(0, 1, 3)
    light[2] = abs(light[2]) + 0.3
    light /= np.linalg.norm(light)
    ambient, shine = random.uniform(0.02, 0.3), random.choice((0.0, 0.0, 20.0, 80.0))
    for _ in range(random.integers(1, 9)):
        radius = random.uniform(0.06, 0.4) * side
        cx, cy = random.uniform(0, side, 2)
        rows, columns = (slice(max(int(v - radius) - 1, 0), int(v + radius) + 2) for v in (cy, cx))
        below = picture[rows, columns]
        y, x = np.mgrid[0 : below.shape[0], 0 : below.shape[1]].astype(np.float32)
        y, x = y + rows.start, x + columns.start
        dx, dy = (x - cx) / radius, (y - cy) / radius
        distance = np.hypot(dx, dy)
        dz = np.sqrt(np.clip(1 - distance**2, 0, None))
        lit = np.clip(dx * light[0] + dy * light[1] + dz * light[2], 0, None)
        colour = np.array(vivid(random), np.float32)
        shaded = colour * (ambient + (1 - ambient) * lit)[..., None]
        if shine:
            shaded += 255 * (lit**shine)[..., None] * 0.7
        cover = (
            np.clip((1 - distance) * radius + 0.5, 0, 1) if random.random() < 0.7 else (distance < 1).astype(np.float32)
        )
        below += (shaded.clip(0, 255) - below) * cover[..., None]
    return _rounded(picture)
