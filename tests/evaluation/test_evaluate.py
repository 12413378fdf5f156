"""Evaluation degrades by the protocol, rounds, measures, and reports every image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from undegrade.data.benchmark import blur, gaussian, jpeg, photographs, resized
from undegrade.data.catalogue import CBSD68, CC15, CLASSIC5, KODAK24, LIVE1, SET5
from undegrade.degrade import GaussianNoise
from undegrade.degrade.blur import G_2_0
from undegrade.errors import UndegradeError
from undegrade.evaluation.calibrate import bicubic
from undegrade.evaluation.evaluate import evaluate, report
from undegrade.evaluation.paper import paper
from undegrade.metrics import UNIFORM_8, Protocol, luma_8bit, psnr, to_8bit
from undegrade.tasks import TASKS

RGB = Protocol("rgb")


def unchanged(y: np.ndarray) -> np.ndarray:
    return y


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("grey", [False, True])
def test_noise_is_the_published_one(photo: np.ndarray, grey: bool) -> None:
    """Table I: seed 0 before each image, then standard_normal((H, W, 3)), for images without colour too."""
    x = np.repeat(photo[..., :1], 3, axis=2) if grey else photo
    y, _ = gaussian("I", (CBSD68,), (50,))[0].degrade(x)
    noise = np.random.RandomState(0).standard_normal(x.shape) * 50 / 255
    np.testing.assert_allclose(y, x / 255 + noise, atol=1e-5)


def test_every_image_starts_from_the_same_seed(data: Path) -> None:
    """So an image's value does not depend on which others are measured, or in what order."""
    cells = gaussian("I", (KODAK24,), (10, 50))
    (all_three, _), (both, _) = (evaluate(cells, RGB, unchanged, data, limit=n) for n in (None, 2))
    assert all_three.images[:2] == both.images
    x = pixels_of(data / "Kodak24" / "1.png")
    y, _ = GaussianNoise((10, 10))(
        torch.from_numpy(x / np.float32(255)).permute(2, 0, 1)[None], np.random.RandomState(0)
    )
    expected = psnr(x, to_8bit(y[0].permute(1, 2, 0).numpy()))
    assert all_three.images[1].values["psnr"] == pytest.approx(expected, abs=1e-9)


def test_cells_come_in_the_order_asked_with_the_mean_of_their_images(data: Path) -> None:
    cells = (*jpeg("VII", (LIVE1, KODAK24), (10, 80)), *jpeg("VII", (LIVE1,), (40,)))
    found = evaluate(cells, RGB, unchanged, data, jobs=2)
    assert [(c.table, c.dataset, c.case) for c in found] == [(b.table, b.dataset.name, b.case) for b in cells]
    for cell in found:
        assert [i.image for i in cell.images] == ["0", "1", "2"]
        assert cell.mean("psnr") == pytest.approx(np.mean([i.values["psnr"] for i in cell.images]))
        assert not cell.complete
    assert found == evaluate(cells, RGB, unchanged, data, jobs=1)
    assert found[0].mean("psnr") < found[4].mean("psnr") < found[2].mean("psnr")


def test_output_is_clipped_and_rounded_before_it_is_measured(data: Path) -> None:
    truth = {pixels_of(p).shape: pixels_of(p) for p in (data / "LIVE1").iterdir()}

    def nearly(y: np.ndarray) -> np.ndarray:
        x = truth[y.shape]
        return x / 255 + np.where(x == 255, 7, np.where(x == 0, -7, 0.4 / 255))

    (cell,) = evaluate(jpeg("VII", (LIVE1,), (10,)), RGB, nearly, data)
    assert cell.mean("psnr") == np.inf


def test_grey_protocol_degrades_the_luma(data: Path) -> None:
    seen = []

    def look(y: np.ndarray) -> np.ndarray:
        seen.append(y)
        return y

    protocol = Protocol("grey", metrics=("psnr", "ssim"), window=UNIFORM_8)
    colour, grey = evaluate(jpeg("VI", (LIVE1, CLASSIC5), (95,)), protocol, look, data, limit=1)
    assert [y.ndim for y in seen] == [2, 2]
    x = luma_8bit(pixels_of(data / "LIVE1" / "0.png"))
    assert colour.mean("psnr") == pytest.approx(psnr(x, to_8bit(seen[0])), abs=1e-9)
    x = pixels_of(data / "Classic5" / "0.png")
    assert grey.mean("psnr") == pytest.approx(psnr(x, to_8bit(seen[1])), abs=1e-9)
    assert 0.9 < grey.mean("ssim") < 1


@pytest.mark.parametrize("factor", [2, 4])
def test_super_resolution_gets_small_images_and_returns_large_ones(data: Path, factor: int) -> None:
    def enlarge(y: np.ndarray) -> np.ndarray:
        assert y.shape[:2] == (60 // factor, 80 // factor)  # 61 to 63 rows, 81 columns: cropped
        return y.repeat(factor, 0).repeat(factor, 1)

    cells = blur("V", (SET5,), factor, {"g_2.0": G_2_0}) + resized("", (SET5,), factor)
    assert [b.case for b in cells] == [f"x{factor} {name}" for name in ("g_2.0", "bicubic", "area")]
    assert [b.direct for b in cells] == [True, False, False]
    protocol = Protocol("y", factor, ("psnr", "ssim"))
    blurred, soft, averaged = evaluate(
        cells, protocol, enlarge, data, limit=1, estimate=lambda y: np.array([1.0, 2.0, 0.0]), bicubic=bicubic(factor)
    )
    assert 10 < blurred.mean("psnr") < 40
    assert blurred.estimate_error == pytest.approx(1 / 3)  # mean over the three numbers of Sigma, (2, 2, 0)
    assert soft.estimate_error == pytest.approx(1)
    # Repeating pixels is worse than bicubic, but for direct decimation, whose grid bicubic misses as well.
    assert soft.mean("psnr") < soft.bicubic("psnr")
    x = pixels_of(data / "Set5" / "0.png")[:60, :80]
    small = Image.fromarray(x).resize((80 // factor, 60 // factor), Image.Resampling.BOX)
    plain = np.asarray(small.resize((80, 60), Image.Resampling.BICUBIC))
    assert averaged.bicubic("ssim") == pytest.approx(protocol.measure(x, plain)["ssim"], abs=2e-3)
    text = report([blurred, averaged], protocol, paper())
    assert f"{averaged.bicubic('psnr'):.2f}" in text
    assert "bicubic" not in report(evaluate(cells, protocol, enlarge, data, limit=1), protocol, paper()).splitlines()[0]


def test_photographs_are_restored_as_they_are(data: Path, photo: np.ndarray) -> None:
    (cell,) = evaluate(photographs("", CC15), RGB, lambda y: y * 2, data, estimate=unchanged)
    expected = psnr(photo, to_8bit((photo // 2).astype(np.float32) / 255 * 2))
    assert cell.mean("psnr") == pytest.approx(expected, abs=1e-9)
    assert [i.image for i in cell.images] == ["0_mean", "1_mean"]
    assert cell.estimate_error is None  # what the camera did is not known
    with pytest.raises(ValueError, match="its own photographs"):
        photographs("", CC15)[0].degrade(photo)


def test_estimates_are_compared_with_the_truth(data: Path) -> None:
    cells = gaussian("I", (KODAK24,), (10, 50))
    ten, fifty = evaluate(cells, RGB, unchanged, data, estimate=lambda y: np.array([20.0]))
    assert ten.estimate_error == pytest.approx(10, abs=1e-5)
    assert fifty.estimate_error == pytest.approx(30, abs=1e-5)
    text = report([ten, fifty], RGB, paper())
    assert "estimate error" in text
    assert "| 37.02 |" in text
    assert "estimate error" not in report(evaluate(cells, RGB, unchanged, data), RGB, paper())


def test_numbers_with_units_of_their_own_have_errors_of_their_own(data: Path) -> None:
    wanted = ((CBSD68, "sigma 30"), (LIVE1, "QF 40"))
    cells = [b for b in TASKS["universal"].benchmarks if (b.dataset, b.case) in wanted]
    noisy, saved = evaluate(cells, RGB, unchanged, data, limit=1, estimate=lambda y: np.array([20.0, 0.25, 60.0]))
    assert noisy.estimate_error is None
    assert noisy.estimate_errors["noise level"] == pytest.approx(10, abs=0.5)
    assert noisy.estimate_errors["grain"] == pytest.approx(0.25, abs=1e-3)
    assert saved.estimate_errors["JPEG quality"] == pytest.approx(20, abs=0.5)
    assert "grain" not in saved.estimate_errors  # there is no noise to have any
    header, _, first, second = report([noisy, saved], RGB, paper()).splitlines()
    assert "estimate error" not in header
    names = [cell.strip() for cell in header.split("|")]
    for text, cell, name in ((first, noisy, "noise level"), (second, saved, "JPEG quality")):
        shown = [part.strip() for part in text.split("|")][names.index(f"{name} error")]
        assert shown == f"{cell.estimate_errors[name]:.2f}"
    assert [cell.strip() for cell in second.split("|")][names.index("grain error")] == "-"


def test_missing_data_is_noticed_before_anything_is_measured(data: Path) -> None:
    (data / "Kodak24").rename(data / "elsewhere")
    with pytest.raises(UndegradeError, match="Kodak24"):
        evaluate(gaussian("I", (CBSD68, KODAK24), (10,)), RGB, lambda y: pytest.fail("measured"), data)
