"""``undegrade models``: what is shipped is listed, and the numbers are those of the cards."""

import json
from pathlib import Path

import pytest

from undegrade.cli import main
from undegrade.cli.models import Model, main_numbers
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards


def test_every_shipped_model_is_listed_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    for card in shipped_cards():
        assert f"{card.name}: {TASKS[card.task].summary}" in text
    assert "2.4 MB, 1,008,820 parameters, estimates the noise level" in text
    assert "PSNR on CBSD68 (dB): sigma 10 35.94; sigma 30 30.21; sigma 50 27.88; sigma 70 26.47" in text
    assert "Licence of the weights: Apache-2.0" in text
    for licence in {card.licence for card in shipped_cards()}:
        names = ", ".join(card.name for card in shipped_cards() if card.licence == licence)
        assert f"Licences of the images that {names} saw in training: {licence}" in text
    folder = Path(text.rpartition("Folder of the weights files: ")[2].rstrip("\n"))
    assert all((folder / f"{card.name}.safetensors").is_file() for card in shipped_cards())


def test_programs_get_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    models = [Model(**values) for values in json.loads(capsys.readouterr().out)]
    cards = shipped_cards()
    assert [model.name for model in models] == [card.name for card in cards]
    for model, card in zip(models, cards, strict=True):
        assert (model.sha256, model.pixels_seen, model.images_licence) == (card.sha256, card.pixels_seen, card.licence)
        assert model.measured.items() <= card.measured.items()
        assert not any(name.startswith("validation") for name in model.measured)
        assert 1_000_000 < model.parameters < 3_000_000
        assert 2_000_000 < model.bytes < 5_000_000
        assert "dB" in main_numbers(model, TASKS[model.task])
    assert [model.scale for model in models if model.task == "sr-x4"] == [4]


def test_a_model_without_numbers_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    (first, *_) = json.loads(capsys.readouterr().out)
    assert main_numbers(Model(**{**first, "measured": {}}), TASKS["gaussian"]) == "not measured yet"
