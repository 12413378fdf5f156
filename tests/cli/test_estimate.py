"""``undegrade estimate`` on files with known damage."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, save_weights, shipped_cards

pytestmark = pytest.mark.usefixtures("here")


def noisy(sigma: float) -> np.ndarray:
    clean = make_photo(160, 160, 2).astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    return (clean + sigma * noise).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_a_known_noise_level_is_found(sigma: float, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(noisy(sigma)).save("a.png")
    assert main(["estimate", "a.png", "--task", "gaussian", "--device", "cpu"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    spread = r"10th to 90th percentile over the picture: (\S+) to (\S+)"
    pattern = rf"a\.png: noise level (\S+) \+- (\S+) \(8-bit levels; {spread}\)"
    found, spread, low, high = map(float, re.fullmatch(pattern, line).groups())
    assert found == pytest.approx(sigma, rel=0.1, abs=1)
    assert low < found < high
    assert 0 < spread < 10


def test_a_jpegs_header_is_told_beside_the_estimates_of_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(make_photo(96, 96, 2)).save("a.jpg", quality=40)
    assert main(["estimate", "a.jpg", "--device", "cpu"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "a.jpg: JPEG quality from the header 40"
    names = {TASKS[card.task].degradation.quantity.name for card in shipped_cards()}
    assert {"noise level", "JPEG quality"} <= names
    for name in names:
        assert any(line.startswith(f"a.jpg: {name} ") for line in rest), name


def test_a_bad_file_gets_a_sentence_and_the_others_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(b"nothing of the kind")
    Image.fromarray(noisy(10)).save("good.png")
    assert main(["estimate", "bad.png", "good.png", "--task", "gaussian", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.png: noise level ")
    assert err.startswith("undegrade estimate: bad.png: ")
    assert err.count("\n") == 1


def test_weights_that_estimate_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """lambda_2 = 0: nothing has taught the estimator."""
    card = Card("real", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {"lambda_est": 0.0}, {})
    weights = save_weights(VDIR(TASKS["real"].variants["fast"]), tmp_path, "untaught", card)
    assert main(["estimate", "a.png", "--weights", str(weights), "--device", "cpu"]) == 2
    assert "the model for real gives no estimate" in capsys.readouterr().err


def test_kernels_of_two_models_say_of_which(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(noisy(10)).save("a.png")
    assert main(["estimate", "a.png", "--device", "cpu"]) == 0
    kernels = [line for line in capsys.readouterr().out.splitlines() if "blur kernel" in line]
    assert len(kernels) == len({line[line.index("(for ") :] for line in kernels}) == 2
