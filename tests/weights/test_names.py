"""Weights by the name of a shipped model or by their path."""

from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.weights.card import read_weights, shipped_cards
from undegrade.weights.names import weights_file


def test_every_shipped_model_has_its_name() -> None:
    for card in shipped_cards():
        assert read_weights(weights_file(card.name)).card == card


def test_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("mine.safetensors", "gaussian-fast.safetensors", "runs/gaussian-fast"):
        assert weights_file(given) == Path(given)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gaussian-fast").touch()
    assert weights_file("gaussian-fast") == Path("gaussian-fast")


def test_neither_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(
        UndegradeError, match="no shipped model has this name; give a file, or one of: gaussian-fast, j"
    ):
        weights_file(Path("gausian-fast"))


@pytest.mark.parametrize("given", ["", ".", "/"])
def test_a_name_that_is_none(given: str) -> None:
    with pytest.raises(UndegradeError, match="is no name of a weights file"):
        weights_file(given)
