"""What the engines have in common that compute on the CPU from the weights as arrays."""

from __future__ import annotations

import json

from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine, Reaches
from undegrade.inference.graphs import INT8_PARTS, PARTS, Tensors, find_graph, parts_of, said_by
from undegrade.inference.machine import usable_cores
from undegrade.lazy import needs_torch
from undegrade.model.architecture import Architecture
from undegrade.weights.card import MISMATCH


class ArrayEngine(Engine):
    """A model of which graphs are shipped. They say what an engine has to know of the networks, which need torch.

    Args:
        architecture: of the networks, which has graphs (:func:`undegrade.inference.graphs.has_graphs`).
        tensors: the weights by name.
        threads: that convolve, at most and usually the cores that the process may use.
        int8: tensors with which encoder and restorer compute in int8; None for float32.

    Raises:
        UndegradeError: the weights are not those of the architecture.
    """

    def __init__(
        self, architecture: Architecture, tensors: Tensors, threads: int | None = None, int8: Tensors | None = None
    ) -> None:
        # More threads than cores would wait for each other.
        self.threads = min(threads or usable_cores(), usable_cores())
        self._tensors, self.int8 = tensors, int8 is not None
        self._graphs: dict[str, bytes] = {}
        for part in parts_of(architecture):
            graph = find_graph(part, architecture, self.int8 and part in INT8_PARTS)
            assert graph is not None  # has_graphs(), has_int8_graphs()
            self._graphs[part] = graph
        self._used = tensors
        if int8 is not None:
            rounded = tuple(prefix for part in INT8_PARTS for prefix in PARTS[part])
            self._used = {n: t for n, t in tensors.items() if not n.startswith(rounded)} | dict(int8)
        said: dict[str, str] = {}
        # The scale head's at its first use: only who asks for it needs it.
        for part in ("encode", "restore", "estimate"):
            said |= self._checked(part)
        last_reach = int(said["last_reach"]) if "last_reach" in said else None
        super().__init__(architecture, Reaches(*json.loads(said["reaches"])), int(said["stride"]), last_reach)

    @property
    def device(self) -> str:
        return "cpu"

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

    def _checked(self, part: str) -> dict[str, str]:
        """What a part's graph says about itself, once it is sure that the weights fit."""
        said = said_by(self._graphs[part])
        shapes = {n: list(t.shape) for n, t in self._used.items() if n.startswith(PARTS[part])}
        if json.loads(said["shapes"]) != shapes:
            raise UndegradeError(MISMATCH)
        return said
