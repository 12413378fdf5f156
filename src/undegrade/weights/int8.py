"""The int8 form of a model: a safetensors file and its card beside the weights that it was made of.

``gaussian-fast-int8.safetensors`` belongs to ``gaussian-fast.safetensors``: it holds encoder and restorer, fine-tuned
for int8 (:mod:`undegrade.model.int8`), and the estimator stays that of the weights. Its card names the weights: where
these have changed since, it does not serve.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from undegrade.errors import UndegradeError
from undegrade.reading import shown
from undegrade.weights.card import INT8, MAX_BYTES, Card, beside, content_of, read_card, write_weights

Int8Tensors = Mapping[str, npt.NDArray[Any]]
"""float32, int8 and int32 arrays by name."""

_KINDS = ("float16", "float32", "int8", "int32")


class Int8Weights(NamedTuple):
    """What an int8 file and its card hold.

    Attributes:
        tensors: by name; those stored as float16 are float32.
        card: of the file.
    """

    tensors: Int8Tensors
    card: Card


def origin(card: Card) -> str:
    """How the card of an int8 file names the weights that it was made of: ``"gaussian-fast 0123456789ab"``."""
    return f"{card.name} {card.restorer_sha256[:12]}"


def save_int8(tensors: Int8Tensors, directory: Path, card: Card) -> Path:
    """Write ``NAME-int8.safetensors`` and its card, each whole or not at all.

    Args:
        tensors: :func:`undegrade.model.int8_tensors.stored`.
        directory: created if necessary.
        card: describes them, but for sha256 and dtype.

    Returns:
        The path of the safetensors file.

    Raises:
        UndegradeError: a number is not finite, the file would be too large, or it cannot be written.
    """
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise UndegradeError(f"the weights {name} are not finite; train again from an earlier state.")
    content = safetensors.numpy.save(dict(tensors))
    card = dataclasses.replace(card, sha256=hashlib.sha256(content).hexdigest(), dtype="int8")
    return write_weights(content, directory, f"{card.name}{INT8}", card)


def read_int8(weights: Path | Traversable, card: Card) -> Int8Weights:
    """The int8 form of weights.

    Args:
        weights: their file.
        card: of that file.

    Raises:
        UndegradeError: there is none, or it was made of other weights, or it cannot be read.
    """
    return read_int8_file(beside(weights, f"{weights.name.removesuffix('.safetensors')}{INT8}.safetensors"), card)


def read_int8_file(path: Path | Traversable, card: Card) -> Int8Weights:
    """The same of a file that may lie elsewhere."""
    try:
        content = content_of(path, 2 * MAX_BYTES)
    except FileNotFoundError as error:
        raise UndegradeError(
            f"{card.name} has no int8 form here ({path.name}); leave out --draft, or run undegrade train --int8."
        ) from error
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be read ({error.strerror}); check the file and its permissions."
        ) from error
    own = read_card(path)
    if own.started_from != origin(card) or own.name != card.name:
        raise UndegradeError(
            f"{path}: made of other weights ({own.started_from or 'not stated'}) than {origin(card)}; leave out "
            "--draft, or make it anew with undegrade train --int8."
        )
    if hashlib.sha256(content).hexdigest() != own.sha256:
        raise UndegradeError(f"{path}: the file does not match its card (sha256 differs); copy both again.")
    return Int8Weights(_unpacked(path, content), own)


def _unpacked(path: Path | Traversable, content: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        tensors = safetensors.numpy.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UndegradeError(f"{path}: not a safetensors file ({error}); copy it again.") from error
    for name, tensor in tensors.items():
        if str(tensor.dtype) not in _KINDS or not np.isfinite(tensor).all():
            raise UndegradeError(f"{path}: the tensor {shown(name)} holds no numbers that serve; copy it again.")
        if name.endswith("scale") and not (tensor > 0).all():
            raise UndegradeError(f"{path}: the scale {shown(name)} is not above 0; copy the file again.")
    return {n: t.astype(np.float32) if t.dtype == np.float16 else t for n, t in tensors.items()}
