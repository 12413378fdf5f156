"""Chooses the engine for weights, a device and a precision."""

from __future__ import annotations

import enum
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine
from undegrade.inference.graphs import has_graphs
from undegrade.inference.machine import may_have_gpu, multiplies_bfloat16, usable_cores
from undegrade.lazy import has_torch, needs_torch
from undegrade.weights.card import Weights, built

MOST_THREADS = 1024


class EngineName(enum.StrEnum):
    """The libraries that run the networks. Each is imported only if it is chosen."""

    ONNX = "onnx"
    """ONNX Runtime, on the CPU."""
    TORCH = "torch"
    """PyTorch: GPUs, half precision, networks without a shipped graph."""


def make_engine(
    weights: Weights,
    device: str | None = None,
    half: bool = False,
    engine: str | None = None,
    threads: int | None = None,
) -> Engine:
    """An engine with the weights.

    Args:
        weights: see :func:`undegrade.weights.card.read_weights`.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one and PyTorch is installed.
        half: convolve in half precision, see :class:`undegrade.inference.torch_engine.TorchEngine`. A CPU that does not
            multiply bfloat16 itself would be slower for it, and keeps float32 unless PyTorch is asked for.
        engine: a name in :class:`EngineName`; None for ONNX Runtime where it can do this, else PyTorch.
        threads: of the CPU; None for the cores that the process may use.

    Raises:
        UndegradeError: no such engine or device, PyTorch is needed but not installed, or the tensors are not those of
            the architecture.
    """
    if engine is not None and engine not in list(EngineName):
        raise UndegradeError(f"there is no engine {engine!r}; choose one of: {', '.join(EngineName)}.")
    check_threads(threads)
    if engine == EngineName.ONNX and (device not in (None, "cpu") or half):
        raise UndegradeError("ONNX Runtime works on the CPU in float32 only; leave out the engine.")
    if engine == EngineName.ONNX:
        device = "cpu"
    device = device or default_device()
    if half and device == "cpu" and engine is None:
        half = multiplies_bfloat16()
    graphs = has_graphs(weights.architecture)
    if engine == EngineName.ONNX or (engine is None and device == "cpu" and not half and graphs):
        if not graphs:
            raise UndegradeError("this kind of network has no ONNX graph; leave out the engine.")
        from undegrade.inference.onnx_engine import OnnxEngine

        return OnnxEngine(weights.architecture, weights.tensors, threads)
    if engine == EngineName.TORCH:
        needs_torch("the engine torch")
    elif half or graphs:
        needs_torch("half precision" if half else f"the device {device!r}")
    else:
        needs_torch("this kind of network")
    import torch

    from undegrade.inference.torch_engine import TorchEngine

    # PyTorch itself does not see the limits of a container. Fewer threads, as by OMP_NUM_THREADS, stay.
    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cores()))
    return TorchEngine(built(weights), device, half)


def check_threads(threads: Any) -> None:
    """Check a number of threads.

    Raises:
        UndegradeError: it is none; a library would fail, or try to start them.
    """
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise UndegradeError(
            f"threads is {threads!r:.60}; give a whole number of 1 to {MOST_THREADS}, or leave it out."
        )


def default_device() -> str:
    """``"cuda"`` if there is such a GPU and PyTorch can use it, else ``"cpu"``."""
    if not (may_have_gpu() and has_torch()):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
