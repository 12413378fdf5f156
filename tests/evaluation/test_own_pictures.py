"""Users' own pictures as benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import evaluate
from undegrade.evaluation.own_pictures import evaluate_pairs, folder_benchmarks, folder_pairs
from undegrade.tasks import TASKS


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Three pictures, one of them grey; and files that are none."""
    for i in range(3):
        pixels = make_photo(61 + i, 80, i)
        save(tmp_path / "clean" / f"{i}.png", pixels[..., 0] if i == 2 else pixels)
    (tmp_path / "clean" / "notes.txt").write_text("mine")
    (tmp_path / "clean" / "deeper").mkdir()
    return tmp_path / "clean"


def unchanged(y: np.ndarray) -> np.ndarray:
    return y


def test_clean_pictures_are_degraded_as_in_validation(clean: Path) -> None:
    task = TASKS["gaussian"]
    own = folder_benchmarks(task, clean)
    assert [(b.case, b.dataset.name, b.dataset.count) for b in own] == [(c, "clean", 3) for c in task.validation]
    cells = evaluate(own, task.protocol, unchanged, clean)
    assert all(cell.complete and len(cell.images) == 3 for cell in cells)
    weak = next(cell for cell in cells if cell.case == "10")
    assert weak.mean("psnr") == pytest.approx(20 * np.log10(255 / 10), abs=0.5)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_can_be_measured_on_own_pictures(clean: Path, task) -> None:
    own = folder_benchmarks(task, clean)
    assert own
    assert {b.case for b in own} == set(task.validation) - set(task.validation_images)
    scale = task.degradation.scale
    cells = evaluate(own, task.protocol, lambda y: y.repeat(scale, 0).repeat(scale, 1), clean, limit=1)
    assert all(cell.mean("psnr") > 5 for cell in cells)


def test_folders_that_cannot_be_measured_are_refused(tmp_path: Path, clean: Path) -> None:
    task = TASKS["sr-x4"]
    with pytest.raises(UndegradeError, match="there is no folder"):
        folder_benchmarks(task, tmp_path / "nowhere")
    with pytest.raises(UndegradeError, match="no pictures"):
        folder_benchmarks(task, clean / "deeper")
    save(clean / "small.png", make_photo(18, 30, 1))
    with pytest.raises(UndegradeError, match=r"small\.png is 30x18, too small for sr-x4; give pictures of at least 20"):
        folder_benchmarks(task, clean)
    (clean / "small.png").write_bytes(b"no picture")
    with pytest.raises(UndegradeError, match=r"cannot read .*small\.png"):
        folder_benchmarks(task, clean)


def test_pairs(tmp_path: Path, clean: Path) -> None:
    task = TASKS["real"]
    noisy = tmp_path / "noisy"
    for file in clean.glob("*.png"):
        save(noisy / f"{file.stem}.tif", np.array(Image.open(file)) // 2)
    pairs = folder_pairs(task, noisy, clean)
    assert [(c.name, n.name) for c, n in pairs] == [("0.png", "0.tif"), ("1.png", "1.tif"), ("2.png", "2.tif")]
    restored = evaluate_pairs(pairs, "mine", task.protocol, lambda y: 2 * y)
    worse = evaluate_pairs(pairs, "mine", task.protocol, unchanged, limit=2)
    assert restored.mean("psnr") > 50 > 20 > worse.mean("psnr")
    assert (restored.dataset, restored.case, restored.complete) == ("mine", "pairs", True)
    assert (len(worse.images), worse.complete) == (2, False)


def test_pairs_of_a_super_resolver(tmp_path: Path) -> None:
    task = TASKS["sr-x2"]
    save(tmp_path / "clean" / "a.png", make_photo(40, 60, 1))
    save(tmp_path / "small" / "a.png", make_photo(40, 60, 1)[::2, ::2])
    pairs = folder_pairs(task, tmp_path / "small", tmp_path / "clean")
    cell = evaluate_pairs(pairs, "mine", task.protocol, lambda y: y.repeat(2, 0).repeat(2, 1))
    assert 15 < cell.mean("psnr") < 40
    assert 0 < cell.mean("ssim") < 1


def test_pairs_that_are_none_are_refused(tmp_path: Path, clean: Path) -> None:
    task = TASKS["real"]
    noisy = tmp_path / "noisy"
    save(noisy / "0.png", make_photo(61, 80, 0))
    with pytest.raises(UndegradeError, match=r"2 pictures are in only one of .*, e\.g\. 1"):
        folder_pairs(task, noisy, clean)
    save(noisy / "1.png", make_photo(62, 81, 0))
    save(noisy / "2.png", make_photo(63, 80, 0))
    with pytest.raises(UndegradeError, match=r"1\.png is 80x62 instead of 81x62"):
        folder_pairs(task, noisy, clean)
    save(noisy / "1.png", make_photo(62, 80, 0))
    with pytest.raises(UndegradeError, match="is grey and the other in colour"):
        evaluate_pairs(folder_pairs(task, noisy, clean), "mine", task.protocol, unchanged)
    save(noisy / "0.jpg", make_photo(61, 80, 0))
    with pytest.raises(UndegradeError, match="two pictures of one name"):
        folder_pairs(task, noisy, clean)
