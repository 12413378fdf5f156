"""The mean of weights from one start: its numbers, its card, and what is refused."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from undegrade.errors import UndegradeError
from undegrade.weights.card import load_weights, save_weights

SPEC = importlib.util.spec_from_file_location("average", Path(__file__).parents[2] / "training" / "average.py")
average = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(average)


def trained(start: Path, seed: int, pixels: int, **changes: object) -> Path:
    """The weights, a little further."""
    model, card = load_weights(start)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.restorer.parameters():
        parameter.data += 0.01 * torch.randn(parameter.shape, generator=generator)
    made = {"started_from": f"gaussian-fast {card.sha256[:12]}", "pixels": card.pixels_seen + pixels, "minutes": 5.0}
    return save_weights(model, start.parent / str(seed), "gaussian-fast", replace(card, **{**made, **changes}))


def test_the_mean_and_what_its_card_says(headless, tmp_path):
    files = [trained(headless, 1, 1000), trained(headless, 2, 500)]
    found, card = load_weights(average.average(files, headless, tmp_path / "mean"))
    one, other = (load_weights(file)[0].state_dict() for file in files)
    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, (one[name] + other[name]) / 2, atol=1e-4, rtol=1e-3)
    begun = load_weights(headless)[1]
    assert card.pixels == begun.pixels_seen + 1500
    assert (card.minutes, card.measured) == (10.0, {})
    assert "mean of 2" in card.notes


def test_one_file_and_other_starts_are_refused(headless, tmp_path):
    one, other = trained(headless, 1, 1000), trained(headless, 2, 500, started_from="gaussian-fast 000000000000")
    with pytest.raises(UndegradeError, match="at least two"):
        average.average([one], headless, tmp_path)
    with pytest.raises(UndegradeError, match="did not begin with"):
        average.average([one, other], headless, tmp_path)
    with pytest.raises(UndegradeError, match="not a jpeg-fast"):
        average.average([one, one], "jpeg-fast", tmp_path)
