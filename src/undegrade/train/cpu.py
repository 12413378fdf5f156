"""Settings of the CPU that make training faster: denormal numbers, bfloat16, memory."""

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
    times as long (``benchmarks/denormals.py``). GPUs are not slowed by them.

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
    return any(bool(_capabilities().get(name)) for name in ("avx512_bf16", "amx_bf16"))


def lacks_bfloat16_tiles() -> bool:
    """Whether this CPU is known to have no AMX; a release of torch that cannot say leaves it open."""
    return not _capabilities().get("amx_bf16", True)


def _capabilities() -> dict[str, object]:
    # Not in every release of torch that the trainer runs on.
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


KEPT = 2**30
"""Bytes that are asked for at once, and kept, at the start; what is not touched costs nothing."""


def keep_memory() -> None:
    """Let glibc keep the memory that is freed, in large pages where the system has them, instead of handing it back.

    A step frees and asks for the same large tensors again and again: the system would clear every page it gives, and
    the processor look up each of them.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "mallopt") and hasattr(libc, "madvise")):
        return
    for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
        libc.mallopt(parameter, value)
    libc.malloc.restype = ctypes.c_void_p
    start = libc.malloc(ctypes.c_size_t(KEPT))
    if start:
        page = 2**21
        first = -(-start // page) * page
        libc.madvise(
            ctypes.c_void_p(first), ctypes.c_size_t((start + KEPT - first) // page * page), 14
        )  # MADV_HUGEPAGE
        libc.free(ctypes.c_void_p(start))
