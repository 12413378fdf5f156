"""Weights by the name of a shipped model, as the commands print it: ``gaussian-fast``."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.weights.card import find_weights, shipped_cards


def weights_file(given: str | PathLike[str]) -> Path | Traversable:
    """What a user gave as weights: the path of a file, or the name of a shipped model.

    A file of that name comes first; what looks like a path (a suffix, a folder) is one.

    Raises:
        UndegradeError: it is neither; the message lists the shipped models.
    """
    path = Path(given)
    if not path.name:
        raise UndegradeError(f"{str(given)!r} is no name of a weights file; give one, or the name of a shipped model.")
    if path.exists() or path.suffix or path.parent != Path():
        return path
    cards = {card.name: card for card in shipped_cards()}
    if (card := cards.get(path.name)) is not None:
        return find_weights(card.task, (card.variant,))
    raise UndegradeError(
        f"{path}: no such weights file, and no shipped model has this name; give a file, or one of: {', '.join(cards)}."
    )
