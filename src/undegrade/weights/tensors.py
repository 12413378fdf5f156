"""The tensors of a weights file: half-precision safetensors, written from a model and read as float32 arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from undegrade.errors import UndegradeError
from undegrade.reading import shown

if TYPE_CHECKING:
    from undegrade.model.vdir import VDIR

Tensors = dict[str, npt.NDArray[np.float32]]


def packed(model: VDIR) -> bytes:
    """The weights of a model in half precision.

    Raises:
        UndegradeError: one is too large for half precision.
    """
    tensors = {key: np.ascontiguousarray(t.detach().half().cpu().numpy()) for key, t in model.state_dict().items()}
    for key, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise UndegradeError(
                f"the weights {key} are not finite in half precision; train again from an earlier state."
            )
    return safetensors.numpy.save(tensors)


def unpacked(weights: Path | Traversable, content: bytes) -> Tensors:
    """The tensors of a weights file by name, float32.

    Args:
        weights: the file, for messages.
        content: of the file.

    Raises:
        UndegradeError: it is no safetensors file, or a tensor does not hold finite floats.
    """
    try:
        tensors = safetensors.numpy.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UndegradeError(f"{weights}: not a safetensors file ({error}); copy or download it again.") from error
    _check_numbers(weights, tensors)
    return {name: t.astype(np.float32) for name, t in tensors.items()}


def _check_numbers(weights: Path | Traversable, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    for tensor_name, tensor in tensors.items():
        if not np.issubdtype(tensor.dtype, np.floating):
            raise UndegradeError(
                f"{weights}: the tensor {shown(tensor_name)} holds {tensor.dtype} numbers instead of floats; convert "
                "the weights to float16."
            )
        if not np.isfinite(tensor).all():
            raise UndegradeError(
                f"{weights}: the tensor {shown(tensor_name)} holds NaN or infinity; copy or download the file "
                "again, or train again."
            )
