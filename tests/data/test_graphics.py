"""Graphics made by program: the same for a seed, and as diverse as what people have."""

import numpy as np
import pytest

from undegrade.data.graphics import KINDS, canvases, draw
from undegrade.data.graphics.pen import font_files

SIDE = 160


def flat_share(picture: np.ndarray) -> float:
    """Of pixels that equal their neighbours below and to the right."""
    level = picture.astype(int)
    same = (level[1:, 1:] == level[:-1, 1:]).all(2) & (level[1:, 1:] == level[1:, :-1]).all(2)
    return float(same.mean())


def edge_share(picture: np.ndarray) -> float:
    """Of pixels that differ from the right one by more than 48 levels in some channel."""
    return float((np.abs(np.diff(picture.astype(int), axis=1)).max(2) > 48).mean())


def colours(picture: np.ndarray) -> int:
    return len(np.unique(picture.reshape(-1, 3), axis=0))


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[np.ndarray]]:
    return {kind: [draw(seed, SIDE, kind) for seed in range(4)] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_draws_the_same_picture(kind: str, drawn: dict[str, list[np.ndarray]]) -> None:
    picture = drawn[kind][1]
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, draw(1, SIDE, kind))
    assert not np.array_equal(picture, drawn[kind][2])


@pytest.mark.parametrize(
    ("kind", "flat", "edges"),
    [
        ("page", (0.2, 0.95), (0.03, 0.6)),
        ("table", (0.2, 0.98), (0.01, 0.5)),
        ("interface", (0.5, 1.0), (0.001, 0.3)),
        ("chart", (0.5, 1.0), (0.001, 0.3)),
        ("screen", (0.0, 0.9), (0.0, 0.9)),
    ],
)
def test_kinds_look_like_what_they_are(kind, flat, edges, drawn) -> None:
    assert flat[0] <= np.mean([flat_share(p) for p in drawn[kind]]) <= flat[1]
    assert edges[0] <= np.mean([edge_share(p) for p in drawn[kind]]) <= edges[1]


def test_gradients_and_bodies_are_smooth(drawn) -> None:
    for kind in ("gradient", "bodies"):
        assert np.mean([edge_share(p) for p in drawn[kind]]) < 0.03


def test_the_pool_is_diverse() -> None:
    pool = canvases(0, 40, SIDE)
    flat = np.array([flat_share(p) for p in pool])
    count = np.array([colours(p) for p in pool])
    light = np.array([p.mean() for p in pool])
    assert (flat > 0.8).any()
    assert (flat < 0.4).any()
    assert (count <= 8).any()
    assert (count > 300).any()
    assert (light > 200).any()
    assert (light < 70).any()
    assert all(np.array_equal(a, b) for a, b in zip(pool, canvases(0, 3, SIDE), strict=False))
    assert not np.array_equal(pool[0], canvases(1, 1, SIDE)[0])


def test_pillows_own_font_is_always_there() -> None:
    assert font_files()[0] == "Pillow"
