"""Weights are shipped only with results of their own, and only when they are better."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.results import Result
from undegrade.weights.card import Card, load_weights

SPEC = importlib.util.spec_from_file_location("ship", Path(__file__).parents[2] / "training" / "ship.py")
ship = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ship)


def result(psnr: float, sha256: str = "ab", complete: bool = True, self_ensemble: bool = False) -> Result:
    images = (Measured("1.png", {"psnr": psnr - 1}, 2.0), Measured("2.png", {"psnr": psnr + 1}, 3.0))
    cell = Cell("I", "Kodak24", "sigma 50", images, complete)
    return Result("gaussian", "fast", self_ensemble, sha256, {"cpu": "any"}, 1.0, (cell,))


def test_the_card_gets_means_by_name():
    numbers = ship.measured([result(28.0), result(28.2, self_ensemble=True)], "ab")
    assert numbers == {
        "Kodak24 sigma 50 psnr": 28.0,
        "Kodak24 sigma 50 estimate error": 2.5,
        "Kodak24 sigma 50 psnr+": 28.2,
    }


def test_results_of_other_weights_or_of_a_few_images_are_refused():
    with pytest.raises(UndegradeError, match="other weights"):
        ship.measured([result(28.0, sha256="cd")], "ab")
    with pytest.raises(UndegradeError, match="not measured on all images"):
        ship.measured([result(28.0, complete=False)], "ab")


def test_gain_is_the_mean_difference_over_common_cells():
    assert ship.gain({"A psnr": 30.0, "B psnr": 28.0, "A estimate error": 9.0}, {"A psnr": 29.5, "C psnr": 1.0}) == 0.5
    with pytest.raises(UndegradeError, match="no cell in common"):
        ship.gain({"A psnr": 30.0}, {"B psnr": 30.0})


def test_numbers_are_added_to_the_card_of_what_is_shipped(tmp_path, monkeypatch):
    for file in ship.SHIPPED.glob("gaussian-fast.*"):
        shutil.copy(file, tmp_path)
    weights = tmp_path / "gaussian-fast.safetensors"
    before = Card.from_json((tmp_path / "gaussian-fast.json").read_text())
    result(28.2, sha256=before.sha256, self_ensemble=True).write(tmp_path / "plus.json")
    monkeypatch.setattr(ship, "SHIPPED", tmp_path)
    monkeypatch.setattr("sys.argv", ["ship.py", str(weights), str(tmp_path / "plus.json")])
    assert ship.main() == 0
    after = Card.from_json((tmp_path / "gaussian-fast.json").read_text())
    assert after.measured == {**before.measured, "Kodak24 sigma 50 psnr+": 28.2}
    assert after.notes == before.notes
    assert load_weights(weights)[1].sha256 == before.sha256
