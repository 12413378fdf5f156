"""Shipped weights as they are without what says how far off they may be."""

from dataclasses import replace
from pathlib import Path

from undegrade.model.vdir import VDIR
from undegrade.weights.card import load_weights, save_weights
from undegrade.weights.names import weights_file


def without_head(name: str, folder: Path) -> Path:
    """The weights of this name without scale head and intervals, in a folder."""
    model, card = load_weights(weights_file(name))
    plain = VDIR(replace(model.architecture, scale_head=False))
    plain.load_state_dict({k: t for k, t in model.state_dict().items() if not k.startswith("scale.")})
    return save_weights(plain, folder, card.name, replace(card, scale_head={}, intervals={}))
