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


def trained(folder: Path, seed: int, pixels: int, **changes: object) -> Path:
    """gaussian-fast, a little further."""
    model, card = load_weights(average.weights_file("gaussian-fast"))
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.restorer.parameters():
        parameter.data += 0.01 * torch.randn(parameter.shape, generator=generator)
    made = {"started_from": f"gaussian-fast {card.sha256[:12]}", "pixels": card.pixels_seen + pixels, "minutes": 5.0}
    return save_weights(model, folder / str(seed), "gaussian-fast", replace(card, **{**made, **changes}))


def test_the_mean_and_what_its_card_says(tmp_path):
    files = [trained(tmp_path, 1, 1000), trained(tmp_path, 2, 500)]
    found, card = load_weights(average.average(files, "gaussian-fast", tmp_path / "mean"))
    one, other = (load_weights(file)[0].state_dict() for file in files)
    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, (one[name] + other[name]) / 2, atol=1e-4, rtol=1e-3)
    begun = load_weights(average.weights_file("gaussian-fast"))[1]
    assert card.pixels == begun.pixels_seen + 1500
    assert (card.minutes, card.measured) == (10.0, {})
    assert "mean of 2" in card.notes


def test_one_file_and_other_starts_are_refused(tmp_path):
    one, other = trained(tmp_path, 1, 1000), trained(tmp_path, 2, 500, started_from="gaussian-fast 000000000000")
    with pytest.raises(UndegradeError, match="at least two"):
        average.average([one], "gaussian-fast", tmp_path)
    with pytest.raises(UndegradeError, match="did not begin with"):
        average.average([one, other], "gaussian-fast", tmp_path)
    with pytest.raises(UndegradeError, match="not a jpeg-fast"):
        average.average([one, one], "jpeg-fast", tmp_path)
