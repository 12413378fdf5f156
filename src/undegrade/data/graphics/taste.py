"""Colours and words as they occur on screens and pages."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

from undegrade.data.graphics.pen import Colour, Random

_SYLLABLES = """
the in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro
ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so
rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl
ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke ui fr oo ag ck ef bo gr ff qu x z j k w
"""
_MARKS = (",", ",", ",", ",", ".", ".", ";", ":", "!", "?", "...", "'", " -")
_CODE = "if else for in return def class import from = == += ( ) [ ] { } => -> :: ; // # self. None 0 1 i n x[i] ()"


class Theme(NamedTuple):
    """Colours that go together."""

    ground: Colour
    panel: Colour
    ink: Colour
    faint: Colour
    accent: Colour
    dark: bool


def vivid(random: Random) -> Colour:
    """A colour of an icon, a button, a line of a chart."""
    r, g, b = colorsys.hsv_to_rgb(random.random(), random.uniform(0.45, 1), random.uniform(0.5, 1))
    return round(255 * r), round(255 * g), round(255 * b)


def any_colour(random: Random) -> Colour:
    r, g, b = random.integers(0, 256, 3).tolist()
    return r, g, b


def grey(level: float) -> Colour:
    level = round(min(max(level, 0), 255))
    return level, level, level


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def theme(random: Random) -> Theme:
    """Light more often than dark; plain white and plain black are common."""
    dark = bool(random.random() < 0.35)
    if dark:
        ground = grey(0) if random.random() < 0.2 else mixed(grey(random.uniform(12, 49)), any_colour(random), 0.06)
        ink = grey(255) if random.random() < 0.3 else grey(random.uniform(170, 249))
    else:
        ground = grey(255) if random.random() < 0.5 else mixed(grey(random.uniform(225, 255)), any_colour(random), 0.06)
        ink = grey(0) if random.random() < 0.4 else mixed(grey(random.uniform(0, 89)), any_colour(random), 0.1)
    panel = mixed(ground, ink, random.uniform(0.03, 0.12)) if random.random() < 0.7 else vivid(random)
    return Theme(ground, panel, ink, mixed(ground, ink, random.uniform(0.1, 0.35)), vivid(random), dark)


_SOUNDS = tuple(_SYLLABLES.split())
_TOKENS = tuple(_CODE.split())


def word(random: Random) -> str:
    kind = random.random()
    if kind < 0.1:
        return f"{random.integers(0, 10 ** int(random.integers(1, 6)))}"
    if kind < 0.13:
        return f"{random.uniform(0, 2000):,.2f}"
    made = "".join(_SOUNDS[i] for i in random.integers(0, len(_SOUNDS), random.integers(1, 5)))
    return made.upper() if kind > 0.96 else made.capitalize() if kind > 0.8 else made


def words(random: Random, count: int) -> str:
    made = [
        word(random) + (_MARKS[random.integers(len(_MARKS))] if random.random() < 0.12 else "") for _ in range(count)
    ]
    return " ".join(made)


def code(random: Random, count: int) -> str:
    made = [_TOKENS[random.integers(len(_TOKENS))] if random.random() < 0.5 else word(random) for _ in range(count)]
    return " ".join(made)
