"""Weights of a random model with its int8 form beside them."""

from pathlib import Path

import torch

from undegrade.model.architecture import Architecture
from undegrade.model.int8 import calibrate, int8
from undegrade.model.int8_tensors import stored
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, load_weights, save_weights
from undegrade.weights.int8 import origin, save_int8


def random_draft(folder: Path, restorer: str = "fast", seed: int = 0) -> Path:
    """The path of the weights; a model in int8 is made of them as it is before it is fine-tuned."""
    torch.manual_seed(seed)
    model = VDIR(Architecture(restorer=restorer))
    with torch.no_grad():
        model.restorer.get_parameter("tail.weight").mul_(3)
    about = {"images": 2}, "CC0", 9, 0.5, "2 cores", "abc", {"lambda_est": 1.0}
    path = save_weights(model, folder, f"gaussian-{restorer}", Card("gaussian", restorer, {}, *about, {}))
    found, card = load_weights(path)
    rounded = int8(found)
    calibrate(rounded, torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1)))
    save_int8(
        stored(rounded), folder, Card("gaussian", restorer, card.architecture, *about, {}, started_from=origin(card))
    )
    return path
