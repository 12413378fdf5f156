"""Runs without end: a constant rate, pixels counted, and branches that cool down without touching the run."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from tests.train.conftest import TINY
from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.tasks.recipe import Decay, Recipe
from undegrade.train import loop
from undegrade.train.cooldown import begin
from undegrade.train.loop import Limits, run
from undegrade.train.state import load_state, newest
from undegrade.weights.card import load_weights

ENDLESS = replace(TINY, muon=True, lambda_adv=0.0).open_ended()
STEP = TINY.batch * TINY.patch**2


def test_the_rate_rises_stays_and_falls_to_the_floor_within_the_cooldown():
    recipe = replace(TINY, lr=1.0, lr_floor=0.1, warmup=4).open_ended()
    assert [recipe.learning_rate(s) for s in (0, 3, 4, 10**9)] == [0.25, 1.0, 1.0, 1.0]
    for decay, middle in ((Decay.LINEAR, 0.55), (Decay.SQUARE_ROOT, 0.1 + 0.9 * (1 - 0.5**0.5)), (Decay.COSINE, 0.55)):
        cooling = recipe.cooldown(start=100, steps=50, decay=decay)
        assert cooling.steps == 150
        assert cooling.learning_rate(99) == cooling.learning_rate(100) == 1.0
        assert cooling.learning_rate(125) == pytest.approx(middle)
        assert cooling.learning_rate(150) == pytest.approx(0.1)
        assert Recipe.from_dict(json.loads(json.dumps(cooling.to_dict()))) == cooling
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(ValueError, match="needs a last step"):
        replace(TINY, steps=None)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_cooldown_leaves_the_run_untouched_and_goes_on_after_a_kill(make_trainer, tmp_path):
    stable = tmp_path / "run"
    run(make_trainer(ENDLESS), stable, Limits(stop_at=3, log_every=1), None, {"fact": 1})
    before = files(stable)
    branch = begin(stable, ENDLESS, minutes=1e-9)
    assert branch.recipe.steps == 4
    shutil.rmtree(branch.folder)
    (stable / "metrics.jsonl").write_text(json.dumps({"step": 3, "images_per_s": TINY.batch / 15}) + "\n")
    branch = begin(stable, ENDLESS, minutes=1.0)  # four steps of 15 seconds
    assert (branch.recipe.hold, branch.recipe.steps) == (3, 7)
    again = tmp_path / "again"
    shutil.copytree(branch.folder, again)

    assert run(make_trainer(branch.recipe), again, Limits(log_every=1), None, {"cooldown": {}})
    about = {"cooldown": newest(branch.folder)[1]["cooldown"]}
    assert not run(make_trainer(branch.recipe), branch.folder, Limits(stop_at=5), None, about)
    (stable / "metrics.jsonl").write_text("")  # the number of steps is fixed
    resumed = begin(stable, ENDLESS, minutes=99.0)
    assert resumed == branch
    assert run(make_trainer(resumed.recipe), resumed.folder, Limits(log_every=1), None, about)
    (step, whole, meta), (other, halves, _) = load_state(again), load_state(resumed.folder)
    assert step == other == 7
    assert meta["pixels"] == 7 * STEP
    assert all(torch.equal(v, halves[k]) for k, v in whole.items())

    (resumed.folder / "weights.safetensors").touch()
    with pytest.raises(UndegradeError, match="cooled down already"):
        begin(stable, ENDLESS, minutes=1.0)
    assert {k: v for k, v in files(stable).items() if k.parts[0].startswith("state-")} == {
        k: v for k, v in before.items() if k.parts[0].startswith("state-")
    }


def test_without_a_state_there_is_nothing_to_cool_down(tmp_path):
    with pytest.raises(UndegradeError, match="no training state"):
        begin(tmp_path, ENDLESS, minutes=1.0)


def test_pixels_are_counted_over_changes_of_the_batch_and_end_a_call(make_trainer, tmp_path):
    assert not run(make_trainer(ENDLESS), tmp_path, Limits(pixels=2 * STEP, log_every=1), None, {})
    assert newest(tmp_path)[0] == 2
    larger = replace(ENDLESS, batch=2 * TINY.batch)
    assert not run(make_trainer(larger), tmp_path, Limits(pixels=5 * STEP), None, {})
    step, meta = newest(tmp_path)
    assert (step, meta["pixels"]) == (4, 6 * STEP)  # whole steps
    assert [row["pixels"] for row in map(json.loads, (tmp_path / "metrics.jsonl").open())][:2] == [STEP, 2 * STEP]


def test_a_run_goes_on_in_the_way_to_convolve_that_it_began_with(make_trainer, tmp_path, monkeypatch):
    first = make_trainer(ENDLESS)
    first.use("winograd")
    run(first, tmp_path, Limits(stop_at=1), None, {})
    monkeypatch.setattr(loop, "choose", lambda trainer: pytest.fail("measured again"))
    second = make_trainer(ENDLESS)
    run(second, tmp_path, Limits(stop_at=2), None, {}, path="auto")
    assert second.path == "winograd"


def test_a_full_disk_does_not_stop_training(make_trainer, tmp_path, monkeypatch, capsys):
    save = loop.save_state
    calls = []

    def full(*arguments):
        calls.append(1)
        if len(calls) < 3:
            raise OSError(28, "No space left on device")
        return save(*arguments)

    monkeypatch.setattr(loop, "save_state", full)
    run(make_trainer(ENDLESS), tmp_path, Limits(stop_at=4, save_minutes=0.0), None, {})
    assert newest(tmp_path)[0] == 4
    said = capsys.readouterr().err
    assert said.count("No space left") == 2
    assert "training goes on" in said
    monkeypatch.setattr(loop, "save_state", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UndegradeError, match="free some space"):
        run(make_trainer(ENDLESS), tmp_path / "other", Limits(stop_at=1), None, {})


FAST = [
    "train",
    "gaussian",
    "--variant",
    "fast",
    "--recipe",
    "cpu",
    "--batch",
    "2",
    "--patch",
    "16",
    "--log-every",
    "1",
]


def test_cards_tell_the_pixels_of_a_run_and_of_what_it_began_with(folder, tmp_path):
    data = ["--data", str(folder), "--convolution", "float32"]
    assert main([*FAST, *data, "--out", str(tmp_path / "a"), "--open-ended", "--stop-at", "3"]) == 0
    assert not list((tmp_path / "a").glob("*.safetensors"))
    assert main([*FAST, *data, "--out", str(tmp_path / "a"), "--cooldown", "0.0001"]) == 0
    weights = tmp_path / "a" / "cooldown-00000003" / "gaussian-fast.safetensors"
    _, card = load_weights(weights)
    assert card.pixels == card.steps * 512 > 3 * 512
    assert card.started_from == ""
    more = [*FAST, *data, "--out", str(tmp_path / "b"), "--init", str(weights), "--steps", "2"]
    assert main([*more, "--stop-at", "1"]) == 0
    assert main(more) == 0
    _, later = load_weights(tmp_path / "b" / "gaussian-fast.safetensors")
    assert later.pixels == card.pixels + 2 * 512
    assert later.started_from == f"gaussian-fast {card.sha256[:12]}"


@pytest.mark.parametrize(
    "words",
    [
        ["--steps", "0"], ["--batch", "0"], ["--patch", "0"], ["--lr", "nan"], ["--lr", "inf"], ["--seed", "-1"],
        ["--log-every", "0"], ["--validate-every", "0"], ["--save-minutes", "nan"], ["--cooldown", "nan"],
        ["--steps", "5", "--open-ended"], ["--convolution", "magic"], ["--pixels", "-1"], ["--minutes", "nan"],
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_get_one_sentence(folder, tmp_path, capsys, words):
    assert main([*FAST, "--data", str(folder), "--out", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert words[0] in error or "magic" in error
    assert "Traceback" not in error


def test_held_out_images_that_are_too_small_are_found_before_training_images_are_read(folder, tmp_path, capsys):
    words = ["--data", str(tmp_path / "nowhere"), "--val", str(folder), "--out", str(tmp_path / "run")]
    assert main([*FAST, *words]) == 2
    assert "pixels high and wide" in capsys.readouterr().err
