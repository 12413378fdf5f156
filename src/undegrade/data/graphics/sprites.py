"""Pixel art: small symmetric figures and tiles in few colours, each pixel a square of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undegrade.data.graphics.pen import Random
from undegrade.data.graphics.taste import any_colour, grey, vivid


def sprites(random: Random, side: int) -> Image.Image:
    """A ground of one colour or of repeated tiles, and figures on it."""
    size = int(random.choice((8, 8, 12, 16, 16, 24)))
    zoom = int(random.choice((1, 1, 2, 2, 3, 4, 6)))
    cells = -(-side // zoom)
    colours = np.array([grey(0), grey(255), *(vivid(random) for _ in range(5)), any_colour(random)], np.uint8)
    picture = np.empty((cells, cells, 3), np.uint8)
    picture[:] = colours[random.integers(len(colours))]
    if random.random() < 0.5:
        tile = colours[random.integers(2, 5, (size, size))]
        count = -(-cells // size)
        picture[:] = np.tile(tile, (count, count, 1))[:cells, :cells]
    figures = [_figure(random, size, colours) for _ in range(random.integers(2, 10))]
    for _ in range(int(cells**2 / size**2 * random.uniform(0.1, 0.7)) + 1):
        figure, mask = figures[random.integers(len(figures))]
        top, left = random.integers(0, max(cells - size, 1), 2)
        below = picture[top : top + size, left : left + size]
        mask, figure = mask[: len(below), : below.shape[1]], figure[: len(below), : below.shape[1]]
        below[mask] = figure[mask]
    large = np.kron(picture, np.ones((zoom, zoom, 1), np.uint8))
    return Image.fromarray(np.ascontiguousarray(large[:side, :side]))


def _figure(random: Random, size: int, colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The same left and right, with an outline: pixels and where they are."""
    half = random.random((size, size // 2))
    half = (half + np.roll(half, 1, 0) + np.roll(half, 1, 1)) / 3  # pixels that hang together
    body = np.hstack((half, half[:, ::-1])) < 0.5
    body[[0, -1]] = body[:, [0, -1]] = False
    around = body | np.roll(body, 1, 0) | np.roll(body, -1, 0) | np.roll(body, 1, 1) | np.roll(body, -1, 1)
    inks = random.integers(2, len(colours), 3)
    figure = colours[inks[(half * 6).astype(int) % 3]]
    figure = np.hstack((figure, figure[:, ::-1]))
    figure[around & ~body] = colours[0]
    return figure, around
