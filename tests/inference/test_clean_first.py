"""Before enlarging, noise and compression are removed: where they are found, once, and unless they are to be kept."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import undegrade
from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.image import read
from undegrade.inference.clean_first import NOT_SURE, before, choose
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import RestoreOptions


def psnr(x: np.ndarray, y: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(x.astype(float) - y).mean() / 255**2))


@pytest.fixture(scope="module")
def small() -> np.ndarray:
    return make_photo(64, 80, 3)


@pytest.fixture(scope="module")
def noisy(small: np.ndarray) -> np.ndarray:
    return (small + np.random.default_rng(0).normal(0, 20, small.shape)).clip(0, 255).round().astype(np.uint8)


def never() -> undegrade.Pipeline:
    raise AssertionError("the universal model is not needed")


def test_only_what_enlarges_is_cleaned_first(noisy: np.ndarray) -> None:
    universal, options = load_pipeline("universal"), RestoreOptions()
    enlarging = load_pipeline("sr-x2")
    choice = choose(enlarging, noisy, lambda: universal, options)
    assert choice.pipeline is enlarging
    assert choice.first is not None
    assert choice.first.pipeline is universal
    assert "noise level" in choice.first.reason
    assert choose(enlarging, noisy, never, options, keep_degradation=True).first is None
    assert choose(load_pipeline("gaussian"), noisy, never, options).first is None
    plain = np.full_like(noisy, 90)
    assert choose(enlarging, plain, lambda: universal, options).first is None


def test_the_options_of_the_result_are_not_those_of_cleaning() -> None:
    options = RestoreOptions(samples=4, seed=3, tile=64, white=4000)
    assert before(options) == RestoreOptions(tile=64, white=4000)


@pytest.mark.parametrize("channels", [3, 4])
def test_arrays(noisy: np.ndarray, channels: int) -> None:
    given = np.dstack([noisy, np.full(noisy.shape[:2], 200, np.uint8)])[..., :channels]
    in_two_commands = undegrade.restore(undegrade.restore(given), "sr-x2", keep_degradation=True)
    found = undegrade.restore(given, "sr-x2")
    np.testing.assert_array_equal(found, in_two_commands)
    assert not np.array_equal(found, undegrade.restore(given, "sr-x2", keep_degradation=True))
    kept = undegrade.load("sr-x2")(given).image
    np.testing.assert_array_equal(undegrade.restore(given, "sr-x2", keep_degradation=True), kept)


def test_a_jpeg_is_cleaned_by_its_quantisation_steps_and_says_so(small: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(small).save(path, quality=30)
    seen: list[float] = []
    found = undegrade.restore(path, "sr-x2", progress=seen.append)
    assert found.image.shape == (128, 160, 3)
    assert "first" in repr(found)
    np.testing.assert_array_equal(found.image, undegrade.load("sr-x2")(undegrade.restore(path).image).image)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert read(path).quality == 30


def test_enlarged_noise_and_artifacts_are_weaker(small: np.ndarray, noisy: np.ndarray) -> None:
    """Against the enlargement of the undamaged picture."""
    file = io.BytesIO()
    Image.fromarray(small).save(file, format="jpeg", quality=30)
    aim = undegrade.load("sr-x2")(small).image
    for damaged in (noisy, np.asarray(Image.open(file))):
        cleaned, kept = (undegrade.restore(damaged, "sr-x2", keep_degradation=k) for k in (False, True))
        assert psnr(cleaned, aim) > psnr(kept, aim) + 0.5


def test_after_cleaning_it_is_not_known_how_sure_the_result_is(
    noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noisy).save("a.png")
    Path("out").mkdir()
    Path("out/a-uncertainty.png").write_bytes(b"of an earlier result")
    with pytest.raises(UndegradeError, match="removed before it was enlarged"):
        undegrade.restore(Path("a.png"), "sr-x2", uncertainty=True).interval()
    command = ["restore", "a.png", "--task", "sr-x2", "--uncertainty", "-o", "out"]
    assert main(command) == 0
    assert NOT_SURE in capsys.readouterr().out
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]
    plain = Path("out/a.png").read_bytes()
    assert main([*command, "--keep-degradation"]) == 0
    assert NOT_SURE not in capsys.readouterr().out
    assert Path("out/a-uncertainty.png").exists()
    assert main(["restore", "a.png", "--task", "sr-x2", "-o", "same"]) == 0
    assert Path("same/a.png").read_bytes() == plain
