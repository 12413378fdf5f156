"""The licence of weights. That of the images that they were trained on is on their card."""

from __future__ import annotations

from undegrade.weights.card import Card, shipped_cards

LICENCE = "Apache-2.0"
"""Of this package, and with it of the shipped weights."""


def is_shipped(card: Card) -> bool:
    """Whether a card is that of shipped weights."""
    return any(card.sha256 == known.sha256 for known in shipped_cards())


def licence(card: Card) -> str:
    """Of the weights of a card, for people: other weights than the shipped ones belong to whoever trained them."""
    return LICENCE if is_shipped(card) else "to be stated by the owner of the weights"
