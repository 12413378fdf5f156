"""Super-resolution of files from the command line: sizes, transparency, lines, records, kernels as pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.cli.estimate import SHADES, drawn
from undegrade.degrade.blur import G_ANI, Kernel, covariance, kernel_of
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, save_weights

SIGMA = covariance(*(torch.tensor([v]) for v in G_ANI))[0]
WORDS = "blur kernel of widths 4.00 and 1.00 (pixels^2), the wider at -0.50 rad"


@pytest.fixture(scope="module", params=["sr-x2", "sr-x4"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that adds nothing to the interpolation and sees one kernel everywhere."""
    task = TASKS[request.param]
    torch.manual_seed(0)
    model = VDIR(task.variants["fast"])
    with torch.no_grad():
        model.restorer.get_parameter("tail.weight").zero_()
        model.estimator.conv2.weight.zero_()
        model.estimator.conv2.bias.copy_(SIGMA / Kernel().scale)
    card = Card(task.name, "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    return str(save_weights(model, tmp_path_factory.mktemp("weights"), "known", card))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scale_of(weights: str) -> int:
    return TASKS[json.loads(Path(weights).with_suffix(".json").read_text())["task"]].degradation.scale


def test_a_file_with_transparency_is_enlarged_exactly(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    s = scale_of(weights)
    colour = make_photo(21, 34, 0)
    alpha = np.zeros((21, 34), np.uint8)
    alpha[5:15, 10:25] = 200
    Image.fromarray(np.dstack([colour, alpha])).save("a.png")
    assert main(["restore", "a.png", "--weights", weights, "--device", "cpu", "--json", "a.jsonl"]) == 0
    assert f"estimated {WORDS}; restored with sr-x{s}-fast" in capsys.readouterr().out
    large = np.asarray(Image.open("restored/a.png"))
    assert large.shape == (21 * s, 34 * s, 4)
    middle = (slice(7 * s, 13 * s), slice(12 * s, 23 * s))
    assert (large[..., 3][middle] == 200).all()
    assert (large[: 3 * s, :, 3] == 0).all()
    # Both lie where an ordinary resizer puts them.
    size = (34 * s, 21 * s)
    plain = np.asarray(Image.fromarray(colour).resize(size, Image.Resampling.BICUBIC)).astype(float)
    assert np.abs(large[..., :3] - plain)[middle].mean() < 5
    plain = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))
    np.testing.assert_allclose(large[..., 3].astype(int), plain, atol=1)  # which rounds twice
    record = json.loads(Path("a.jsonl").read_text())
    assert record["estimate"]["words"] == WORDS
    assert record["estimate"]["values"] == pytest.approx(SIGMA.tolist(), abs=0.01)


def test_a_kernel_is_told_drawn_and_written(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(make_photo(40, 32, 1)).save("a.png")
    assert main(["estimate", "a.png", "--weights", weights, "--device", "cpu", "--kernels", "k"]) == 0
    line, *picture, written = capsys.readouterr().out.splitlines()
    assert line.startswith(f"a.png: {WORDS}, +- 0.00 at each position")
    file = Path("k") / f"a-sr-x{scale_of(weights)}-kernel.png"
    assert written == f"-> {file}"
    k = kernel_of(SIGMA.tolist())
    assert "\n".join(picture) == drawn(k)
    pixels = np.asarray(Image.open(file))
    assert pixels.shape == (240, 240)
    np.testing.assert_allclose(pixels[8::16, 8::16], k / k.max() * 255, atol=2.5)  # the weights are in half precision


def test_letters_are_darker_where_weights_are_larger() -> None:
    lines = drawn(kernel_of(SIGMA.tolist())).splitlines()
    rows = [line[4:].ljust(2 * len(lines))[::2] for line in lines]
    level = np.array([[SHADES.index(letter) for letter in row] for row in rows])
    assert level.shape == (len(lines), len(lines))
    middle = len(lines) // 2
    assert level[middle, middle] == len(SHADES) - 1
    np.testing.assert_array_equal(level, level[::-1, ::-1])
    # -0.5 rad: the long axis rises to the right in a picture whose rows count downwards.
    assert level[middle - 1, middle + 2] > level[middle + 1, middle + 2]
    assert len(drawn(kernel_of((0, 0, 0))).splitlines()) == 1


def test_noise_is_removed_first_and_that_is_said(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (40, 48, 3))
    Image.fromarray((make_photo(40, 48, 1) + noise).clip(0, 255).round().astype(np.uint8)).save("a.png")
    asked = ["restore", "a.png", "--weights", weights, "--device", "cpu", "--json", "a.jsonl"]
    assert main([*asked, "-o", "cleaned.png"]) == 0
    assert "(first cleaned by universal-wide: a noise level of " in capsys.readouterr().out
    assert main([*asked, "-o", "kept.png", "--keep-degradation"]) == 0
    assert "cleaned" not in capsys.readouterr().out
    cleaned, kept = map(json.loads, Path("a.jsonl").read_text().splitlines())
    assert kept["first"] is None
    assert (cleaned["first"]["task"], cleaned["first"]["variant"]) == ("universal", "wide")
    assert cleaned["first"]["estimate"]["values"][0] == pytest.approx(20, abs=4)
    assert cleaned["task"] == kept["task"], "the result is still that of the task that was asked for"
    # These weights only interpolate: what is left of the noise is what the first model left.
    roughness = [float(np.abs(np.diff(np.asarray(Image.open(f"{n}.png")).astype(float), axis=0)).mean())
                 for n in ("cleaned", "kept")]  # fmt: skip
    assert roughness[0] < 0.6 * roughness[1]
