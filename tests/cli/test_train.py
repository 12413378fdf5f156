"""``undegrade train`` as a user runs it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from undegrade.cli import main
from undegrade.train.trainer import Trainer
from undegrade.weights.card import find_weights, load_weights, read_weights

FAST = [
    "gaussian",
    "--variant",
    "fast",
    "--batch",
    "4",
    "--patch",
    "16",
    "--log-every",
    "1",
    "--convolution",
    "float32",
]


def metrics(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_stops_goes_on_and_ends_in_weights_with_a_card(folder, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", *FAST, "--data", str(folder), "--out", str(run), "--steps", "3"]
    assert main([*command, "--stop-at", "2"]) == 0
    assert not list(run.glob("*.safetensors"))
    assert main(command) == 0
    model, card = load_weights(run / "gaussian-fast.safetensors")
    assert (card.task, card.variant, card.steps) == ("gaussian", "fast", 3)
    assert card.recipe["batch"] == 4
    assert card.data["images"] == 3
    assert model.architecture.restorer == "fast"
    assert [r["step"] for r in metrics(run)] == [1, 2, 3]
    assert "images/s" in capsys.readouterr().err


def test_training_takes_for_zero_what_would_slow_it_down(folder, tmp_path, monkeypatch):
    def alive() -> bool:
        return bool((torch.full((1,), 1e-39) * 1.0).item())

    seen = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self: seen.append(alive()) or step(self))
    main(["train", *FAST, "--data", str(folder), "--out", str(tmp_path / "run"), "--steps", "1"])
    assert seen == [False]
    assert alive()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "no task 'nonsense'"),
        (["gaussian", "--variant", "huge"], "no variant 'huge'"),
        (["gaussian", "--recipe", "soup"], "no recipe 'soup'"),
        (["gaussian", "--patch", "500"], "no training image is 500 pixels"),
        (["gaussian", "--sigma", "50", "30"], "no range of noise levels"),
        (["jpeg", "--sigma", "30", "30"], "--sigma is for white noise"),
        (["real", "--recipe", "short", "--lambda-est", "0", "--two-stage"], "needs an estimate"),
    ],
)
def test_mistakes_get_one_sentence_and_exit_code_2(folder, tmp_path, capsys, arguments, message):
    assert main(["train", *arguments, "--data", str(folder), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_real_trains_on_synthetic_noise_and_on_pairs_of_photographs(folder, tmp_path):
    scene = tmp_path / "SIDD_Medium_Srgb" / "Data" / "0001_001_S6_00100_00060_3200_L"
    scene.mkdir(parents=True)
    for kind, seed in (("GT", 5), ("NOISY", 6)):
        Image.fromarray(make_photo(48, 40, seed)).save(scene / f"0001_{kind}_SRGB_010.PNG")
    run = tmp_path / "run"
    command = ["train", "real", *FAST[1:], "--data", str(folder), "--out", str(run), "--sidd", str(tmp_path)]
    assert main([*command, "--steps", "2", "--lambda-adv", "0", "--val", str(folder)]) == 2  # too small to watch
    assert main([*command, "--steps", "2", "--lambda-adv", "0"]) == 0
    model, card = load_weights(run / "real-fast.safetensors")
    assert model.architecture.params == 2
    assert card.data == {
        "images": 3, "megapixels": 0.0, "SIDD tiles": 1, "SIDD megapixels": 0.0, "SIDD share": 0.5,
    }  # fmt: skip


def test_the_naive_baseline_learns_from_the_restoration_term_alone(folder, tmp_path):
    run = tmp_path / "run"
    assert main(["train", *FAST, "--data", str(folder), "--out", str(run), "--steps", "2", "--no-latent"]) == 0
    model, card = load_weights(run / "gaussian-fast-no-latent.safetensors")
    assert (model.architecture.restorer, model.architecture.conditioning) == ("fast", "none")
    assert card.recipe["lambda_est"] == 0
    assert all({"restoration", "total"} <= set(row) and not {"kl", "reconstruction"} & set(row) for row in metrics(run))


def test_the_two_stage_baseline_has_a_restoration_and_an_estimation_term(folder, tmp_path):
    run = tmp_path / "run"
    assert main(["train", *FAST, "--data", str(folder), "--out", str(run), "--steps", "2", "--two-stage"]) == 0
    model, card = load_weights(run / "gaussian-fast-two-stage.safetensors")
    assert (model.architecture.restorer, model.architecture.conditioning) == ("fast", "estimate")
    assert card.recipe["lambda_est"] > 0
    terms = {"restoration", "estimation", "total"}
    assert all(terms <= set(row) and not {"kl", "reconstruction", "adversarial"} & set(row) for row in metrics(run))


def test_a_run_starts_from_a_shipped_model_by_its_name(folder, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", *FAST, "--data", str(folder), "--out", str(run), "--steps", "1", "--lr", "0"]
    assert main([*command, "--init", "gaussian-fast"]) == 0
    assert "tensors taken from gaussian-fast" in capsys.readouterr().err
    shipped = read_weights(find_weights("gaussian", ("fast",)))
    tuned, card = load_weights(run / "gaussian-fast.safetensors")
    assert card.started_from == f"gaussian-fast {shipped.card.sha256[:12]}"
    assert card.pixels_seen > shipped.card.pixels_seen
    head = tuned.restorer.head.weight.numpy()
    assert (abs(head - shipped.tensors["restorer.head.weight"]) < 1e-3).all()


@pytest.mark.parametrize(
    ("task", "init", "message"),
    [
        (
            "gaussian",
            "gaussian-fats",
            "no such weights file, and no shipped model has this name; give a file, or one of",
        ),
        ("gaussian", "runs/mine.safetensors", "mine.safetensors: no such weights file"),
    ],
)
def test_weights_to_start_from_are_looked_for_before_images_are_read(
    tmp_path, monkeypatch, capsys, task, init, message
):
    monkeypatch.setattr("undegrade.train.run.read_folder", lambda *a: pytest.fail("images were read"))
    command = ["train", task, *FAST[1:], "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--init", init]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_weights_of_which_nothing_fits_are_no_start(folder, tmp_path, capsys):
    command = ["train", *FAST, "--data", str(folder), "--out", str(tmp_path / "run"), "--init", "sr-x2-fast"]
    assert main([*command, "--init-parts", "restorer", "--steps", "1", "--variant", "ffdnet"]) == 2
    assert "no tensor of sr-x2-fast fits" in capsys.readouterr().err


def test_held_out_images_that_are_too_small_are_found_before_training_images_are_read(tmp_path, monkeypatch, capsys):
    """Some cases of the universal task are watched on the images at half their size."""
    monkeypatch.setattr("undegrade.train.run.read_folder", lambda *a: pytest.fail("training images were read"))
    small, large = tmp_path / "small", tmp_path / "large"
    for held_out, side in ((small, 100), (large, 200)):
        held_out.mkdir()
        Image.fromarray(make_photo(side, side, 1)).save(held_out / "a.png")
    command = ["train", "universal", *FAST[1:], "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--val"]
    assert main([*command, str(small)]) == 2
    assert "no image in" in capsys.readouterr().err
    assert main([*command, str(large)]) == 2
    assert "large enough for the case 'clean small photographs'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_specific_model_sees_one_noise_level(folder, tmp_path):
    run = tmp_path / "run"
    command = ["train", *FAST, "--data", str(folder), "--out", str(run), "--no-latent", "--lr", "0"]
    noisy = [*command, "--steps", "1", "--sigma", "70", "70"]
    assert main(noisy) == 0
    assert load_weights(run / "gaussian-fast-no-latent.safetensors")[1].data["sigma"] == [70, 70]
    mild = [*command[:-4], str(tmp_path / "mild"), *command[-3:], "--steps", "1", "--sigma", "1", "1"]
    assert main(mild) == 0
    # An untrained restorer passes the noise on.
    assert metrics(run)[0]["restoration"] > 1.5 * metrics(tmp_path / "mild")[0]["restoration"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gaussian"], "is not; leave it out"),
        (["real", "--lambda-est", "1"], "cannot be learned"),
        (["real", "--sidd-share", "1.5"], "no share"),
        (["real"], "no pairs"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(folder, tmp_path, capsys, arguments, message):
    command = ["train", *arguments, "--data", str(folder), "--out", str(tmp_path / "run"), "--sidd", str(folder)]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_missing_and_broken_training_images_are_named(folder, tmp_path, capsys):
    assert main(["train", *FAST, "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 2
    assert "nowhere" in capsys.readouterr().err
    (folder / "broken.png").write_bytes(b"not a picture")
    assert main(["train", *FAST, "--data", str(folder), "--out", str(tmp_path / "run")]) == 2
    assert "broken.png" in capsys.readouterr().err


RANKS = """
import os, sys
import torch, torch._dynamo
from undegrade.cli import main
os.environ |= {"RANK": "1", "LOCAL_RANK": "1"}
other = os.fork()
if other:
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0"}
code = main(sys.argv[1:])
if other:
    code = code or os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
os._exit(code)
"""
"""What the launcher does, with PyTorch imported once for both processes."""


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(("-c", RANKS), id="forked"),
        pytest.param(
            ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port={port}", "-m", "undegrade"),
            marks=pytest.mark.slow, id="torchrun",
        ),
    ],
)  # fmt: skip
def test_two_processes_give_the_losses_of_one_with_the_same_batch(folder, tmp_path, launcher):
    command = ["train", *FAST, "--data", str(folder), "--steps", "3", "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, *(word.replace("{port}", port) for word in launcher), *command, str(tmp_path / "two")],
        check=True, capture_output=True, env={**os.environ, **meeting}, timeout=300,
    )  # fmt: skip
    one, two = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert [r["step"] for r in one] == [r["step"] for r in two] == [1, 2, 3]
    for a, b in zip(one, two, strict=True):
        for term in (
            "restoration",
            "kl",
            "reconstruction",
            "adversarial",
            "estimation",
            "discriminator",
            "grad_norm",
        ):
            assert b[term] == pytest.approx(a[term], rel=2e-4), (a["step"], term)


def test_the_training_path_needs_no_optional_library(folder, tmp_path):
    """Only torch, numpy, Pillow, safetensors and tqdm: what any GPU machine has."""
    script = (
        "import sys\n"
        "for name in ('pyvips', 'skimage', 'scipy', 'matplotlib', 'tyro', 'rich', 'pooch'):\n"
        "    sys.modules[name] = None\n"
        "from undegrade.cli import main\n"
        "raise SystemExit(main(sys.argv[1:]))\n"
    )
    command = ["train", *FAST, "--data", str(folder), "--steps", "1", "--out", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
