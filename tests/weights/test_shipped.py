"""The shipped weights: whole, described, and doing what their cards say."""

import dataclasses
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import undegrade
from tests.pictures import make_photo
from undegrade.degrade import GaussianNoise
from undegrade.degrade.jpeg import Subsampling, encode
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, restore_file
from undegrade.image import Format, read
from undegrade.inference.select_task import Choice
from undegrade.metrics import psnr, to_8bit
from undegrade.tasks import TASKS
from undegrade.tasks.recipe import Recipe
from undegrade.weights.card import load_weights, shipped_cards

ROOT = Path(__file__).parents[2]
CARDS = shipped_cards()


def test_something_is_shipped():
    assert "gaussian-fast" in {card.name for card in CARDS}


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.name)
def test_card_and_file_belong_together(card):
    file = ROOT / "src" / "undegrade" / "weights" / f"{card.name}.safetensors"
    content = file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.sha256
    assert len(content) <= 5_000_000
    assert card.dtype == "float16"
    model, _ = load_weights(file)
    assert dataclasses.replace(model.architecture, scale_head=False) == TASKS[card.task].variants[card.variant]


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.name)
def test_card_says_where_the_weights_come_from(card):
    assert card.steps > 0
    assert card.minutes > 0
    for text in (card.licence, card.hardware, card.commit):
        assert text
        assert text != "not stated"
    assert Recipe.from_dict(card.recipe).steps == card.steps
    cases = {b.case for b in TASKS[card.task].benchmarks}
    for case in cases:  # on one dataset at least
        assert any(name.endswith(f" {case} psnr") for name in card.measured), case


def test_tracked_files_stay_small():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    sizes = {file: file.stat().st_size for file in files if file.exists()}
    assert sum(sizes.values()) < 40_000_000
    assert max(sizes.values()) <= 5_000_000


@pytest.mark.parametrize("sigma", [10, 30, 50, 70])
@pytest.mark.parametrize("grey", [False, True])
def test_gaussian_fast_denoises_and_says_how_much_noise_there_was(sigma, grey):
    clean = make_photo(200, 264, seed=3)
    if grey:
        clean = clean[..., 0]
    noise = np.random.default_rng(0).normal(0, sigma / 255, clean.shape)
    noisy = (clean / 255 + noise).astype(np.float32)
    found = undegrade.load("gaussian", "fast")(noisy)
    restored, estimate = found.image, found.estimate
    assert psnr(clean, to_8bit(restored)) > psnr(clean, to_8bit(noisy)) + 4
    assert estimate[0] == pytest.approx(sigma, abs=4)


def test_gaussian_fast_stays_close_to_a_clean_picture():
    clean = make_photo(200, 264, seed=4)
    found = undegrade.load("gaussian", "fast")(clean)
    restored, estimate = found.image, found.estimate
    # Its faint regular texture is hard on a denoiser: photographs of the validation set keep 41.8 dB on average.
    assert psnr(clean, restored) > 32
    assert estimate[0] < 4


def test_the_range_that_the_task_trains_on_is_the_papers_and_more():
    degradation = TASKS["gaussian"].degradation
    assert isinstance(degradation, GaussianNoise)
    assert degradation.sigma[0] == 0
    assert degradation.sigma[1] >= 70


def test_the_readmes_first_command_restores_the_shipped_photo(tmp_path, capsys, monkeypatch):
    from undegrade.cli import main

    makefile = (ROOT / "Makefile").read_text()
    command = next(line for line in makefile.splitlines() if "undegrade restore" in line).split("undegrade ")[1].split()
    monkeypatch.chdir(ROOT)
    command[command.index("-o") + 1] = str(tmp_path)
    assert main(command) == 0
    said = capsys.readouterr().out
    level = float(said.split("estimated noise level ")[1].split()[0])
    assert level == pytest.approx(25, abs=2.5)
    assert str(tmp_path) in said
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("quality", [75, 86, 92, 95])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_a_repaired_jpeg_is_never_further_from_its_original(
    tmp_path: Path, quality: int, subsampling: Subsampling
) -> None:
    """As pixels, and saved as a JPEG again."""
    with Pillow.open(ROOT / "examples" / "dog-noisy.png") as image:
        x = np.array(image.convert("RGB").reduce(3))  # little noise is left, as in any photograph
    source = tmp_path / "in.jpg"
    source.write_bytes(encode(x, quality, subsampling))
    before = psnr(x, read(source).pixels)
    for name in ("again.jpg", "out.png"):
        job = Job(source, tmp_path / name, Format.of_name(Path(name)))
        outcome = restore_file(job, FileOptions(), lambda *_: Choice(undegrade.load("jpeg")))
        assert outcome.reason is None
        assert psnr(x, read(job.output).pixels) >= before - 1e-9
