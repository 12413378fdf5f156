"""Evaluation degrades by the protocol, rounds, measures, and reports every image."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from undegrade.cli import evaluate as command
from undegrade.data.benchmark import Benchmark, blur, gaussian, jpeg, photographs, resized
from undegrade.data.catalogue import CBSD68, CC15, CLASSIC5, KODAK24, LIVE1, SET5
from undegrade.degrade import GaussianNoise
from undegrade.degrade.blur import G_2_0, G_ANI
from undegrade.errors import UndegradeError
from undegrade.evaluation.calibrate import bicubic
from undegrade.evaluation.evaluate import evaluate, report
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, page
from undegrade.metrics import UNIFORM_8, Protocol, luma_8bit, psnr, to_8bit
from undegrade.tasks import TASKS

RGB = Protocol("rgb")


@pytest.fixture
def data(tmp_path: Path, photo: np.ndarray) -> Path:
    """Three different tiny images per dataset, two pairs of photographs."""
    for folder in ("CBSD68", "Kodak24", "Urban100", "LIVE1", "Set5", "Classic5"):
        (tmp_path / folder).mkdir()
        for i in range(3):
            pixels = np.roll(photo, 17 * i, axis=1)[: 61 + i, :81]
            Image.fromarray(pixels[..., 0] if folder == "Classic5" else pixels).save(tmp_path / folder / f"{i}.png")
    for part, pixels in (("mean", photo), ("real", photo // 2)):
        (tmp_path / "CC15" / part).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(pixels).save(tmp_path / "CC15" / part / f"{i}_{part}.png")
    return tmp_path


def unchanged(y: np.ndarray) -> np.ndarray:
    return y


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_degraded_images_have_the_axes_of_the_clean_ones(photo: np.ndarray) -> None:
    for b in (*gaussian("I", (LIVE1,), (10,)), *jpeg("VI", (LIVE1,), (10,))):
        assert b.degrade(photo)[0].shape == photo.shape
        assert b.degrade(photo[..., 0])[0].shape == photo.shape[:2]
    y, k = blur("V", (SET5,), 4, {"g_2.0": G_2_0})[0].degrade(photo)
    assert y.shape == (24, 32, 3)
    assert y.dtype == np.float32
    assert k == pytest.approx([2, 2, 0])


def test_truth_is_in_the_unit_that_people_use(photo: np.ndarray) -> None:
    assert gaussian("I", (LIVE1,), (25,))[0].degrade(photo)[1] == pytest.approx([25])
    assert jpeg("VI", (LIVE1,), (40,))[0].degrade(photo)[1] == pytest.approx([40])


def test_labels_are_those_of_the_paper() -> None:
    cells = (
        *gaussian("I", (CBSD68,), (10, 70)),
        *jpeg("VII", (LIVE1,), (80,)),
        *blur("IV", (SET5,), 2, {"g_2.0": G_2_0, "g_ani": G_ANI}),
    )
    assert [b.case for b in cells] == ["sigma 10", "sigma 70", "QF 80", "x2 g_2.0", "x2 g_ani"]
    for b in cells:
        assert paper().value(b.table, "psnr", "VDIR", b.dataset.name, b.case) is not None


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


def test_missing_data_is_noticed_before_anything_is_measured(data: Path) -> None:
    (data / "Kodak24").rename(data / "elsewhere")
    with pytest.raises(UndegradeError, match="Kodak24"):
        evaluate(gaussian("I", (CBSD68, KODAK24), (10,)), RGB, lambda y: pytest.fail("measured"), data)


def test_benchmarks_are_values() -> None:
    assert gaussian("I", (CBSD68,), (10,)) == gaussian("I", (CBSD68,), (10.0,))
    assert len({*jpeg("VI", (LIVE1,), (10, 20)), *jpeg("VI", (LIVE1,), (10, 20))}) == 2
    assert Benchmark("", CC15, "real", None).scale == 1


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Stands in for a loaded model; returns how it was asked for and used."""
    calls: list[tuple[object, ...]] = []

    class Unchanging(SimpleNamespace):
        def __call__(self, y: np.ndarray, *, self_ensemble: bool, direct: bool, tile: int) -> SimpleNamespace:
            calls.append(("restore", self_ensemble) if direct else ("restore a file", self_ensemble))
            scale = TASKS[str(calls[0][1])].degradation.scale
            return SimpleNamespace(image=y.repeat(scale, 0).repeat(scale, 1), estimate=np.array([12.0]))

    def load(task: str, variant: str | None, weights: Path | None, device: str | None, half: bool) -> SimpleNamespace:
        calls.append(("load", task, variant, weights, device, half))
        card = SimpleNamespace(task=task, name=f"{task}-fast", variant="fast", sha256="ab" * 32)
        return Unchanging(
            quantity=None if task == "real" else GaussianNoise.quantity,
            card=card,
            device=torch.device("cpu"),
        )

    monkeypatch.setattr("undegrade.inference.load.load_pipeline", load)
    return calls


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv))


def test_the_command_prints_and_writes(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "new" / "gaussian.json"
    options = [
        "--variant",
        "fast",
        "--self-ensemble",
        "--datasets",
        "Kodak24",
        "--limit",
        "2",
        "--json",
        str(file),
    ]
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert restorer[0] == ("load", "gaussian", "fast", None, None, False)
    assert restorer[1:] == [("restore", True)] * 8
    captured = capsys.readouterr()
    assert captured.out.count("Kodak24") == 4
    assert "CBSD68" not in captured.out
    assert "only a part of its images" in captured.err

    result = Result.read(file)
    assert (result.task, result.label, result.weights_sha256) == ("gaussian", "fast+", "ab" * 32)
    assert [c.case for c in result.cells] == ["sigma 10", "sigma 30", "sigma 50", "sigma 70"]
    assert all(len(c.images) == 2 and not c.complete for c in result.cells)
    assert result.cells[1].estimate_error == pytest.approx(18, abs=1e-4)
    assert f"| {result.cells[0].mean('psnr'):.2f} | 37.02 |" in captured.out
    assert result.machine["torch"].startswith("PyTorch")


def test_cases_can_be_chosen(data: Path, restorer: list[tuple[object, ...]]) -> None:
    file = data / "one.json"
    options = ["--datasets", "CBSD68", "Urban100", "--cases", "sigma 30", "--json", str(file)]
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert [(c.dataset, c.case) for c in Result.read(file).cells] == [("CBSD68", "sigma 30"), ("Urban100", "sigma 30")]


def test_half_precision_is_said_in_the_file_and_on_the_page(data: Path, restorer: list[tuple[object, ...]]) -> None:
    file = data / "half.json"
    options = ["--datasets", "Kodak24", "--cases", "sigma 30", "--json", str(file)]
    assert run("gaussian", "--benchmarks", str(data), *options, "--half") == 0
    assert restorer[0] == ("load", "gaussian", None, None, None, True)
    assert "half precision" in page([Result.read(file)], TASKS, paper())
    assert run("gaussian", "--benchmarks", str(data), *options) == 0
    assert "half precision" not in page([Result.read(file)], TASKS, paper())


def test_super_resolution_is_measured_on_both_grids_beside_bicubic(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "sr.json"
    options = ["--datasets", "Set5", "--limit", "1", "--json", str(file)]
    assert run("sr-x2", "--benchmarks", str(data), *options) == 0
    assert restorer[1:] == [("restore", False)] * 2 + [("restore a file", False)] * 2
    found = Result.read(file)
    assert [(c.table, c.case) for c in found.cells] == [
        ("IV", "x2 g_2.0"),
        ("IV", "x2 g_ani"),
        ("", "x2 bicubic"),
        ("", "x2 area"),
    ]
    assert all(c.bicubic("psnr") is not None and c.bicubic("ssim") is not None for c in found.cells)
    text = page([found], TASKS, paper())
    assert f"| {found.cells[3].bicubic('psnr'):.2f} |" in text
    del restorer[1:]
    assert run("sr-x2", "--benchmarks", str(data), *options, "--cases", "x2 area") == 0
    assert restorer[2:] == [("restore a file", False)]
    del restorer[1:]
    assert run("sr-x2", "--benchmarks", str(data), *options, "--self-ensemble", "--cases", "x2 area") == 0
    assert restorer[2:] == [("restore a file", True)]
    with pytest.raises(UndegradeError, match="flip moves the grid"):
        run("sr-x2", "--benchmarks", str(data), *options, "--self-ensemble")
    with pytest.raises(UndegradeError, match="no case area; choose from x2 g_2"):
        run("sr-x2", "--benchmarks", str(data), "--cases", "area")


def test_a_task_without_known_damage_is_not_asked_for_it(
    data: Path, restorer: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("real", "--benchmarks", str(data)) == 0
    assert "estimate" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["denoise"], "gaussian"),
        (["gaussian", "--datasets", "Set5"], "CBSD68"),
        (["gaussian", "--limit", "0"], "at least 1"),
        (["gaussian", "--cases", "sigma 11"], "no case sigma 11; choose from sigma 10"),
    ],
)
def test_what_cannot_be_measured_is_explained(
    data: Path, restorer: list[tuple[object, ...]], argv: list[str], message: str
) -> None:
    with pytest.raises(UndegradeError, match=message):
        run(*argv, "--benchmarks", str(data))
    assert not restorer
