"""The script that measures intervals: on the pictures that it says, onto the card, and they hold on others."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.weights.card import Card, load_weights, save_weights
from undegrade.weights.intervals import Intervals

SPEC = importlib.util.spec_from_file_location("intervals", Path(__file__).parents[2] / "training" / "intervals.py")
script = importlib.util.module_from_spec(SPEC)
sys.modules["intervals"] = script
SPEC.loader.exec_module(script)


@pytest.fixture(scope="module")
def val(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("val")
    for seed in range(4):
        Image.fromarray(make_photo(64, 72, seed)).save(folder / f"{seed}.png")
    return folder


def weights(folder: Path, **fields) -> Path:
    torch.manual_seed(0)
    architecture = Architecture(restorer="fast", **fields)
    task = "sr-x2" if architecture.scale == 2 else "gaussian"
    recipe = {"lambda_est": 1.0, "grey": 0.5}
    card = Card(task, "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", recipe, {})
    return save_weights(VDIR(architecture), folder, "mine", card)


def test_pixels_and_estimates_get_widths_that_hold_on_the_other_pictures(tmp_path, val):
    path = weights(tmp_path, scale_head=True)
    before = path.read_bytes()
    text = script.calibrate(path, val, draws=120, patch=32, groups=6)
    assert path.read_bytes() == before
    card = load_weights(path)[1]
    found = Intervals.from_dict(card.intervals)
    assert found.measured_on == "240 crops of 32 x 32 of 4 held-out pictures"
    assert set(found.estimates) == {"noise level"}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    pixels = next(row for row in rows if row[0].startswith("pixels"))
    # 120 crops with one noise level each: as far off as so few levels, between 0 and 75, can be from one another.
    for level, said in zip((50, 80, 90, 95), pixels[2:10:2], strict=True):
        assert float(said) == pytest.approx(level, abs=8)
    # On the very pictures that they were fitted to, those of the card hold as often as they say.
    again = script.calibrate(path, val, draws=120, patch=32, check=True)
    own = next(line.split("|")[1:-1] for line in again.splitlines() if "pixels" in line)
    for level, said in zip((50, 80, 90, 95), own[2:10:2], strict=True):
        assert float(said) == pytest.approx(level, abs=0.5)
    assert load_weights(path)[1] == card


def test_what_is_measured_is_the_error_of_the_models_own_restoration(val, tmp_path):
    """The same crops restored by hand: their errors are those that were noted."""
    path = weights(tmp_path, scale_head=True)
    model, card = load_weights(path)
    task = script.TASKS["gaussian"]
    photographs = script.read_folder(val, 3)
    batch = next(script.degraded(task, photographs, 32, 8, 5, 0.0))
    pipeline = script.Pipeline(script.TorchEngine(model), task, card)
    found = script.measure(pipeline, iter([batch]), 7)
    assert found.crops == 8
    scale, error = found.pixels.together()
    assert scale.shape == (8 * script.PIXELS,)
    with torch.no_grad():
        xhat, b = model.restore_with_scale(batch.y, model.encode(batch.y).mean)
    known = {tuple(np.float32([s, *e])) for s, e in zip(b[0].flatten(), (batch.x - xhat)[0].flatten(1).T, strict=True)}
    assert {tuple(np.float32([s, *e])) for s, e in zip(scale[:50], error[:50], strict=True)} <= known
    spread, off = found.estimates["noise level"].together()
    truth = 255 * batch.params[0, 0].item()
    read = pipeline.estimate(batch.y[0].permute(1, 2, 0).numpy())[0]
    assert off[0] == pytest.approx(read - truth, abs=1e-3)
    assert spread.shape == (8,)
    assert found.estimates["noise level"].category[0].severity == pytest.approx(read)


def test_a_blur_is_measured_as_it_is_read(tmp_path, val):
    path = weights(tmp_path, scale=2, params=3)
    script.calibrate(path, val, draws=64, patch=16)
    found = Intervals.from_dict(load_weights(path)[1].intervals)
    assert found.pixels is None
    assert set(found.estimates) == {"blur"}


def test_refusals(tmp_path, val):
    path = weights(tmp_path, scale_head=True)
    with pytest.raises(UndegradeError, match="no intervals to check"):
        script.calibrate(path, val, 64, 32, check=True)
    with pytest.raises(UndegradeError, match="16 values are too few"):
        script.calibrate(path, val, 8, 32)
    with pytest.raises(UndegradeError, match="100 pixels high and wide"):
        script.calibrate(path, val, 8, 100)
    with pytest.raises(UndegradeError, match="--patch at least 16"):
        script.calibrate(path, val, 8, 4)
    (tmp_path / "one").mkdir()
    Image.fromarray(make_photo(64, 72, 0)).save(tmp_path / "one" / "a.png")
    with pytest.raises(UndegradeError, match="holds one picture"):
        script.calibrate(path, tmp_path / "one", 8, 32)
    model, card = load_weights(path)
    silent = VDIR(replace(model.architecture, scale_head=False))
    nothing = save_weights(silent, tmp_path, "silent", replace(card, recipe={"lambda_est": 0.0}))
    with pytest.raises(UndegradeError, match="neither a scale head nor an estimator"):
        script.calibrate(nothing, val, 8, 32)
