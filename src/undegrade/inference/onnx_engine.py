"""The networks in ONNX Runtime, on the CPU: what a plain installation runs."""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine, Posterior, Reaches, Window
from undegrade.inference.graphs import INT8_PARTS, PARTS, Tensors, find_graph, packed, parts_of, said_by
from undegrade.inference.machine import usable_cores
from undegrade.lazy import needs_torch
from undegrade.model.architecture import Architecture
from undegrade.model.part import Part
from undegrade.weights.card import MISMATCH

_ERRORS_ONLY = 3


class OnnxEngine(Engine):
    """A model's shipped graphs with its weights.

    Args:
        architecture: of the networks, which has graphs (:func:`undegrade.inference.graphs.has_graphs`).
        tensors: the weights by name.
        threads: that convolve; None for the cores that the process may use.
        int8: tensors with which encoder and restorer compute in int8; None for float32.

    Raises:
        UndegradeError: the weights are not those of the architecture.
    """

    def __init__(
        self, architecture: Architecture, tensors: Tensors, threads: int | None = None, int8: Tensors | None = None
    ) -> None:
        self.threads, self._tensors, self.int8 = threads or usable_cores(), tensors, int8 is not None
        self._graphs: dict[str, bytes] = {}
        for part in parts_of(architecture):
            graph = find_graph(part, architecture, self.int8 and part in INT8_PARTS)
            assert graph is not None  # has_graphs(), has_int8_graphs()
            self._graphs[part] = graph
        prefixes = {prefix for part in self._graphs for prefix in PARTS[part]}
        rounded = tuple(prefix for part in INT8_PARTS for prefix in PARTS[part])
        used = tensors if int8 is None else {n: t for n, t in tensors.items() if not n.startswith(rounded)} | dict(int8)
        self._used = {prefix: {n: t for n, t in used.items() if n.startswith(prefix)} for prefix in prefixes}
        self._shapes = {n: list(t.shape) for n, t in used.items()}
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._process = os.getpid()
        self._left: list[object] = []
        said: dict[str, str] = {}
        # The scale head's at its first use: only who asks for it needs it.
        for part in ("encode", "restore", "estimate"):
            said |= self._checked(part)
        last_reach = int(said["last_reach"]) if "last_reach" in said else None
        super().__init__(architecture, Reaches(*json.loads(said["reaches"])), int(said["stride"]), last_reach)

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def software(self) -> str:
        return f"ONNX Runtime {onnxruntime.__version__}"

    def encode(self, y: Window) -> Posterior:
        return Posterior(*self._run("encode", y=y))

    def _restore(self, y: Window, c: Window, part: Part | None) -> Window:
        return self._run("restore", y=y, c=c, **self._lines(y, part))[0]

    def _restore_with_scale(self, y: Window, c: Window, part: Part | None) -> tuple[Window, Window]:
        self._checked("scale")
        xhat, b = self._run("scale", y=y, c=c, **self._lines(y, part))
        return xhat, b

    def estimate(self, c: Window) -> Window:
        return self._run("estimate", c=c)[0]

    def to(self, device: str) -> Engine:
        if device == self.device:
            return self
        if self.int8:
            raise UndegradeError(f"int8 is for the CPU, not for the device {device!r}; leave out draft.")
        needs_torch(f"the device {device!r}")
        import torch

        from undegrade.inference.torch_engine import TorchEngine
        from undegrade.model.vdir import VDIR

        model = VDIR(self.architecture)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in self._tensors.items()})
        return TorchEngine(model.requires_grad_(False), device)

    def _lines(self, y: Window, part: Part | None) -> dict[str, npt.NDArray[np.int64]]:
        """The numbers of y's rows and columns that a graph is asked for, if it can be asked for less than all."""
        if self.last_reach is None:
            return {}
        h, w = y.shape[-2:]
        rows, columns = Part((0, h), (0, w)) if part is None else part
        return {"rows": np.arange(*rows), "columns": np.arange(*columns)}

    def _run(self, part: str, **arrays: npt.NDArray[Any]) -> list[Window]:
        feed = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
        try:
            results: list[Window] = self._session(part).run(None, feed)
        except Exception as error:  # the library's own classes, which share no base that says so
            if "allocate memory" in str(error) or "bad_alloc" in str(error) or "bad allocation" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return results

    def _session(self, part: str) -> onnxruntime.InferenceSession:
        if self._process != os.getpid():
            # After a fork the threads of a session are gone: it is left as it is, since closing it would wait for them.
            self._left.append(self._sessions)
            self._sessions, self._process = {}, os.getpid()
        if part not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
            options.log_severity_level = _ERRORS_ONLY
            # Planned in one piece, the memory of a large window is further from the cache: 10 % slower, and more.
            options.enable_mem_pattern = False
            options.add_session_config_entry("session.use_env_allocators", "1" if _shared_memory() else "0")
            # The other parts' threads would wait for work by spinning, on the cores that this one needs.
            options.add_session_config_entry("session.force_spinning_stop", "1")
            model = self._graphs[part] + b"".join(packed(self._used[prefix]) for prefix in PARTS[part])
            self._sessions[part] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return self._sessions[part]

    def _checked(self, part: str) -> dict[str, str]:
        """What the graph says about itself, once it is sure that the weights fit."""
        said = said_by(self._graphs[part])
        shapes = {n: shape for n, shape in self._shapes.items() if n.startswith(PARTS[part])}
        if json.loads(said["shapes"]) != shapes:
            raise UndegradeError(MISMATCH)
        return said


_AS_REQUESTED = 1


@functools.cache
def _shared_memory() -> bool:
    """Let all sessions of this process take their memory from one place; whether that succeeded.

    With a place of its own, the encoder would keep what its largest window took while the restorer takes as much again.
    It grows by what is asked for: by powers of two, the library's default, it takes up to a third more.
    """
    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    growth = onnxruntime.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": _AS_REQUESTED,
            "initial_chunk_size_bytes": -1,
            "max_dead_bytes_per_chunk": -1,
        }
    )
    try:
        onnxruntime.create_and_register_allocator(where, growth)
    except Exception:  # another library of this process was first; its own classes again
        return False
    return True
