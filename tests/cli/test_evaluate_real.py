"""``undegrade evaluate real`` finds what is there, measures or writes it, and says what is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import io

from tests.data.matlab_files import blocks, save_dnd
from undegrade.cli import main
from undegrade.data.dnd import DND
from undegrade.data.sidd import SIDD, SIDD_VALIDATION
from undegrade.evaluation.evaluate import evaluate_blocks
from undegrade.evaluation.results import Result
from undegrade.metrics import Protocol, psnr


class Unchanging(SimpleNamespace):
    """In place of a pipeline."""

    def __call__(self, y: np.ndarray, *, self_ensemble: bool, direct: bool, tile: int) -> SimpleNamespace:
        return SimpleNamespace(image=y, estimate=None)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for a loaded model, which leaves images as they are."""
    card = SimpleNamespace(task="real", name="real-fast", variant="fast", restorer_sha256="ab" * 32)
    architecture = SimpleNamespace(scale=1)
    pipeline = Unchanging(
        card=card,
        quantity=None,
        engine=SimpleNamespace(device="cpu", software="a test", half=False, int8=False),
        architecture=architecture,
    )

    def load(
        task: str | None, variant: str | None, weights: Path | None, device: str | None, half: bool, draft: bool
    ) -> SimpleNamespace:
        assert weights is None or task is None
        return pipeline

    monkeypatch.setattr("undegrade.inference.load.load_pipeline", load)
    return pipeline


def put_cc15(folder: Path, photo: np.ndarray) -> None:
    for part in ("mean", "real"):
        (folder / "CC15" / part).mkdir(parents=True)
        Image.fromarray(photo).save(folder / "CC15" / part / f"a_{part}.png")


def put_sidd_validation(folder: Path) -> None:
    for name, seed in (("ValidationNoisyBlocksSrgb", 0), ("ValidationGtBlocksSrgb", 1)):
        io.savemat(folder / f"{name}.mat", {name: np.repeat(np.repeat(blocks(seed), 2, 2), 2, 3)})


def test_what_is_missing_and_where_it_is_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "real", "--benchmarks", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    for benchmark in (SIDD_VALIDATION, SIDD, DND):
        assert benchmark.missing(tmp_path) in error
    assert "get CC15" in error


def test_what_is_there_is_measured(tmp_path: Path, photo: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    put_cc15(tmp_path, photo)
    put_sidd_validation(tmp_path)
    file = tmp_path / "out.json"
    assert main(["evaluate", "real", "--benchmarks", str(tmp_path), "--json", str(file)]) == 0
    captured = capsys.readouterr()
    assert SIDD.missing(tmp_path) in captured.err
    assert "get CC15" not in captured.err
    assert "SIDD-val: only a part" in captured.err
    cc15, sidd = Result.read(file).cells
    assert (cc15.dataset, len(cc15.images)) == ("CC15", 1)
    assert (sidd.table, sidd.dataset, len(sidd.images)) == ("X", "SIDD-val", 6)
    expected = np.mean([psnr(a, b) for a, b in zip(*(blocks(s).reshape(6, 8, 6, 3) for s in (0, 1)), strict=True)])
    assert sidd.mean("psnr") == pytest.approx(expected)
    assert "SIDD-val" in captured.out


def test_a_limit_reads_so_many_blocks(tmp_path: Path) -> None:
    put_sidd_validation(tmp_path)
    cell = evaluate_blocks(SIDD_VALIDATION, tmp_path, Protocol("rgb"), lambda y: y, limit=2)
    assert [i.image for i in cell.images] == ["0001_01", "0001_02"]
    assert not cell.complete


def test_submissions_are_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    io.savemat(tmp_path / "BenchmarkNoisyBlocksSrgb.mat", {"BenchmarkNoisyBlocksSrgb": blocks(0)})
    save_dnd(tmp_path / "dnd_2017")
    command = ["evaluate", "real", "--benchmarks", str(tmp_path)]
    assert main(command) == 0
    assert capsys.readouterr().out.count("--submission DIR") == 2
    out = tmp_path / "sent"
    assert main([*command, "--submission", str(out)]) == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.*")) == [
        "DND/bundled/0001.mat", "DND/bundled/0002.mat", "SIDD/SubmitSrgb.csv", "SIDD/SubmitSrgb.mat",
    ]  # fmt: skip
    printed = capsys.readouterr().out
    assert str(out / "SIDD") in printed
    assert DND.offered in printed
    cells = io.loadmat(out / "SIDD" / "SubmitSrgb.mat")["DenoisedBlocksSrgb"]
    np.testing.assert_allclose(cells[1, 2] * 255, blocks(0)[1, 2], atol=1e-4)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["real", "--submission", "x", "--limit", "3"], "all blocks"),
        (["gaussian", "--submission", "x"], "takes submissions"),
        (["real", "--weights", "a.safetensors", "--json", "a.json"], "a.json is the card"),
        (["real", "--datasets", "DND"], "Darmstadt"),
        (["real", "--datasets", "Kodak24"], "choose from CC15, SIDD-val, SIDD, DND"),
    ],
)
def test_mistakes_get_a_sentence(
    tmp_path: Path, photo: np.ndarray, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    put_cc15(tmp_path, photo)
    assert main(["evaluate", *argv, "--benchmarks", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_weights_of_another_task_are_measured_under_their_name(
    tmp_path: Path, photo: np.ndarray, model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    put_cc15(tmp_path, photo)
    model.card.task, model.card.name = "gaussian", "gaussian-fast"
    file = tmp_path / "out.json"
    command = ["evaluate", "real", "--benchmarks", str(tmp_path), "--weights", "any.safetensors", "--json", str(file)]
    assert main(command) == 0
    result = Result.read(file)
    assert (result.task, result.label) == ("real", "gaussian-fast")
    model.architecture.scale = 2
    assert main(command) == 2
    assert "has another scale than real" in capsys.readouterr().err


def test_colour_weights_are_measured_on_grey_images_of_the_same_damage_only(
    tmp_path: Path, photo: np.ndarray, model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Classic5").mkdir()
    Image.fromarray(photo[..., 0]).save(tmp_path / "Classic5" / "a.png")
    file = tmp_path / "out.json"
    command = ["evaluate", "jpeg-y", "--benchmarks", str(tmp_path), "--weights", "any.safetensors", "--json", str(file)]
    command += ["--datasets", "Classic5"]
    model.card.task, model.card.name = "jpeg", "jpeg-fast"
    assert main(command) == 0
    result = Result.read(file)
    assert (result.task, result.label, len(result.cells)) == ("jpeg-y", "jpeg-fast", 6)
    model.card.task, model.card.name = "gaussian", "gaussian-fast"
    assert main(command) == 2
    assert "for gaussian-fast, not jpeg-y" in capsys.readouterr().err
