"""A pipeline called as a function: every option is an argument, and the types say what comes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy.typing as npt

from undegrade.image import Picture
from undegrade.inference.arrays import Image
from undegrade.inference.options import Restoration, RestoreOptions

if TYPE_CHECKING:
    import PIL.Image
    import torch

Progress = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""
Array = TypeVar("Array", bound="npt.NDArray[Any] | torch.Tensor")


class Calls(ABC):
    """What can be called with an image and options."""

    @abstractmethod
    def run(self, image: Any, options: RestoreOptions, progress: Progress | None = None) -> Restoration[Any]:
        """Restore an image with all options in one object."""

    # fmt: off
    @overload
    def __call__(
        self, image: str | PathLike[str] | Picture, *, strength: float = ..., level: float | None = ...,
        samples: int = ..., seed: int = ..., self_ensemble: bool = ..., direct: bool = ..., tile: int | None = ...,
        memory: float | None = ..., white: float | None = ..., uncertainty: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration[Image]: ...
    @overload
    def __call__(
        self, image: PIL.Image.Image, *, strength: float = ..., level: float | None = ..., samples: int = ...,
        seed: int = ..., self_ensemble: bool = ..., direct: bool = ..., tile: int | None = ...,
        memory: float | None = ..., white: float | None = ..., uncertainty: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration[PIL.Image.Image]: ...
    @overload
    def __call__(
        self, image: Array, *, strength: float = ..., level: float | None = ..., samples: int = ..., seed: int = ...,
        self_ensemble: bool = ..., direct: bool = ..., tile: int | None = ..., memory: float | None = ...,
        white: float | None = ..., uncertainty: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration[Array]: ...
    # fmt: on
    def __call__(
        self,
        image: Any,
        *,
        strength: float = 1.0,
        level: float | None = None,
        samples: int = 0,
        seed: int = 0,
        self_ensemble: bool = False,
        direct: bool = False,
        tile: int | None = None,
        memory: float | None = None,
        white: float | None = None,
        uncertainty: bool = False,
        progress: Progress | None = None,
    ) -> Restoration[Any]:
        """Restore an image and estimate its degradation; the encoder runs once.

        Args:
            image: see the module; float values outside [0, 1] are kept, not clipped. Of a JPEG file, what its header
                says about the compression is used too (:mod:`undegrade.inference.jpeg_projection`).
            strength, level, samples, seed, self_ensemble, direct, tile, memory, white, uncertainty: see
                :class:`RestoreOptions`.
            progress: called after each tile with the fraction done, 0 to 1.

        Raises:
            UndegradeError: it is not an image, its file cannot be read, the model cannot restore it, or the options
                are invalid.
        """
        options = RestoreOptions(
            strength, level, samples, seed, self_ensemble, direct, tile, memory, white, uncertainty
        )
        return self.run(image, options, progress)
