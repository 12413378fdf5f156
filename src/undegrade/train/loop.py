"""A run from start to end: steps, log, validation, states; stops cleanly and goes on where it was."""

from __future__ import annotations

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
from safetensors import SafetensorError
from tqdm import tqdm

from undegrade.errors import UndegradeError
from undegrade.native import NotCompiled
from undegrade.reading import printable
from undegrade.tasks.recipe import Recipe
from undegrade.train.flops import flops_per_step
from undegrade.train.log import Log
from undegrade.train.selection import choose
from undegrade.train.state import compact, load_state, save_state
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer
from undegrade.train.validate import Validation, health, labels


@dataclass(frozen=True)
class Limits:
    """When to log, look, save and stop.

    Attributes:
        minutes: wall-clock budget of this call; inf for none.
        stop_at: step at which this call stops though the recipe goes on; None for none.
        pixels: the same by pixels of y that the run has seen; inf for none.
        log_every: steps between lines of ``metrics.jsonl``.
        validate_every: steps between validations.
        save_minutes: minutes between states.
        compact: leave smaller states, from which a run goes on well but not bit for bit.
    """

    minutes: float = float("inf")
    stop_at: int | None = None
    pixels: float = math.inf
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
            "pixels_per_s": self.steps * self.trainer.recipe.batch * self.trainer.recipe.patch**2 / seconds,
            "images_per_s": self.steps * self.trainer.recipe.batch / seconds,
            "tflop_per_s": self.steps * self.flops / seconds / 1e12,
            "data_share": self.trainer.data_seconds / seconds,
        }
        self.trainer.data_seconds = 0.0
        self.steps, self.sums, self.started = 0, None, time.perf_counter()
        return row


@dataclass
class Spent:
    """What a run has cost so far, this call and those before.

    Attributes:
        seconds: of wall-clock time, up to ``since``.
        pixels: of y, over all images of all steps.
        since: when the clock was last read.
    """

    seconds: float = 0.0
    pixels: int = 0
    since: float = field(default_factory=time.perf_counter)

    def read(self) -> dict[str, float]:
        """The two as they stand now, by name."""
        now = time.perf_counter()
        self.seconds += now - self.since
        self.since = now
        return {"seconds": self.seconds, "pixels": self.pixels}


def run(
    trainer: Trainer,
    folder: Path,
    limits: Limits,
    validation: Validation | None,
    about: dict[str, Any],
    path: str | None = None,
) -> bool:
    """Train until the recipe's last step, the limits, or a signal; leave a state behind.

    Args:
        trainer: fresh; the newest state in ``folder`` is loaded into it.
        folder: of the run: ``state-*/``, ``metrics.jsonl``, ``samples/``.
        limits: when to log, save and stop.
        validation: held-out crops, or None.
        about: facts about the run to keep in its state (task, variant, data, hardware).
        path: how to compute convolutions, a name in :data:`undegrade.train.selection.PATHS`, or ``"auto"`` to measure;
            None as the trainer does already. A run that goes on does as it did, where that is to be had.

    Returns:
        Whether the recipe's last step is reached.

    Raises:
        UndegradeError: the last state cannot be written.
    """
    recipe, main = trainer.recipe, trainer.rank == 0
    folder.mkdir(parents=True, exist_ok=True)
    spent, before = _resume(trainer, folder, main)
    _use(trainer, path, before)
    started = saved = time.perf_counter()
    last = min(limits.stop_at or math.inf, recipe.steps or math.inf)
    per_step = recipe.batch * recipe.patch**2
    meter = Meter(trainer, flops_per_step(trainer.architecture, recipe))

    def save() -> None:
        meta = about | {
            "recipe": recipe.to_dict(),
            "architecture": trainer.architecture.to_dict(),
            "path": trainer.path,
        }
        tensors = trainer.tensors()
        save_state(folder, trainer.done, compact(tensors) if limits.compact else tensors, meta | spent.read())

    bar = tqdm(
        total=recipe.steps, initial=trainer.done, unit="step", disable=not main, file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 60, dynamic_ncols=True,
    )  # fmt: skip
    log = Log(folder / "metrics.jsonl")
    with _signals() as stop, bar:
        while trainer.done < last and spent.pixels < limits.pixels and not stop:
            meter.add(trainer.step())
            spent.pixels += per_step
            bar.update()
            ends = trainer.done >= last or spent.pixels >= limits.pixels
            looks = trainer.done % limits.validate_every == 0 or ends
            if trainer.done % limits.log_every == 0 or looks:
                row: dict[str, float] = {"step": trainer.done, "lr": recipe.learning_rate(trainer.done - 1)}
                row |= meter.row() | spent.read()
                bar.set_postfix_str(f"{row['images_per_s']:.0f} images/s, loss {row['total']:.4f}")
                if main and validation is not None and looks:
                    row |= _look(trainer, validation, folder, bar)
                if main:
                    log.add(row)
                meter.started = time.perf_counter()
            if main and time.perf_counter() - saved > limits.save_minutes * 60:
                try:
                    save()
                except (OSError, SafetensorError) as error:
                    again = f"training goes on, and tries again in {limits.save_minutes:g} minutes"
                    bar.write(f"the state of step {trainer.done} cannot be saved ({error}); {again}", file=sys.stderr)
                saved = time.perf_counter()
            if trainer.done % 10 == 0 and _any_process(
                bool(stop) or time.perf_counter() - started > limits.minutes * 60, trainer
            ):
                break
    if main:
        try:
            save()
        except (OSError, SafetensorError) as error:
            raise UndegradeError(
                f"the last state cannot be saved in {folder} ({error}); free some space and run the same command again."
            ) from error
    if dist.is_initialized():
        dist.barrier()
    return recipe.steps is not None and trainer.done >= recipe.steps


def _look(trainer: Trainer, validation: Validation, folder: Path, bar: Any) -> dict[str, float]:
    """Measure the averaged weights, say what is found and draw a sheet of samples."""
    measured = validation.measure(trainer.ema)
    bar.write(f"step {trainer.done}  {labels(list(validation.cases), measured)}", file=sys.stderr)
    if warning := health(measured):
        bar.write(f"step {trainer.done}  {warning}", file=sys.stderr)
    try:
        validation.picture(trainer.ema, folder / "samples" / f"{trainer.done:08d}.png")
    except OSError as error:
        bar.write(f"step {trainer.done}  no samples are written ({error})", file=sys.stderr)
    return measured


def summary(folder: Path, recipe: Recipe) -> str:
    """One line on how the run went: throughput and what bounds it."""
    rows = Log(folder / "metrics.jsonl").rows()
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


def _resume(trainer: Trainer, folder: Path, main: bool) -> tuple[Spent, str | None]:
    """Load the newest state and drop log lines beyond it; what was spent, and how convolutions were computed."""
    state = load_state(folder)
    if state is None:
        return Spent(), None
    step, tensors, meta = state
    if missing := {"recipe", "seconds"} - set(meta):
        raise UndegradeError(
            f"the training state of step {step} in {folder} lacks its {' and '.join(sorted(missing))}; copy it again, "
            "or delete it to start over."
        )
    trainer.load(step, tensors)
    before, now = meta["recipe"], trainer.recipe.to_dict()
    changed = {k: (before.get(k), v) for k, v in now.items() if before.get(k) != v}
    if main:
        print(f"resuming {printable(folder)} at step {step}", file=sys.stderr)
        for name, (old, new) in changed.items():
            print(f"  the recipe's {name} changes from {printable(old)} to {new}", file=sys.stderr)
        Log(folder / "metrics.jsonl").cut(step)
    pixels = meta.get("pixels", step * before["batch"] * before["patch"] ** 2)  # states of before version 0.2
    return Spent(meta["seconds"], pixels), meta.get("path")


def _use(trainer: Trainer, path: str | None, before: str | None) -> None:
    """Compute convolutions as told, as before, or in the way that a measurement finds."""
    wanted = before if path in ("auto", None) and before is not None else path
    try:
        if wanted is not None and wanted != "auto":
            trainer.use(wanted)
            return
    except NotCompiled as error:
        print(f"{wanted}: {error}", file=sys.stderr)
    if path == "auto" or wanted is not None:
        choose(trainer)


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
