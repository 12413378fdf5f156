"""The relay as processes: it trains, cools down and measures, and kill -9 of any of them loses nothing but minutes."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from tests.test_without_torch import without
from undegrade.cli import main
from undegrade.train.state import load_state
from undegrade.weights.card import load_weights

ROOT = Path(__file__).parents[2]

QUEUE = """
[[run]]
name = "absent-fast"
task = "absent"
variant = "fast"
from = "nothing"
pixels = 1e9
cooldown_every = 1e9
cooldown_minutes = 1
share = 1

[[run]]
name = "gaussian-fast"
task = "gaussian"
variant = "fast"
from = "nothing"
options = {options}
pixels = {pixels}
cooldown_every = {every}
cooldown_minutes = 0.01
share = 1
"""

OPTIONS = ["--recipe", "cpu", "--batch", "2", "--patch", "16", "--convolution", "float32", "--freeze-latent-from", "9"]
SAVE_MINUTES = 0.003

RELAY = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import entries, relay
entries.SHIPPED = Path("nothing is shipped")
relay.SAVE_MINUTES = float(sys.argv[5])
handle = relay.take_lock(120)
assert handle is not None
loop = relay.Relay(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
while not loop.stopping and (relay.folder() / "enough").exists() is False:
    entries = relay.read_queue(loop.queue)
    states = {e.name: relay.standing(e, relay.folder()) for e in entries}
    entry = relay.next_entry(entries, states, set(loop.aside))
    if entry is None:
        break
    if not loop.turn(entry, states[entry.name]):
        loop.aside[entry.name] = 0
"""


@pytest.fixture
def place(tmp_path):
    """Folders of images, one picture for validation."""
    for name, count, side in (("train", 2, 64), ("val", 1, 256)):
        (tmp_path / name).mkdir()
        for seed in range(count):
            Image.fromarray(make_photo(side, side, seed)).save(tmp_path / name / f"{seed}.png")
    queue(tmp_path, 1e9, 1e9)
    return tmp_path


def queue(place, pixels, every):
    text = QUEUE.format(pixels=pixels, every=every, options=json.dumps(OPTIONS))
    (place / "queue.toml").write_text(text)


def begin(place, cache):
    environment = os.environ | {
        "UNDEGRADE_CACHE": str(place / cache), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")
    }  # fmt: skip
    (place / cache).mkdir(exist_ok=True)
    folders = [str(place / name) for name in ("train", "val", "queue.toml")]
    with (place / cache / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", RELAY, str(ROOT / "training"), *folders, str(SAVE_MINUTES)],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def children(process):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def to_the_end(place, cache, deadline=400):
    process = begin(place, cache)
    assert process.wait(deadline) == 0, (place / cache / "log").read_text()


def stable(place, cache):
    step, tensors, meta = load_state(place / cache / "relay" / "gaussian-fast")
    return step, tensors, meta["pixels"]


def never_killed(place, steps):
    """States of the same training without a relay, in this process."""
    training = ["train", "gaussian", "--variant", "fast", *OPTIONS, "--data", str(place / "train"), "--val",
                str(place / "val"), "--out", str(place / "whole"), "--open-ended", "--pixels", str(steps * 512),
                "--save-minutes", str(SAVE_MINUTES), "--validate-every", "5000"]  # fmt: skip
    assert main(training) == 0
    return load_state(place / "whole")


def check(place, cooldowns, kill):
    """``kill`` relay and trainers, then compare with a training that nobody killed: 20 steps a cooldown."""
    steps = 20 * cooldowns
    queue(place, steps * 512, 20 * 512)
    kill(place)
    to_the_end(place, "killed")
    step, tensors, meta = never_killed(place, steps)
    killed_step, killed, killed_pixels = stable(place, "killed")
    assert (step, meta["pixels"]) == (killed_step, killed_pixels) == (steps, steps * 512)
    assert tensors.keys() == killed.keys()
    assert all(torch.equal(tensors[name], killed[name]) for name in tensors)
    run = place / "killed" / "relay" / "gaussian-fast"
    logged = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert logged == sorted(set(logged))
    cooled = sorted(run.glob("cooldown-????????"))
    ends = range(20, steps + 1, 20)
    assert [c.name for c in cooled] == [f"cooldown-{end:08d}" for end in ends]
    for branch, seen in zip(cooled, ends, strict=True):
        result = json.loads((branch / "result.json").read_text())
        _, card = load_weights(branch / "gaussian-fast.safetensors")
        assert result["sha256"] == card.sha256
        assert card.pixels == 512 * card.steps > 512 * seen
        assert result["mean_gain"] < 0  # against the shipped weights, after 40 steps
    assert not list(run.glob("*.tmp"))
    assert "no task 'absent'" in (place / "killed" / "log").read_text()


def test_a_kill_of_the_trainer_and_then_of_the_relay_changes_nothing(place):
    def kill(place):
        run = place / "killed" / "relay" / "gaussian-fast"
        process = begin(place, "killed")
        wait_until(lambda: list(run.glob("state-*")))
        trainers = children(process)
        for number in trainers:
            os.kill(number, signal.SIGKILL)
        wait_until(lambda: set(children(process)) - set(trainers))  # the relay goes on with another one
        time.sleep(1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert "gaussian-fast: ended by SIGKILL, begins again" in (place / "killed" / "log").read_text()
        assert stable(place, "killed")[0] < 20  # there was something to lose

    check(place, 1, kill)


@pytest.mark.slow
def test_twenty_kills_change_nothing(place):
    def kill(place):
        chance = random.Random(1)
        for turn in range(20):
            process = begin(place, "killed")
            time.sleep(chance.uniform(1, 12))
            if turn % 2 == 0:
                for number in children(process):
                    os.kill(number, signal.SIGKILL)
                time.sleep(chance.uniform(0, 3))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    check(place, 2, kill)


def wait_until(condition, seconds=120):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_a_cooldown_can_be_asked_for(place):
    process = begin(place, "cache")
    run = place / "cache" / "relay" / "gaussian-fast"
    try:
        deadline = time.time() + 120
        while not list(run.glob("state-*")) and time.time() < deadline:
            time.sleep(0.2)
        assert "not possible" in command(place, "cooldown", "--minutes", "nan").stderr
        said = command(place, "cooldown", "--minutes", "0.01")
        assert "gaussian-fast cools down" in said.stdout, said.stderr
        while not list(run.glob("cooldown-????????/result.json")) and time.time() < deadline:
            time.sleep(0.2)
        (branch,) = run.glob("cooldown-????????")
        assert json.loads((branch / "result.json").read_text())["name"] == "gaussian-fast"
        step = stable(place, "cache")[0]
        while stable(place, "cache")[0] == step and time.time() < deadline:  # and the stable run goes on
            time.sleep(0.2)
        assert stable(place, "cache")[0] > step
    finally:
        process.terminate()
        process.wait(60)


def command(place, *words):
    environment = {
        **os.environ, "UNDEGRADE_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1",
        "UNDEGRADE_TRAIN_DATA": str(place / "train"), "UNDEGRADE_VAL_DATA": str(place / "val"),
    }  # fmt: skip
    script = str(ROOT / "training" / "relay.py")
    return subprocess.run(
        [sys.executable, script, *words], env=environment, capture_output=True, text=True, timeout=120
    )


def test_start_status_pause_resume_and_stop(place):
    assert "no relay runs" in command(place, "status").stdout
    try:
        assert "the relay runs" in command(place, "start").stdout
        deadline = time.time() + 60
        while "the relay runs (process" not in (said := command(place, "status").stdout) and time.time() < deadline:
            time.sleep(0.2)
        assert re.search(r"gaussian-fast: \S+ of \S+ pixels", said)
        assert "runs already" in command(place, "start").stdout
        number = int(re.search(r"process (\d+)", said)[1])
        assert os.getpriority(os.PRIO_PROCESS, number) == 19
        if Path("/proc/sys/kernel/sched_autogroup_enabled").exists():
            assert Path(f"/proc/{number}/autogroup").read_text().endswith("nice 19\n")
        assert "paused" in command(place, "pause").stdout
        assert "is paused" in command(place, "status").stdout
        assert "resumed" in command(place, "resume").stdout
    finally:
        stopped = command(place, "stop").stdout
    assert "stopped" in stopped
    assert "no relay runs" in command(place, "stop").stdout


@pytest.mark.parametrize(("name", "value"), [("UNDEGRADE_TRAIN_DATA", ""), ("UNDEGRADE_VAL_DATA", "/nowhere")])
def test_missing_data_is_said_at_once(place, monkeypatch, name, value):
    environment = {**os.environ, "UNDEGRADE_TRAIN_DATA": str(place), "UNDEGRADE_VAL_DATA": str(place), name: value}
    script = str(ROOT / "training" / "relay.py")
    done = subprocess.run(
        [sys.executable, script, "start"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert name in done.stderr
    assert "set it to a folder" in done.stderr


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("check", "UNDEGRADE_TRAIN_DATA is not set"),
        ("status", "no relay runs"),
        ("stop", "no relay runs"),
        ("pause", "no relay runs"),
        ("resume", "no relay runs"),
        ("cooldown", "no relay runs"),
    ],
)
def test_what_a_fresh_clone_says_needs_no_pytorch(tmp_path, monkeypatch, word, said):
    """It was installed first, for minutes, only to say that there are no images or that no relay runs."""
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path))
    monkeypatch.delenv("UNDEGRADE_TRAIN_DATA", raising=False)
    script = str(ROOT / "training" / "relay.py")
    done = without(
        "import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')", script, word
    )
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_train_looks_for_images_before_it_installs_pytorch(tmp_path):
    dry = ["make", "-n", f"VENV={tmp_path / 'venv'}", "train"]
    done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True)
    steps = ["relay.py check", "[train]", "relay.py start"]
    places = [done.stdout.index(step) for step in steps]
    assert places == sorted(places)


def test_an_empty_folder_and_a_broken_queue_are_said(place):
    (place / "empty").mkdir()
    environment = {
        **os.environ, "UNDEGRADE_CACHE": str(place / "cache"),
        "UNDEGRADE_TRAIN_DATA": str(place / "empty"), "UNDEGRADE_VAL_DATA": str(place / "val"),
    }  # fmt: skip
    script = str(ROOT / "training" / "relay.py")
    done = subprocess.run(
        [sys.executable, script, "start"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "holds no images" in done.stderr
    environment["UNDEGRADE_CACHE"] = str(place / "queue.toml")
    for word in ("status", "start"):
        environment["UNDEGRADE_TRAIN_DATA"] = str(place / "train")
        done = subprocess.run(
            [sys.executable, script, word], env=environment, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr


def test_a_reader_of_the_status_may_end_early(tmp_path: Path) -> None:
    """It ended in a traceback behind `| head`."""
    shell = f"'{sys.executable}' '{ROOT}/training/relay.py' status | true"
    environment = os.environ | {"UNDEGRADE_CACHE": str(tmp_path)}
    for _ in range(5):
        done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=environment, check=False)
        assert "BrokenPipe" not in done.stderr
