"""What a CPU is slow and quick at, as far as training minds."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Take numbers below float32's normal range, 1.2e-38, for zero: a CPU spends a hundred times as long on them.

    Training needs none, and makes many: the momentum of a filter without gradient, behind a ReLU that never fires,
    shrinks by a factor a step, and Muon multiplies such filters with one another: in float32 its step then takes twelve
    times as long (``benchmarks/denormals.py``). GPUs do not mind them.

    To be entered before torch works on anything large: its threads inherit the mode when they start, at the first such
    work, and those already there keep theirs.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for it; where it has not, bfloat16 is slower than float32."""
    # Not in every release of torch that the trainer runs on.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def keep_memory() -> None:
    """Let glibc keep the memory that is freed, up to the largest that was in use, instead of handing it back.

    A step frees and asks for the same large tensors again and again, and the system clears every page it gives.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
            mallopt(parameter, value)
