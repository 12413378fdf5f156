"""A run from start to end: steps, log, validation, states; stops cleanly and goes on where it was."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from tqdm import tqdm

from undegrade.tasks.recipe import Recipe
from undegrade.train.flops import flops_per_step
from undegrade.train.state import compact, load_state, save_state
from undegrade.train.trainer import TERMS, Trainer
from undegrade.train.validate import Validation, health, labels


@dataclass(frozen=True)
class Limits:
    """When to log, look, save and stop.

    Attributes:
        minutes: wall-clock budget of this call; inf for none.
        stop_at: step at which this call stops though the recipe goes on; None for none.
        log_every: steps between lines of ``metrics.jsonl``.
        validate_every: steps between validations.
        save_minutes: minutes between states.
        compact: leave smaller states, from which a run goes on well but not bit for bit.
    """

    minutes: float = float("inf")
    stop_at: int | None = None
    log_every: int = 100
    validate_every: int = 1000
    save_minutes: float = 5.0
    compact: bool = False


@dataclass
class Meter:
    """Sums of the terms since the last line of the log, kept on the device so that no step waits for them."""

    trainer: Trainer
    flops: float
    steps: int = 0
    sums: torch.Tensor | None = None
    started: float = field(default_factory=time.perf_counter)

    def add(self, values: torch.Tensor) -> None:
        self.sums = values.clone() if self.sums is None else self.sums + values
        self.steps += 1

    def row(self) -> dict[str, float]:
        """Means of the terms, images per second, and what bounds them.

        On a GPU ``data_share`` is the host's time for crops and degradation: launches, and JPEG's codec.
        """
        assert self.sums is not None
        means = (self.sums / self.steps).tolist()  # waits for the device
        seconds = time.perf_counter() - self.started
        # A term that no step of this stretch worked out is not a number, which JSON does not know.
        row = {term: mean for term, mean in zip(TERMS, means, strict=True) if math.isfinite(mean)} | {
            "images_per_s": self.steps * self.trainer.recipe.batch / seconds,
            "tflop_per_s": self.steps * self.flops / seconds / 1e12,
            "data_share": self.trainer.data_seconds / seconds,
        }
        self.trainer.data_seconds = 0.0
        self.steps, self.sums, self.started = 0, None, time.perf_counter()
        return row


def run(trainer: Trainer, folder: Path, limits: Limits, validation: Validation | None, about: dict[str, Any]) -> bool:
    """Train until the recipe's last step, the limits, or a signal; leave a state behind.

    Args:
        trainer: fresh; the newest state in ``folder`` is loaded into it.
        folder: of the run: ``state-*/``, ``metrics.jsonl``, ``samples/``.
        limits: when to log, save and stop.
        validation: held-out crops, or None.
        about: facts about the run to keep in its state (task, variant, data, hardware).

    Returns:
        Whether the recipe's last step is reached.
    """
    recipe, main = trainer.recipe, trainer.rank == 0
    folder.mkdir(parents=True, exist_ok=True)
    seconds_before = _resume(trainer, folder, main)
    started = saved = time.perf_counter()
    last = recipe.steps if limits.stop_at is None else min(limits.stop_at, recipe.steps)
    meter = Meter(trainer, flops_per_step(trainer.architecture, recipe))

    def save() -> None:
        meta = about | {
            "recipe": recipe.to_dict(),
            "architecture": trainer.architecture.to_dict(),
            "seconds": seconds_before + time.perf_counter() - started,
        }
        tensors = trainer.tensors()
        save_state(folder, trainer.done, compact(tensors) if limits.compact else tensors, meta)

    bar = tqdm(
        total=recipe.steps, initial=trainer.done, unit="step", disable=not main, file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 60, dynamic_ncols=True,
    )  # fmt: skip
    with _signals() as stop, bar, (folder / "metrics.jsonl").open("a") as log:
        while trainer.done < last and not stop:
            meter.add(trainer.step())
            bar.update()
            logs, looks = trainer.done % limits.log_every == 0, trainer.done % limits.validate_every == 0
            if logs or looks or trainer.done == last:
                row: dict[str, float] = {"step": trainer.done, "lr": recipe.learning_rate(trainer.done - 1)}
                row |= meter.row()
                row["seconds"] = seconds_before + time.perf_counter() - started
                bar.set_postfix_str(f"{row['images_per_s']:.0f} images/s, loss {row['total']:.4f}")
                if main and validation is not None and (looks or trainer.done == last):
                    measured = validation.measure(trainer.ema)
                    row |= measured
                    bar.write(f"step {trainer.done}  {labels(list(validation.cases), measured)}", file=sys.stderr)
                    if warning := health(measured):
                        bar.write(f"step {trainer.done}  {warning}", file=sys.stderr)
                    validation.picture(trainer.ema, folder / "samples" / f"{trainer.done:08d}.png")
                if main:
                    log.write(json.dumps(row) + "\n")
                    log.flush()
                meter.started = time.perf_counter()
            if main and time.perf_counter() - saved > limits.save_minutes * 60:
                save()
                saved = time.perf_counter()
            if trainer.done % 10 == 0 and _any_process(
                bool(stop) or time.perf_counter() - started > limits.minutes * 60, trainer
            ):
                break
    if main:
        save()
    if dist.is_initialized():
        dist.barrier()
    return trainer.done >= recipe.steps


def summary(folder: Path, recipe: Recipe) -> str:
    """One line on how the run went: throughput and what bounds it."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    if not rows:
        return "no step was logged"
    rate = sorted(r["images_per_s"] for r in rows)[len(rows) // 2]
    flops = sorted(r["tflop_per_s"] for r in rows)[len(rows) // 2]
    data = sorted(r["data_share"] for r in rows)[len(rows) // 2]
    bound = "data (crops and degradation)" if data > 0.5 else "the networks' arithmetic and launches"
    return (
        f"{rate:.1f} images/s of {recipe.patch}x{recipe.patch} ({rate * recipe.patch**2 / 1e3:.0f} kpixel/s), "
        f"{flops:.3g} TFLOP/s; {100 * data:.0f} % of the time went into data: bound by {bound}"
    )


def _resume(trainer: Trainer, folder: Path, main: bool) -> float:
    """Load the newest state, drop log lines beyond it, and return the seconds already spent."""
    state = load_state(folder)
    log = folder / "metrics.jsonl"
    if state is None:
        return 0.0
    step, tensors, meta = state
    trainer.load(step, tensors)
    before, now = meta["recipe"], trainer.recipe.to_dict()
    changed = {k: (before.get(k), v) for k, v in now.items() if before.get(k) != v}
    if main:
        print(f"resuming {folder} at step {step}", file=sys.stderr)
        for name, (old, new) in changed.items():
            print(f"  the recipe's {name} changes from {old} to {new}", file=sys.stderr)
        if log.exists():
            kept = [line for line in log.read_text().splitlines() if _step_of(line) <= step]
            draft = log.with_suffix(".tmp")
            draft.write_text("".join(f"{line}\n" for line in kept))
            draft.replace(log)
    seconds: float = meta["seconds"]
    return seconds


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")  # a line cut short by a kill


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that fills when the run is asked to stop (SIGINT, SIGTERM)."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _any_process(flag: bool, trainer: Trainer) -> bool:
    if trainer.world == 1:
        return flag
    wanted = torch.tensor(float(flag), device=trainer.device)
    dist.all_reduce(wanted, dist.ReduceOp.MAX)
    return bool(wanted > 0)
