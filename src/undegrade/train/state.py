"""The state of a training run on disk: complete or absent, never half.

A state is a folder ``state-<step>`` of safetensors parts of at most :data:`PART_BYTES` each and a ``manifest.json``.
It is written under another name, synced, and renamed in one go; only then is the one before removed. Whenever a run
is killed, the newest ``state-*`` folder is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.reading import MAX_JSON, check_fields, mapping, number, parse_json, read_regular, whole

PART_BYTES = 15_000_000
"""Largest part, so that every file of a state stays under 16 MB and travels anywhere."""
_MAX_PART = 1_000_000_000
"""Largest part that is read; a single tensor is a part of its own."""
_PART = re.compile(r"part-[0-9]{2,4}\.safetensors")


def save_state(run: Path, step: int, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
    """Write a state and remove the older ones.

    Args:
        run: the run's folder.
        step: iterations done.
        tensors: name -> tensor, on any device.
        meta: anything JSON can hold.

    Raises:
        OSError, SafetensorError: the disk is full, or cannot be written; the states before are untouched.
    """
    final, draft = run / f"state-{step:08d}", run / "state.tmp"
    if final.exists():  # whole, and of this very step: replacing it would leave a moment without any state
        return final
    parts: list[dict[str, Tensor]] = [{}]
    room = PART_BYTES
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if parts[-1] and size > room:
            parts.append({})
            room = PART_BYTES
        parts[-1][name] = tensor.detach().cpu().contiguous()
        room -= size
    shutil.rmtree(draft, ignore_errors=True)
    names = [f"part-{n:02d}.safetensors" for n in range(len(parts))]
    try:
        draft.mkdir(parents=True)
        for name, part in zip(names, parts, strict=True):
            save_file(part, draft / name)
            _sync(draft / name)
        (draft / "manifest.json").write_text(json.dumps({"step": step, "parts": names, "meta": meta}, indent=1))
        _sync(draft / "manifest.json")
        draft.rename(final)
    except (OSError, SafetensorError):
        shutil.rmtree(draft, ignore_errors=True)  # a full disk needs the room
        raise
    _sync(run)
    for old in run.glob("state-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    return final


def load_state(run: Path) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
    """The newest state of a run as (step, tensors, meta), or None when there is none yet.

    Raises:
        UndegradeError: the newest state cannot be read.
    """
    states = sorted(run.glob("state-*"))
    if not states:
        return None
    try:
        manifest = read_manifest(states[-1])
        tensors: dict[str, Tensor] = {}
        for name in manifest["parts"]:
            tensors |= load(read_regular(states[-1] / name, _MAX_PART))
        return manifest["step"], tensors, manifest["meta"]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UndegradeError(
            f"the training state {states[-1]} cannot be read ({error}); copy it again, or delete it to start over."
        ) from error


def read_manifest(state: Path) -> dict[str, Any]:
    """The manifest of a state: its ``step``, the names of its ``parts``, and ``meta``.

    Raises:
        OSError: it cannot be read.
        ValueError: a field is missing or wrong.
    """
    manifest: dict[str, Any] = parse_json(read_regular(state / "manifest.json", MAX_JSON))
    check_fields(manifest, {"step": whole(0, 10**8 - 1), "parts": _parts, "meta": mapping})
    if state.name != f"state-{manifest['step']:08d}":
        raise ValueError(f"its step is {manifest['step']}, unlike the folder's name")
    meta = manifest["meta"]
    known = {
        "recipe": mapping, "seconds": number(0, 1e12), "pixels": number(0, 1e18), "path": _name_or_none,
        "architecture": mapping,
    }  # fmt: skip
    check_fields({key: value for key, value in meta.items() if key in known}, {}, known)
    sizes = {"batch": whole(1, 10**6), "patch": whole(1, 10**6)}
    check_fields({key: value for key, value in meta.get("recipe", {}).items() if key in sizes}, {}, sizes)
    return manifest


def _parts(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(v, str) and _PART.fullmatch(v) for v in value)
    return None if fits else "a list of names like part-00.safetensors"


def _name_or_none(value: Any) -> str | None:
    return None if value is None or isinstance(value, str) else "a name"


def newest(run: Path) -> tuple[int, dict[str, Any]]:
    """Step and meta of a run's newest state.

    Raises:
        UndegradeError: there is none, or it cannot be read.
    """
    states = sorted(run.glob("state-*"))
    if not states:
        raise UndegradeError(f"{run} holds no training state to go on from; train first, or check the folder.")
    try:
        manifest = read_manifest(states[-1])
        return manifest["step"], manifest["meta"]
    except (OSError, ValueError) as error:
        raise UndegradeError(
            f"the training state {states[-1]} cannot be read ({error}); copy it again, or delete it to start over."
        ) from error


def branch(run: Path, folder: Path, meta: dict[str, Any]) -> Path:
    """Start another run from the newest state of this one, which stays as it is.

    Args:
        run: the run's folder.
        folder: the new run's; it appears whole or not at all, its first state with ``meta`` beside what it held.
        meta: added to the state's.

    Raises:
        UndegradeError: there is no state yet, or it cannot be copied.
    """
    newest(run)
    states = sorted(run.glob("state-*"))
    draft = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        state = draft / states[-1].name
        shutil.copytree(states[-1], state)
        manifest = read_manifest(state)
        manifest["meta"] |= meta
        (state / "manifest.json").write_text(json.dumps(manifest, indent=1))
        for file in state.iterdir():
            _sync(file)
        draft.rename(folder)
        _sync(run)
    except (OSError, ValueError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UndegradeError(f"{states[-1]} cannot be copied ({error}); check folder and free space.") from error
    return folder


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimizer's per-parameter state as flat names, e.g. ``adam.12.exp_avg``."""
    state = optimizer.state_dict()["state"]
    return {f"{prefix}.{i}.{key}": value for i, entry in state.items() for key, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """The inverse of :func:`optimizer_tensors`.

    Raises:
        ValueError: the tensors are another optimizer's, or of other weights.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(f"{prefix}."):
            index, key = name.removeprefix(f"{prefix}.").split(".")
            parameter = parameters[int(index)] if int(index) < len(parameters) else None
            if parameter is None or tensor.shape not in ((), parameter.shape):
                raise ValueError(f"{name} has no weight to belong to")
            if tensor.shape == parameter.shape:
                # Fused Adam walks moments and parameter in memory order, so their layouts (channels_last) must agree.
                tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def compact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state of a third of the size, for slow transfers to another machine.

    Weights and averaged weights stay exact. The generator's moments and the discriminator's weights are rounded to
    bfloat16, the discriminator's moments are left out (with beta_1 = 0.5 they forget within a few steps anyway). A run
    goes on from it well, but no longer bit for bit.
    """
    rounded = ("discriminator.", "adam.", "muon.")
    return {
        name: t.bfloat16() if name.startswith(rounded) and t.numel() > 1 else t
        for name, t in tensors.items()
        if not name.startswith("adam_d.")
    }


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
