"""User interfaces: windows, forms, buttons, lists, dialogs, icons."""

from __future__ import annotations

from PIL import Image

from undegrade.data.graphics.pen import Font, Pen, Random, any_font
from undegrade.data.graphics.taste import Theme, grey, mixed, theme, vivid, words


def interface(random: Random, side: int) -> Image.Image:
    """A bar, perhaps a list at the side, and controls, drawn as one style."""
    colours = theme(random)
    pen = Pen(random, side, colours.ground, smooth=bool(random.random() < 0.2))
    font = any_font(random, 9, 17)
    radius = int(random.choice((0, 0, 3, 6, 12)))
    bar = font.size * int(random.integers(2, 4))
    strong = vivid(random) if random.random() < 0.5 else mixed(colours.panel, grey(0), random.random() * 0.8)
    pen.rectangle((0, 0, side, bar), strong)
    pen.text((10, (bar - font.size) // 2), words(random, 3), font, _on(strong))
    left = 0
    if random.random() < 0.5:
        left = int(side * random.uniform(0.2, 0.4))
        pen.rectangle((0, bar + 1, left, side), colours.panel)
        _entries(random, pen, font, colours, (4, bar + 8, left - 4, side))
    y = bar + int(random.integers(6, 30))
    while y < side:
        control = _CONTROLS[random.integers(len(_CONTROLS))]
        y += control(random, pen, font, colours, (left + 12, y, side - 12, side), radius) + int(random.integers(4, 24))
    if random.random() < 0.2:
        _dialog(random, pen, font, colours, radius)
    return pen.picture()


Box = tuple[int, int, int, int]


def _on(ground: tuple[int, int, int]) -> tuple[int, int, int]:
    return grey(255) if sum(ground) < 400 else grey(20)


def _entries(random: Random, pen: Pen, font: Font, colours: Theme, box: Box) -> None:
    for i, y in enumerate(range(box[1], box[3], round(font.size * random.uniform(1.6, 2.6)))):
        if i == 2:
            pen.rectangle((box[0], y - 3, box[2], y + font.size + 4), colours.accent)
        icon = random.random()
        if icon < 0.5:
            pen.ellipse((box[0] + 4, y, box[0] + 4 + font.size, y + font.size), vivid(random))
        ink = _on(colours.accent) if i == 2 else _on(colours.panel)
        pen.text((box[0] + 10 + font.size, y), words(random, 2), font, ink)


def _field(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    """A name and a line to fill in."""
    high, middle = font.size * 2, box[0] + (box[2] - box[0]) // 3
    pen.text((box[0], box[1] + font.size // 2), words(random, 1), font, colours.ink)
    ground = grey(255) if not colours.dark else mixed(colours.ground, grey(0), 0.3)
    pen.rectangle((middle, box[1], box[2], box[1] + high), ground, colours.faint, 1, radius)
    pen.text((middle + 6, box[1] + font.size // 2), words(random, 2), font, _on(ground))
    return high


def _buttons(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    x, high = box[0], round(font.size * 2.2)
    for _ in range(random.integers(1, 5)):
        text = words(random, 1)
        wide = int(font.scaled(1).getlength(text)) + 24
        fill = colours.accent if random.random() < 0.5 else colours.panel
        pen.rectangle((x, box[1], x + wide, box[1] + high), fill, mixed(fill, grey(0), 0.2), 1, radius)
        pen.text((x + 12, box[1] + high // 2 - font.size // 2 - 1), text, font, _on(fill))
        x += wide + 10
    return high


def _paragraph(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    lines, step = int(random.integers(1, 6)), round(font.size * 1.4)
    for i in range(lines):
        count = max(int((box[2] - box[0]) / font.size / 3), 1)
        pen.text((box[0], box[1] + i * step), words(random, count), font, colours.ink)
    return lines * step


def _checks(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    count, step, s = int(random.integers(1, 5)), round(font.size * 1.7), font.size
    for i in range(count):
        y = box[1] + i * step
        if random.random() < 0.5:
            pen.rectangle((box[0], y, box[0] + s, y + s), grey(255), colours.faint)
            if random.random() < 0.5:
                tick = [
                    (box[0] + s * 0.2, y + s * 0.5),
                    (box[0] + s * 0.45, y + s * 0.8),
                    (box[0] + s * 0.85, y + s * 0.2),
                ]
                pen.line(tick, colours.accent, 2)
        else:
            pen.ellipse((box[0], y, box[0] + s, y + s), grey(255), colours.faint)
        pen.text((box[0] + s + 8, y), words(random, 2), font, colours.ink)
    return count * step


def _cards(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    """Tiles with a picture's place, a bar of progress, a caption."""
    count = int(random.integers(2, 5))
    wide = (box[2] - box[0]) // count
    high = int(wide * random.uniform(0.5, 1))
    for i in range(count):
        x = box[0] + i * wide
        pen.rectangle((x, box[1], x + wide - 8, box[1] + high), colours.panel, colours.faint, 1, radius)
        pen.rectangle((x + 6, box[1] + 6, x + wide - 14, box[1] + high * 0.6), vivid(random))
        pen.text((x + 6, box[1] + high * 0.65), words(random, 1), font, _on(colours.panel))
        end = x + 6 + (wide - 20) * random.random()
        pen.rectangle((x + 6, box[1] + high - 7, end, box[1] + high - 4), colours.accent)
    return high


def _rule(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    pen.line([(box[0], box[1]), (box[2], box[1])], colours.faint)
    return 2


def _space(random: Random, pen: Pen, font: Font, colours: Theme, box: Box, radius: int) -> int:
    return int(random.integers(20, 120))


_CONTROLS = (_field, _field, _field, _buttons, _paragraph, _checks, _cards, _rule, _space)


def _dialog(random: Random, pen: Pen, font: Font, colours: Theme, radius: int) -> None:
    left, top = (int(v) for v in random.uniform(0.1, 0.4, 2) * pen.side)
    right, bottom = left + pen.side // 2, top + pen.side // 3
    pen.rectangle((left + 4, top + 4, right + 4, bottom + 4), mixed(colours.ground, grey(0), 0.4), radius=radius)
    pen.rectangle((left, top, right, bottom), colours.ground, colours.ink, 1, radius)
    pen.text((left + 12, top + 12), words(random, 3), Font(font.file, font.size + 4), colours.ink)
    _buttons(random, pen, font, colours, (left + 12, bottom - 3 * font.size, right, bottom), radius)
