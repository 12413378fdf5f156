"""Weights are shipped only with results of their own, and only when they are better."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.results import Result
from undegrade.model.int8 import int8
from undegrade.model.int8_tensors import stored
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, load_weights, read_card, save_weights
from undegrade.weights.int8 import origin, save_int8
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity

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


def test_each_number_of_an_estimate_has_its_error_on_the_card():
    errors = {"noise level": 1.5, "JPEG quality": 4.0}
    cell = Cell("", "CBSD68", "sigma 10", (Measured("1.png", {"psnr": 30.0}, estimate_errors=errors),), True)
    numbers = ship.measured([replace(result(28.0), cells=(cell,))], "ab")
    assert numbers == {
        "CBSD68 sigma 10 psnr": 30.0,
        "CBSD68 sigma 10 noise level error": 1.5,
        "CBSD68 sigma 10 JPEG quality error": 4.0,
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


@pytest.fixture
def shipped(headless: Path, monkeypatch) -> Path:
    """A folder that ships gaussian-fast without a head."""
    monkeypatch.setattr(ship, "SHIPPED", headless.parent)
    return headless.parent


def headed(shipped: Path, intervals: bool = True, pixels: bool = True, wrong: bool = False) -> Path:
    """The same weights with a head elsewhere."""
    model, card = load_weights(shipped / "gaussian-fast.safetensors")
    both = VDIR(replace(model.architecture, scale_head=True))
    both.load_state_dict(model.state_dict(), strict=False)
    if wrong:
        both.restorer.tail.bias.data[0] += 0.01
    widths = Widths((1.0,), dict.fromkeys(LEVELS, (1.0,)))
    known = (
        Intervals(WidthsBySeverity((0.0,), (widths,)) if pixels else None, {"noise level": widths}).to_dict()
        if intervals
        else {}
    )
    facts = {"sha256": card.restorer_sha256, "steps": 9}
    return save_weights(both, shipped.parent / "new", "gaussian-fast", replace(card, scale_head=facts, intervals=known))


def test_a_head_is_shipped_without_results_and_the_old_ones_are_still_its_own(tmp_path, shipped):
    weights = headed(shipped)
    before = Card.from_json((ship.SHIPPED / "gaussian-fast.json").read_text())
    assert ship.ship(weights, [], "") == 0
    after = load_weights(ship.SHIPPED / "gaussian-fast.safetensors")[1]
    assert (after.measured, after.restorer_sha256) == (before.measured, before.restorer_sha256)
    assert after.sha256 != before.sha256
    assert after.intervals
    assert (ship.SHIPPED / "gaussian-fast.safetensors").stat().st_size < 5_000_000
    # Results of the weights without the head are results of these.
    result(28.2, sha256=before.restorer_sha256, self_ensemble=True).write(tmp_path / "plus.json")
    assert ship.ship(ship.SHIPPED / "gaussian-fast.safetensors", [tmp_path / "plus.json"], "") == 0
    last = Card.from_json((ship.SHIPPED / "gaussian-fast.json").read_text())
    assert last.measured == {**before.measured, "Kodak24 sigma 50 psnr+": 28.2}


def test_results_of_the_weights_without_the_head_do_not_take_it_away(tmp_path, shipped):
    weights = headed(shipped)
    base = tmp_path / "base"
    shutil.copytree(ship.SHIPPED, base)
    assert ship.ship(weights, [], "") == 0
    before, both = Card.from_json((ship.SHIPPED / "gaussian-fast.json").read_text()), weights.read_bytes()
    result(28.2, sha256=before.restorer_sha256, self_ensemble=True).write(tmp_path / "plus.json")
    assert ship.ship(base / "gaussian-fast.safetensors", [tmp_path / "plus.json"], "") == 0
    after = load_weights(ship.SHIPPED / "gaussian-fast.safetensors")[1]
    assert (ship.SHIPPED / "gaussian-fast.safetensors").read_bytes() == both
    assert after == replace(before, measured={**before.measured, "Kodak24 sigma 50 psnr+": 28.2})


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"intervals": False}, "run python training/intervals.py first"),
        ({"pixels": False}, "run python training/intervals.py first"),
        ({"wrong": True}, "does not restore as"),
    ],
)
def test_a_head_without_intervals_or_of_other_weights_is_not_shipped(shipped, options, what):
    weights = headed(shipped, **options)
    before = (ship.SHIPPED / "gaussian-fast.json").read_bytes()
    with pytest.raises(UndegradeError, match=what):
        ship.ship(weights, [], "")
    assert (ship.SHIPPED / "gaussian-fast.json").read_bytes() == before


def test_new_weights_need_results(shipped):
    weights = headed(shipped)
    path = weights.with_suffix(".json")
    path.write_text(replace(Card.from_json(path.read_text()), scale_head={}, intervals={}).to_json())
    with pytest.raises(UndegradeError, match="give its results"):
        ship.ship(weights, [], "")


def test_numbers_are_added_to_the_card_of_what_is_shipped(tmp_path, shipped, monkeypatch):
    weights = shipped / "gaussian-fast.safetensors"
    before = Card.from_json((shipped / "gaussian-fast.json").read_text())
    result(28.2, sha256=before.sha256, self_ensemble=True).write(tmp_path / "plus.json")
    monkeypatch.setattr("sys.argv", ["ship.py", str(weights), str(tmp_path / "plus.json")])
    assert ship.main() == 0
    after = Card.from_json((shipped / "gaussian-fast.json").read_text())
    assert after.measured == {**before.measured, "Kodak24 sigma 50 psnr+": 28.2}
    assert after.notes == before.notes
    assert load_weights(weights)[1].sha256 == before.sha256


def rounded(folder: Path, monkeypatch, psnr: float) -> tuple[Path, list[Path]]:
    """An int8 form of the shipped gaussian-fast, and a result of it."""
    shipped = folder / "shipped"
    shipped.mkdir()
    for file in ship.SHIPPED.glob("gaussian-fast.*"):
        shutil.copy(file, shipped)
    monkeypatch.setattr(ship, "SHIPPED", shipped)
    model, card = load_weights(shipped / "gaussian-fast.safetensors")
    own = replace(card, measured={}, scale_head={}, intervals={}, started_from=origin(card))
    path = save_int8(stored(int8(model)), folder / "new", own)
    result(psnr, read_card(path).sha256).write(folder / "result.json")
    return path, [folder / "result.json"]


@pytest.mark.parametrize(("below", "code"), [(0.04, 0), (0.06, 1)])
def test_an_int8_form_is_shipped_if_it_loses_little(tmp_path, monkeypatch, capsys, below, code):
    float32 = Card.from_json((ship.SHIPPED / "gaussian-fast.json").read_text())
    known = float32.measured["Kodak24 sigma 50 psnr"]
    path, results = rounded(tmp_path, monkeypatch, known - below)
    assert ship.ship(path, results, "") == code
    assert f"at most {below:.3f} dB below float32" in capsys.readouterr().out
    target = ship.SHIPPED / path.name
    assert target.exists() == (code == 0)
    if code == 0:
        assert read_card(target).measured == {
            "Kodak24 sigma 50 psnr": round(known - below, 4), "Kodak24 sigma 50 estimate error": 2.5
        }  # fmt: skip


def test_new_weights_remove_the_int8_form_of_those_before(tmp_path, monkeypatch, capsys):
    path, results = rounded(tmp_path, monkeypatch, 60.0)
    assert ship.ship(path, results, "") == 0
    model, card = load_weights(ship.SHIPPED / "gaussian-fast.safetensors")
    model.restorer.tail.bias += 0.01
    plain = replace(card, scale_head={}, intervals={})
    better = save_weights(model, tmp_path / "better", "gaussian-fast", plain)
    result(60.0, read_card(better).sha256).write(tmp_path / "better.json")
    assert ship.ship(better, [tmp_path / "better.json"], "") == 0
    assert "make it anew with undegrade train --int8" in capsys.readouterr().out
    assert not list(ship.SHIPPED.glob("*-int8.*"))
    with pytest.raises(UndegradeError, match="made of other weights"):
        ship.ship(path, results, "")
