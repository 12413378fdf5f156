"""Weights on disk: a half-precision safetensors file and, in the same folder, a card that describes it.

``gaussian-fast.safetensors`` belongs to ``gaussian-fast.json``. The card holds the architecture: weights stay usable
when defaults change. It also holds the sha256 of the safetensors file, which is checked before the file is parsed. All
four networks are stored: training can start from shipped weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.lazy import needs_torch
from undegrade.model.architecture import Architecture
from undegrade.reading import (
    MAX_JSON,
    Check,
    check_fields,
    json_text,
    mapping,
    name,
    number,
    parse_json,
    read_regular,
    shown,
    text,
    whole,
)
from undegrade.weights.intervals import Intervals
from undegrade.weights.tensors import Tensors, packed, unpacked

if TYPE_CHECKING:
    from undegrade.model.vdir import VDIR

MAX_BYTES = 5_000_000
"""Largest size of a weights file that is written, small enough to ship with the package."""
_MAX_READ = 100_000_000
"""Largest weights file that is read, in bytes."""
_MANY = 10**15
INT8 = "-int8"
"""How the stems of int8 files end: :mod:`undegrade.weights.int8`."""

_NUMBERS_OF_RECIPE = {
    "lambda_est": number(0, _MANY), "batch": whole(0, 10**9), "patch": whole(0, 10**6),
}  # fmt: skip
"""Fields of a recipe that are used when weights are loaded."""
_FIELDS: dict[str, Check] = {
    "task": name, "variant": name, "architecture": mapping, "data": mapping, "licence": text,
    "steps": whole(0, _MANY), "minutes": number(0, _MANY), "hardware": text, "commit": text, "recipe": mapping,
    "measured": mapping, "notes": text, "sha256": text, "dtype": text,
}  # fmt: skip


MISMATCH = "the tensors do not match their networks in this version of undegrade; update undegrade."

_NEWER: dict[str, Check] = {
    "pixels": whole(0, 10**18), "started_from": text, "scale_head": mapping, "intervals": mapping,
}  # fmt: skip
"""Fields that cards of before version 0.2 do not have."""


@dataclass(frozen=True)
class Card:
    """What a weights file contains and how it was trained. All values can be written as JSON.

    Attributes:
        task: name of the task it was trained for.
        variant: of the task, e.g. ``"fast"``.
        architecture: :meth:`undegrade.model.architecture.Architecture.to_dict`.
        data: the training images, e.g. names and counts.
        licence: of the training images.
        steps: training iterations.
        minutes: training time.
        hardware: the hardware of the training, in words.
        commit: of this repository at the time of training.
        recipe: the training recipe.
        measured: numbers by name, e.g. ``{"CBSD68 sigma 50 psnr": 27.9}``.
        notes: other information for users.
        pixels: of y seen in training, by this run and, where known, by those that its weights came from.
        started_from: the weights that the run began with, e.g. ``"gaussian-fast 0123456789ab"``; "" for none.
        scale_head: how the scale head was trained, which was added to finished weights: the same facts as above by
            name, and the ``sha256`` of those weights; empty without a head.
        intervals: :meth:`undegrade.weights.intervals.Intervals.to_dict`; empty where they were not measured.
        sha256: of the safetensors file, filled in by :func:`save_weights`.
        dtype: of the stored tensors, filled in by :func:`save_weights`.
    """

    task: str
    variant: str
    architecture: Mapping[str, Any]
    data: Mapping[str, Any]
    licence: str
    steps: int
    minutes: float
    hardware: str
    commit: str
    recipe: Mapping[str, Any]
    measured: Mapping[str, Any]
    notes: str = ""
    pixels: int = 0
    started_from: str = ""
    scale_head: Mapping[str, Any] = field(default_factory=dict)
    intervals: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    dtype: str = ""

    @property
    def name(self) -> str:
        """E.g. ``"gaussian-fast"``; also the shipped files' stem."""
        return f"{self.task}-{self.variant}"

    @property
    def pixels_seen(self) -> int:
        """:attr:`pixels`; of cards without, steps times batch of the last run, so fewer than there were."""
        return self.pixels or self.steps * self.recipe.get("batch", 0) * self.recipe.get("patch", 0) ** 2

    @property
    def restorer_sha256(self) -> str:
        """Of the weights without a scale head. They restore alike: a result of either is a result of both."""
        return str(self.scale_head.get("sha256", self.sha256))

    def to_json(self) -> str:
        """The card's file, a line for each value or list of numbers. What a model does not have is left out."""
        values = dataclasses.asdict(self)
        kept = {k: v for k, v in values.items() if v or k not in ("scale_head", "intervals")}
        return json_text(kept)

    @classmethod
    def from_json(cls, content: str | bytes) -> Card:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: not JSON, or a field is missing, unknown or wrong. Cards written before a field existed may lack
                it.
        """
        values = parse_json(content)
        check_fields(values, _FIELDS, _NEWER)
        for key, check in _NUMBERS_OF_RECIPE.items():
            value = values["recipe"].get(key)
            if value is not None and (wanted := check(value)) is not None:
                raise ValueError(f"its recipe's {key} is {shown(value)} instead of {wanted}")
        try:
            Intervals.from_dict(values.get("intervals", {}))
        except ValueError as error:
            raise ValueError(f"its intervals cannot be used: {error}") from error
        return cls(**values)


def save_weights(model: VDIR, directory: Path, stem: str, card: Card) -> Path:
    """Write ``stem.safetensors`` and ``stem.json``, each whole or not at all.

    Args:
        model: its weights are stored in half precision, its architecture in the card.
        directory: created if necessary.
        stem: file name without suffix.
        card: describes the weights; architecture, sha256 and dtype are filled in here.

    Returns:
        The path of the safetensors file.

    Raises:
        UndegradeError: a weight is too large for half precision, or the file would exceed :data:`MAX_BYTES`.
    """
    content = packed(model)
    card = dataclasses.replace(
        card,
        architecture=model.architecture.to_dict(),
        sha256=hashlib.sha256(content).hexdigest(),
        dtype="float16",
    )
    return write_weights(content, directory, stem, card)


def write_weights(content: bytes, directory: Path, stem: str, card: Card) -> Path:
    """Write a safetensors file and its finished card; see :func:`save_weights`."""
    if len(content) > MAX_BYTES:
        size = f"{len(content) / 1e6:.1f} MB"
        raise UndegradeError(
            f"the weights take {size}, more than {MAX_BYTES / 1e6:.0f} MB; use a smaller architecture."
        )
    path = directory / f"{stem}.safetensors"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # If the process is killed between the two, the old card does not match the new file; loading reports this.
        with replacing(path) as file:
            file.write(content)
        with replacing(path.with_suffix(".json")) as file:
            file.write(card.to_json().encode())
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be written ({error.strerror}); check the folder and the free space."
        ) from error
    return path


class Weights(NamedTuple):
    """What a weights file and its card hold.

    Attributes:
        architecture: of the networks.
        tensors: float32, by name.
        card: see :class:`Card`.
    """

    architecture: Architecture
    tensors: Tensors
    card: Card


def read_weights(weights: Path | Traversable) -> Weights:
    """The weights of a file and the architecture that its card describes, as arrays.

    Args:
        weights: a safetensors file with its card in the same folder; see :func:`find_weights` for shipped weights.

    Raises:
        UndegradeError: there is no such file or no card, the two do not match, or this version of undegrade does not
            know the architecture.
    """
    card = read_card(weights)
    try:
        architecture = Architecture.from_dict(card.architecture)
    except (UndegradeError, TypeError, AttributeError) as error:
        raise UndegradeError(f"{weights}: its card cannot be used: {error}") from error
    try:
        content = content_of(weights, _MAX_READ)
    except FileNotFoundError as error:
        raise UndegradeError(f"{weights}: no such weights file; check the name.") from error
    except OSError as error:
        raise UndegradeError(
            f"{weights}: cannot be read ({error.strerror}); check the file and its permissions."
        ) from error
    # Hash and parse the same bytes: the file is read only once.
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise UndegradeError(
            f"{weights}: the file does not match its card (sha256 differs); copy or download both again."
        )
    return Weights(architecture, unpacked(weights, content), card)


def load_weights(weights: Path | Traversable) -> tuple[VDIR, Card]:
    """Build the model that the card of a weights file describes, in PyTorch, and load its weights.

    Args:
        weights: as for :func:`read_weights`.

    Returns:
        The model, float32 on the CPU, in evaluation mode, and its card.

    Raises:
        UndegradeError: see :func:`read_weights`; or the tensors are not those of the architecture.
    """
    found = read_weights(weights)
    try:
        return built(found), found.card
    except UndegradeError as error:
        raise UndegradeError(f"{weights}: {error}") from error


def built(weights: Weights) -> VDIR:
    """The networks in PyTorch, float32 on the CPU, in evaluation mode.

    Raises:
        UndegradeError: the tensors are not those of the architecture, or PyTorch is not installed.
    """
    needs_torch("this model")
    import torch

    from undegrade.model.vdir import VDIR

    model = VDIR(weights.architecture)
    expected = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    if {name: t.shape for name, t in weights.tensors.items()} != expected:
        raise UndegradeError(MISMATCH)
    model.load_state_dict({name: torch.from_numpy(t) for name, t in weights.tensors.items()})
    return model.eval().requires_grad_(False)


def shipped_cards() -> list[Card]:
    """The cards of the shipped weights, sorted by name.

    Raises:
        UndegradeError: one of them is damaged.
    """
    files = (f for f in _folder().iterdir() if f.name.endswith(".safetensors") and INT8 not in f.name)
    return [read_card(f) for f in sorted(files, key=lambda f: f.name)]


def find_weights(task: str, variants: Sequence[str]) -> Traversable:
    """The shipped weights of a task.

    Args:
        task: its name.
        variants: names of the task's variants, the best first; the first shipped one is used.

    Raises:
        UndegradeError: none of them is shipped; the message lists the shipped weights.
    """
    shipped = {card.name for card in shipped_cards()}
    for candidate in variants:
        if f"{task}-{candidate}" in shipped:
            return _folder() / f"{task}-{candidate}.safetensors"
    wanted = f"{task}-{variants[0]}" if len(variants) == 1 else task
    choice = f"use one of: {', '.join(sorted(shipped))}" if shipped else "this version ships no weights"
    raise UndegradeError(f"no weights for {wanted} are shipped; {choice}, or give your own weights file.")


def _folder() -> Traversable:
    return importlib.resources.files("undegrade") / "weights"


def beside(weights: Path | Traversable, name: str) -> Path | Traversable:
    """A file of this name in the folder of a weights file."""
    return weights.with_name(name) if isinstance(weights, Path) else _folder() / name


def content_of(path: Path | Traversable, most: int) -> bytes:
    """A file as it is; raises OSError."""
    return read_regular(path, most) if isinstance(path, Path) else path.read_bytes()


def read_card(weights: Path | Traversable) -> Card:
    """The card of a weights file.

    Raises:
        UndegradeError: there is none, or it is damaged.
    """
    path = beside(weights, f"{weights.name.removesuffix('.safetensors')}.json")
    try:
        return Card.from_json(content_of(path, MAX_JSON))
    except FileNotFoundError as error:
        if not weights.is_file():
            raise UndegradeError(f"{weights}: no such weights file; check the name.") from error
        raise UndegradeError(f"{weights}: its card {path.name} is missing; put both in one folder.") from error
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be read ({error.strerror}); check the file and its permissions."
        ) from error
    except ValueError as error:
        raise UndegradeError(
            f"{path}: not a card of undegrade weights ({error}); copy or download it again."
        ) from error
