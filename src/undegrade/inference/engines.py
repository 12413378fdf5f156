"""Chooses the engine for weights, a device and a precision."""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine
from undegrade.inference.graphs import has_graphs, has_int8_graphs
from undegrade.inference.machine import may_have_gpu, multiplies_bfloat16, multiplies_int8, usable_cores
from undegrade.lazy import has_torch, needs_torch
from undegrade.model.architecture import Architecture
from undegrade.weights.card import Weights, built
from undegrade.weights.int8 import Int8Weights

MOST_THREADS = 1024


class EngineName(enum.StrEnum):
    """What runs the networks. Each is imported only if it is chosen."""

    COMPILED = "compiled"
    """Kernels compiled on this machine, on the CPU, where there is a C++ compiler."""
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
    int8: Int8Weights | None = None,
) -> Engine:
    """An engine with the weights.

    Args:
        weights: see :func:`undegrade.weights.card.read_weights`.
        device: ``"cpu"``, ``"cuda"``, ...; None for a GPU if there is one and PyTorch is installed.
        half: convolve in half precision, see :class:`undegrade.inference.torch_engine.TorchEngine`. A CPU that does not
            multiply bfloat16 itself would be slower for it, and keeps float32 unless PyTorch is asked for.
        engine: a name in :class:`EngineName`; None for the first of them that can do this here.
        threads: of the CPU; None for the cores that the process may use.
        int8: the int8 form of the weights, to be computed with by ONNX Runtime on a CPU; None for float32.

    Raises:
        UndegradeError: no such engine or device, PyTorch is needed but not installed, or the tensors are not those of
            the architecture.
    """
    if engine is not None and engine not in list(EngineName):
        raise UndegradeError(f"there is no engine {engine!r}; choose one of: {', '.join(EngineName)}.")
    check_threads(threads)
    if int8 is not None:
        return _int8_engine(weights, int8, device, half, engine, threads)
    on_cpu = engine in (EngineName.ONNX, EngineName.COMPILED)
    if on_cpu and (device not in (None, "cpu") or half):
        raise UndegradeError(f"the engine {engine} works on the CPU in float32 only; leave out the engine.")
    device = "cpu" if on_cpu else device or default_device()
    if half and device == "cpu" and engine is None:
        half = multiplies_bfloat16()
    graphs = has_graphs(weights.architecture)
    if on_cpu or (engine is None and device == "cpu" and not half and graphs):
        if not graphs:
            raise UndegradeError("this kind of network has no ONNX graph; leave out the engine.")
        return _cpu_engine(weights, engine, threads)
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


def _cpu_engine(weights: Weights, engine: str | None, threads: int | None) -> Engine:
    if engine != EngineName.ONNX:
        try:
            check_compiled(weights.architecture)
        except UndegradeError:
            if engine is not None:
                raise
        else:
            from undegrade.inference.compiled_engine import CompiledEngine

            return CompiledEngine(weights.architecture, weights.tensors, threads)
    from undegrade.inference.onnx_engine import OnnxEngine

    return OnnxEngine(weights.architecture, weights.tensors, threads)


def check_compiled(architecture: Architecture) -> None:
    """Check that compiled kernels can run an architecture here.

    Raises:
        UndegradeError: it has no compiled form, or there is no compiler.
    """
    from undegrade.inference.compiled import has_form
    from undegrade.native.convolution import check

    if not has_form(architecture):
        raise UndegradeError("this kind of network has no compiled form; leave out the engine.")
    check()


def check_int8(device: str | None, half: bool, engine: str | None) -> None:
    """Check that this machine computes in int8, and that nothing else is asked for.

    Raises:
        UndegradeError: it does not, or another device, precision or engine is wanted.
    """
    if device not in (None, "cpu") or half or engine not in (None, EngineName.ONNX):
        raise UndegradeError(
            "a draft is computed in int8 by ONNX Runtime on the CPU; leave out draft, or the device, half and engine."
        )
    if not multiplies_int8():
        raise UndegradeError(
            "this CPU has no AVX2, or the system does not say so: a draft in int8 was not measured here; leave it out."
        )


def _int8_engine(
    weights: Weights, int8: Int8Weights, device: str | None, half: bool, engine: str | None, threads: int | None
) -> Engine:
    check_int8(device, half, engine)
    # How far off the result may be was measured in float32: the head for it stays away.
    architecture = replace(weights.architecture, scale_head=False)
    if not (has_graphs(architecture) and has_int8_graphs(architecture)):
        raise UndegradeError(f"the network of {weights.card.name} has no graph in int8; leave out draft.")
    from undegrade.inference.onnx_engine import OnnxEngine

    tensors = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith("scale.")}
    return OnnxEngine(architecture, tensors, threads, int8.tensors)


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
