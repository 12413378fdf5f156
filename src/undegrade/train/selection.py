"""Which of the ways to compute convolutions is the quickest here: measured, not guessed from the CPU's name."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.native import NotCompiled
from undegrade.train.amx import Amx
from undegrade.train.convolution import Kernels
from undegrade.train.cpu import multiplies_bfloat16
from undegrade.train.winograd import Winograd

if TYPE_CHECKING:
    from undegrade.train.trainer import Trainer

SECONDS = 0.5
"""At least so long each way is measured, after one pass to warm up."""


@dataclass(frozen=True)
class Path:
    """A way to compute convolutions.

    Attributes:
        half: whether what lies between layers is bfloat16.
        kernels: builds what computes them, or None for torch.
        agrees: cosine between its gradient and that of float32, at least.
    """

    half: bool
    kernels: Callable[[], Kernels] | None
    agrees: float


PATHS = {
    "float32": Path(half=False, kernels=None, agrees=0.9999),
    "bfloat16": Path(half=True, kernels=None, agrees=0.98),
    "winograd": Path(half=False, kernels=Winograd, agrees=0.9999),
    "amx": Path(half=True, kernels=Amx, agrees=0.98),
}
"""By name, as recorded in a run's states."""


def usual(half: bool) -> str:
    """Torch's own way: in bfloat16 where the recipe allows it and the CPU multiplies it."""
    return "bfloat16" if half and multiplies_bfloat16() else "float32"


def build(name: str) -> tuple[Kernels | None, bool]:
    """The kernels of a way, and whether it works in bfloat16.

    Raises:
        UndegradeError: there is no such way, or not here.
    """
    if name not in PATHS:
        raise UndegradeError(f"there is no way {name!r} to convolve; choose one of auto, {', '.join(PATHS)}.")
    path = PATHS[name]
    return (None if path.kernels is None else path.kernels()), path.half


def choose(trainer: Trainer, names: Sequence[str] | None = None) -> str:
    """Time one pass forward and backward of each way on the first batch, and use the quickest that agrees.

    Args:
        trainer: fresh or resumed; its weights do not change.
        names: those to choose from (default: all that recipe and CPU allow).

    Returns:
        The name of the way that the trainer now uses.
    """
    before = usual(trainer.recipe.half)
    if trainer.device.type != "cpu":
        return before
    if names is None:
        allowed = trainer.recipe.half and multiplies_bfloat16()
        names = [name for name, path in PATHS.items() if allowed or not path.half]
    batch = trainer.batch(trainer.done)
    seconds: dict[str, float] = {}
    truth: Tensor | None = None
    for name in names:
        try:
            trainer.use(name)
        except NotCompiled as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        gradient = torch.cat([g.flatten() for g in trainer.gradients(batch)])
        truth = gradient if truth is None else truth
        agreement = float(torch.nn.functional.cosine_similarity(gradient, truth, dim=0))
        if not agreement >= PATHS[name].agrees:
            print(f"{name}: left out, its gradient differs (cosine {agreement:.4f})", file=sys.stderr)
            continue
        seconds[name] = _fastest(lambda: trainer.gradients(batch))
    best = min(seconds, key=lambda name: seconds[name])
    pixels = trainer.recipe.batch * trainer.recipe.patch**2
    rates = ", ".join(f"{name} {pixels / s / 1e3:.0f}" for name, s in seconds.items())
    print(f"convolutions by {best} (kpixel/s forward and backward: {rates})", file=sys.stderr)
    trainer.use(best)
    return best


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the quickest of several calls: other work on the machine only ever slows them."""
    best, started = math.inf, time.perf_counter()
    while time.perf_counter() - started < SECONDS or best == math.inf:
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
    return best
