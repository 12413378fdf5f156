"""The networks in ONNX Runtime, on the CPU: what a plain installation runs."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from undegrade.inference.array_engine import ArrayEngine
from undegrade.inference.engine import Posterior, Window
from undegrade.inference.graphs import PARTS, Tensors, filled
from undegrade.model.architecture import Architecture
from undegrade.model.part import Part

_ERRORS_ONLY = 3


class OnnxEngine(ArrayEngine):
    """A model's shipped graphs with its weights; arguments and errors are those of :class:`ArrayEngine`."""

    def __init__(
        self, architecture: Architecture, tensors: Tensors, threads: int | None = None, int8: Tensors | None = None
    ) -> None:
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._process = os.getpid()
        self._left: list[object] = []
        super().__init__(architecture, tensors, threads, int8)

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
            tensors = {n: t for n, t in self._used.items() if n.startswith(PARTS[part])}
            model = filled(self._graphs[part], tensors)
            self._sessions[part] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return self._sessions[part]


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
