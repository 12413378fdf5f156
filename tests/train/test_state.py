"""States: exact resumption, whole or absent, small parts."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.conftest import TINY
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture
from undegrade.train.loop import Limits, run
from undegrade.train.state import PART_BYTES, compact, load_state, newest, save_state

ALWAYS = Limits(log_every=1, save_minutes=0.0)


def rows(folder: Path) -> list[dict]:
    timing = {"images_per_s", "pixels_per_s", "tflop_per_s", "data_share", "seconds"}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in timing} for line in lines]


def test_four_steps_equal_two_a_stop_and_two_bit_for_bit(make_trainer, tmp_path):
    whole, halves = make_trainer(), make_trainer()
    assert run(whole, tmp_path / "a", ALWAYS, None, {})
    assert not run(halves, tmp_path / "b", replace(ALWAYS, stop_at=2), None, {})
    resumed = make_trainer()
    assert run(resumed, tmp_path / "b", ALWAYS, None, {})
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    first, second = whole.tensors(), resumed.tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert any(k.startswith("discriminator.") for k in first)


def test_the_log_beyond_the_state_is_dropped_on_resume(make_trainer, tmp_path):
    run(make_trainer(), tmp_path, replace(ALWAYS, stop_at=2), None, {})
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"step": 3, "from": "a step that no state holds"}) + '\n{"step": 4, "cut')
    run(make_trainer(), tmp_path, replace(ALWAYS, stop_at=3), None, {})
    assert [r["step"] for r in rows(tmp_path)] == [1, 2, 3]
    assert "from" not in rows(tmp_path)[-1]


def test_a_wall_clock_budget_stops_cleanly(make_trainer, tmp_path):
    recipe = replace(TINY, steps=10_000)
    assert not run(make_trainer(recipe), tmp_path, Limits(minutes=0.0), None, {})
    step, _, meta = load_state(tmp_path)
    assert step == 10
    assert meta["seconds"] > 0


def test_parts_stay_small_and_hold_the_full_model_with_its_discriminator(make_trainer, tmp_path):
    trainer = make_trainer(replace(TINY, batch=1), architecture=Architecture())
    trainer.step()
    folder = save_state(tmp_path, 1, trainer.tensors(), {})
    assert all(p.stat().st_size < 16_000_000 for p in folder.iterdir())
    total = sum(p.stat().st_size for p in folder.iterdir())
    assert total > 8 * PART_BYTES
    _, tensors, _ = load_state(tmp_path)
    assert all(torch.equal(tensors[k], v) for k, v in trainer.tensors().items())


def test_saving_a_step_again_never_leaves_a_moment_without_a_state(make_trainer, tmp_path, monkeypatch):
    trainer = make_trainer(replace(TINY, lambda_adv=0.0))
    trainer.step()
    save_state(tmp_path, 1, trainer.tensors(), {})

    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    save_state(tmp_path, 1, trainer.tensors(), {})
    with pytest.raises(KeyboardInterrupt):
        save_state(tmp_path, 2, trainer.tensors(), {})
    assert load_state(tmp_path)[0] == 1


def test_a_compact_state_is_a_third_the_size_and_goes_on_nearly_the_same(make_trainer, tmp_path):
    recipe = replace(TINY, batch=2)
    exact = make_trainer(recipe)
    for _ in range(2):
        exact.step()
    full = save_state(tmp_path / "full", 2, exact.tensors(), {})
    small = save_state(tmp_path / "small", 2, compact(exact.tensors()), {})
    full_size, size = (sum(p.stat().st_size for p in folder.iterdir()) for folder in (full, small))
    assert size < 0.36 * full_size
    resumed = make_trainer(recipe)
    resumed.load(2, load_state(tmp_path / "small")[1])
    assert all(torch.equal(a, b) for a, b in zip(exact.ema.parameters(), resumed.ema.parameters(), strict=True))
    torch.testing.assert_close(resumed.step(), exact.step(), rtol=0.02, atol=1e-3)


def test_a_foreign_or_broken_state_gets_one_sentence(make_trainer, tmp_path):
    run(make_trainer(), tmp_path, replace(ALWAYS, stop_at=1), None, {})
    with pytest.raises(UndegradeError, match="does not fit the full restorer"):
        run(make_trainer(architecture=Architecture()), tmp_path, ALWAYS, None, {})
    part = next(tmp_path.glob("state-*/part-00.safetensors"))
    part.write_bytes(part.read_bytes()[:1000])
    with pytest.raises(UndegradeError, match="cannot be read"):
        run(make_trainer(), tmp_path, ALWAYS, None, {})


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from dataclasses import replace
from tests.pictures import make_photo
from tests.train.conftest import TINY
from undegrade.data.training_images import TrainingImages
from undegrade.data.batches import Synthetic
from undegrade.degrade import GaussianNoise
from undegrade.model.architecture import Architecture
from undegrade.train.loop import Limits, run
from undegrade.train.trainer import Trainer
source = Synthetic(TrainingImages([make_photo(40, 56, 0)]), GaussianNoise((0, 75)))
trainer = Trainer(Architecture(restorer="fast"), source, replace(TINY, steps=10**6, lambda_adv=0.0))
run(trainer, Path(sys.argv[1]), Limits(log_every=1, save_minutes=0.0), None, {})
"""


def test_kill_9_at_any_moment_leaves_a_loadable_state(make_trainer, tmp_path):
    root = str(Path(__file__).parents[2])
    reached = 0
    for delay in (0.05, 0.2):  # after the first new state; states are written after every step
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), root],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.time() + 120
        while load_or_none(tmp_path) <= reached and time.time() < deadline:
            time.sleep(0.02)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        step, tensors, _ = load_state(tmp_path)
        assert step > reached
        reached = step
        trainer = make_trainer(replace(TINY, lambda_adv=0.0))
        trainer.load(step, tensors)
        assert all(torch.isfinite(v).all() for v in trainer.model.state_dict().values())


def load_or_none(folder: Path) -> int:
    """The newest state's step by name, without reading it (it may be replaced meanwhile)."""
    return max((int(p.name.split("-")[1]) for p in folder.glob("state-*")), default=0)


@pytest.mark.parametrize(
    "manifest",
    [
        "[" * 200_000,
        "null",
        '{"step": 1000000000, "parts": [], "meta": {}}',
        '{"step": 7, "parts": ["../../x.safetensors"], "meta": {}}',
        '{"step": 7.0, "parts": [], "meta": {}}',
        '{"step": 7, "parts": {}, "meta": {}}',
        '{"step": 7, "parts": [], "meta": []}',
        '{"step": 7, "parts": [], "meta": {"seconds": "long"}}',
        '{"step": 7, "parts": [], "meta": {"seconds": NaN}}',
        '{"step": 7, "parts": [], "meta": {"recipe": {"batch": "x"}}}',
        '{"step": 8, "parts": [], "meta": {}}',
    ],
)
def test_a_malformed_manifest_is_one_sentence(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "state-00000007").mkdir()
    (tmp_path / "state-00000007" / "manifest.json").write_text(manifest)
    for read in (load_state, newest):
        with pytest.raises(UndegradeError, match="cannot be read") as error:
            read(tmp_path)
        assert len(str(error.value)) < 600
