"""The relay: trains the models of ``queue.toml`` one after another, all the time, beside all other work.

    UNDEGRADE_TRAIN_DATA=DIR UNDEGRADE_VAL_DATA=DIR make train      start, or go on; returns at once
    make train-status      what runs, how far each model is, what the last cooldowns brought
    make train-pause, train-resume      pause training and continue it, without losing anything
    make train-stop        save and end
    make train-cooldown MINUTES=30      start a cooldown of the current model now, then continue

`check` says which folder of images is missing; `run` trains in the foreground.

UNDEGRADE_TRAIN_THREADS limits the cores. States, logs and cooled weights are in UNDEGRADE_CACHE (default
~/.cache/undegrade), folder relay. Training runs at the lowest priority. Everything may be killed at any moment: the
next start goes on from the newest states, which are five minutes old at most.

It is a plain loop over plain processes: the relay decides from what lies on the disk whose turn it is (``entries.py``)
and runs `undegrade train` for a while, or for a cooldown, or ``measure.py``. The lock file is held by the relay and
whatever it started, so that no two ever work on the same states.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from entries import QUEUE, Entry, Standing, initial_weights, next_cooldown, next_entry, read_queue, standing
from lock import await_stopped, folder, running, take_lock
from priority import environment, lowest_priority
from status import status, validation

from undegrade.image import Format

ROOT = Path(__file__).parents[1]
BAR = re.compile(r"\d+step \[")
ASKED = "cooldown-asked"
"""A file in the folder of a run, with a number of minutes in it: cool down at the next turn."""
SLICE_MINUTES = 120.0
SAVE_MINUTES = 4.0
RETRY_MINUTES = 10.0
WARMUP = "--latent-warmup-steps"
KILLS = 3
"""A training that was killed begins again so many times, then it is put aside like one that failed."""
DATA = {"UNDEGRADE_TRAIN_DATA": "clean images to train on", "UNDEGRADE_VAL_DATA": "held-out images"}


def say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}", flush=True)


class Relay:
    """The loop.

    Args:
        train, val: folders of clean images to train on and of held-out ones.
        queue: the queue file, read anew before every turn.
    """

    def __init__(self, train: Path, val: Path, queue: Path = QUEUE) -> None:
        self.train, self.val, self.queue = train, val, queue
        self.stopping = False
        self.child: subprocess.Popen[bytes] | None = None
        self.aside: dict[str, float] = {}
        self.killed: dict[str, int] = {}
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGUSR1, self._next)

    def _stop(self, *_: object) -> None:
        self.stopping = True
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()

    def _next(self, *_: object) -> None:
        """Save and begin another turn, unless it is a cooldown that is going on."""
        if self.child is not None and self.child.poll() is None and "--open-ended" in self.child.args:
            self.child.terminate()

    def run(self) -> None:
        """Until told to stop, or all is done."""
        while not self.stopping:
            entries = read_queue(self.queue)
            states = {e.name: standing(e, folder()) for e in entries}
            now = time.monotonic()
            aside = {name for name, until in self.aside.items() if until > now}
            entry = next_entry(entries, states, aside)
            if entry is not None:
                if not self.turn(entry, states[entry.name]):
                    self.aside[entry.name] = time.monotonic() + 60 * RETRY_MINUTES
            elif aside:
                time.sleep(1)
            else:
                say("all entries are finished")
                return
        say("stopped")

    def turn(self, entry: Entry, found: Standing) -> bool:
        """The next thing that an entry needs. Returns whether it went well."""
        run = folder() / entry.name
        if found.unmeasured:
            weights = found.unmeasured[0]
            return self._measure(entry, weights)
        wanted = next_cooldown(entry, found)
        asked = run / ASKED
        # A latent that is learned already must not move for steps without the restorer: that would part the two.
        learned = [WARMUP, "0"] if found.before and WARMUP not in entry.options else []
        if found.cooling is not None or found.pixels >= wanted or (asked.exists() and found.pixels > found.before):
            minutes = asked.read_text().strip() if asked.exists() else str(entry.cooldown_minutes)
            say(f"{entry.name}: cooldown of {minutes} minutes at {found.pixels:.3g} pixels")
            well = self._call(entry, run, ["--cooldown", minutes, *learned])
            if not self.stopping and (not well or standing(entry, folder()).cooling is None):
                asked.unlink(missing_ok=True)
            return well
        try:
            start = initial_weights(entry, folder())
        except LookupError as error:
            say(str(error))
            return False
        init = [] if start is None or found.pixels > found.before else ["--init", str(start)]
        say(f"{entry.name}: from {found.pixels:.4g} of {entry.pixels:.3g} pixels, next cooldown at {wanted:.3g}")
        arguments = [
            "--open-ended",
            "--pixels",
            str(wanted - found.before),
            "--minutes",
            str(SLICE_MINUTES),
            *init,
            *learned,
        ]
        well = self._call(entry, run, arguments)
        after = standing(entry, folder())
        if after.seconds > found.seconds:
            rate = (after.pixels - found.pixels) / (after.seconds - found.seconds)
            say(f"{entry.name}: {after.pixels:.4g} pixels seen, {rate / 1e3:.0f} kpixel/s; {validation(run)}")
        return well

    def _call(self, entry: Entry, run: Path, arguments: list[str]) -> bool:
        command = [
            sys.executable, "-m", "undegrade", "train", entry.task, "--variant", entry.variant, *entry.options,
            "--data", str(self.train), "--val", str(self.val), "--out", str(run), "--save-minutes", str(SAVE_MINUTES),
            "--validate-every", "5000", *arguments,
        ]  # fmt: skip
        run.mkdir(parents=True, exist_ok=True)
        return self._wait(entry, command, run / "train.log")

    def _measure(self, entry: Entry, weights: Path) -> bool:
        script = Path(__file__).with_name("measure.py")
        result = weights.with_name("result.json")
        command = [sys.executable, str(script), str(weights), str(self.val), "--json", str(result)]
        log = weights.with_name("measure.log")
        well = self._wait(entry, command, log)
        if result.exists():  # it was neither stopped nor killed
            say(last_words(log))
        return well

    def _wait(self, entry: Entry, command: list[str], log: Path) -> bool:
        with log.open("ab") as output:
            # The lock goes with the child: as long as it lives, no other relay starts.
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(ROOT / "src"),
                close_fds=False, preexec_fn=_end_with_parent,
            )  # fmt: skip
            if self.stopping:  # the signal came just before
                self.child.terminate()
            code = self.child.wait()
        self.child = None
        if code == 0 or self.stopping:
            self.killed.pop(entry.name, None)
            return True
        if code < 0 and self.killed.get(entry.name, 0) < KILLS:  # the system, or a person, not its own mistake
            self.killed[entry.name] = self.killed.get(entry.name, 0) + 1
            say(f"{entry.name}: ended by {signal.Signals(-code).name}, begins again")
            return True
        say(f"{entry.name}: put aside for {RETRY_MINUTES:g} minutes, exit code {code}: {last_words(log)}")
        return False


def _end_with_parent() -> None:
    """Let the system ask a child to save and end when the relay is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def last_words(log: Path) -> str:
    """The last line of a log that is no progress bar."""
    lines = [line.rpartition("\r")[2].strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line and not BAR.match(line)), "no message")


def data_folders() -> tuple[Path, Path]:
    """Of training and held-out images, from the environment."""
    found = []
    for variable, what in DATA.items():
        given = os.environ.get(variable)
        if not given or not Path(given).is_dir():
            said = f"{variable} is not set" if not given else f"{variable}={given} is no folder"
            sys.exit(f"{said}; set it to a folder of {what}, none of them from a benchmark.")
        if not any(Format.of_name(path) for path in Path(given).rglob("*")):
            sys.exit(f"{variable}={given} holds no images; set it to a folder of {what}.")
        found.append(Path(given).resolve())
    return found[0], found[1]


def start() -> None:
    data_folders()
    if (number := running()) is not None:
        print(f"the relay runs already (process {number}); its log is {folder() / 'relay.log'}")
        return
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "relay.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    time.sleep(1)
    if process.poll() is not None and running() is None:
        sys.exit(f"the relay ended at once; see {folder() / 'relay.log'}")
    print(f"the relay runs (process {process.pid}); its log is {folder() / 'relay.log'}")


def run() -> None:
    train, val = data_folders()
    with suppress(OSError, ValueError):  # what a killed relay had started may still be saving, or sleep in a pause
        os.killpg(int((folder() / "lock").read_text()), signal.SIGCONT)
    handle = take_lock(wait=300)
    if handle is None:
        say("another relay is at work")
        return
    lowest_priority()
    say(f"started: process {os.getpid()}, states in {folder()}")
    Relay(train, val).run()


def stop() -> None:
    number = running()
    if number is None:
        print("no relay runs")
        return
    os.killpg(number, signal.SIGCONT)
    os.kill(number, signal.SIGTERM)
    handle = take_lock(wait=600)
    print("stopped" if handle is not None else f"process {number} has not ended yet; see {folder() / 'relay.log'}")


def cooldown(minutes: float) -> None:
    """Ask for a cooldown of the entry that trains now."""
    if not 0 < minutes < math.inf:
        sys.exit(f"a cooldown of {minutes:g} minutes is not possible; give a number above 0.")
    number = running()
    if number is None:
        sys.exit("no relay runs; start it by make train.")
    runs = [path.parent for path in folder().glob("*/train.log") if any(path.parent.glob("state-*"))]
    if not runs:
        sys.exit("no training has saved a state yet, which takes some minutes; see make train-status.")
    now = max(runs, key=lambda run: (run / "train.log").stat().st_mtime)
    (now / ASKED).write_text(f"{minutes:g}")
    os.kill(number, signal.SIGUSR1)
    print(f"{now.name} cools down within {minutes:g} minutes, then trains on; see make train-status")


def group(number: int) -> None:
    """Send a signal to the relay and all that it started."""
    process = running()
    if process is None:
        print("no relay runs")
        return
    os.killpg(process, number)
    if number == signal.SIGSTOP:
        await_stopped(process)
    print("paused" if number == signal.SIGSTOP else "resumed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {
        "start": start,
        "check": data_folders,
        "run": run,
        "status": status,
        "stop": stop,
        "pause": lambda: group(signal.SIGSTOP),
        "resume": lambda: group(signal.SIGCONT),
        "cooldown": lambda: cooldown(args.minutes),
    }
    parser.add_argument("command", choices=commands)
    parser.add_argument("--minutes", type=float, default=30, help="of the cooldown")
    args = parser.parse_args()
    try:
        commands[args.command]()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone; without this, Python complains when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:  # the queue, or the cache folder
        sys.exit(f"relay: {error}")


if __name__ == "__main__":
    main()
