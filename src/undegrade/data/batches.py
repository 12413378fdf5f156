"""Where a training batch of (x, y, f(T)) comes from: clean images degraded here, pairs of photographs, or a mixture.

A source draws from the generator that it is given and from nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from undegrade.data.clean import Crops
from undegrade.data.training_images import TrainingImages, turn_grey
from undegrade.degrade import Degradation
from undegrade.degrade.base import at_each_place
from undegrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Sample(NamedTuple):
    """A batch: x, (B, C, H scale, W scale); y, (B, C, H, W); f(T), (B, P). All float32."""

    x: Tensor
    y: Tensor
    params: Tensor


class Source(ABC):
    """Where batches come from."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the batches are made, and trained on."""

    def misses(self, estimate: Tensor, params: Tensor) -> Tensor:
        """How far off estimates of f(T) are, see :meth:`undegrade.degrade.base.Quantity.misses`."""
        return at_each_place(estimate, params)

    @abstractmethod
    def draw(self, batch: int, patch: int, generator: torch.Generator) -> Sample:
        """Draw a batch.

        Args:
            batch: B.
            patch: H and W of y.
            generator: on :attr:`device`.

        Raises:
            UndegradeError: no image is large enough.
        """


@dataclass(frozen=True)
class Synthetic(Source):
    """Crops of clean images, degraded.

    Attributes:
        images: the clean images.
        degradation: what their crops go through.
        grey: share of the crops that are turned grey first.
    """

    images: Crops
    degradation: Degradation
    grey: float = 0.0

    @property
    def device(self) -> torch.device:
        return self.images.device

    def misses(self, estimate: Tensor, params: Tensor) -> Tensor:
        return self.degradation.quantity.misses(estimate, params)

    def draw(self, batch: int, patch: int, generator: torch.Generator) -> Sample:
        x = self.images.crops(batch, patch * self.degradation.scale, generator)
        x = turn_grey(x, self.grey, generator)
        if (made_of := self.degradation.crops(batch)) != list(range(batch)):
            x = x[made_of]
        return Sample(x, *self.degradation(x, generator))


@dataclass(frozen=True)
class Photographs(Source):
    """Crops of noisy photographs and of the clean ones of the same scenes, at the same places.

    Attributes:
        pairs: images of twice the channels: those of x, then those of y.
        params: P. What a camera did is not known: f(T) is 0, and not to be learned (lambda_2 = 0).
    """

    pairs: TrainingImages
    params: int

    @property
    def device(self) -> torch.device:
        return self.pairs.pixels.device

    def draw(self, batch: int, patch: int, generator: torch.Generator) -> Sample:
        x, y = self.pairs.crops(batch, patch, generator).chunk(2, dim=1)
        return Sample(x, y, x.new_zeros(batch, self.params))


@dataclass(frozen=True)
class MixedBatches(Source):
    """Two sources on one device; of every batch ``share``, rounded to whole images, is the second's.

    Attributes:
        first, second: what is mixed, of equal channels and f(T).
        share: 0 to 1.
    """

    first: Source
    second: Source
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {self.share}")
        if self.first.device != self.second.device:
            raise ValueError(f"the sources are on {self.first.device} and {self.second.device}, not on one device")

    @property
    def device(self) -> torch.device:
        return self.first.device

    def misses(self, estimate: Tensor, params: Tensor) -> Tensor:
        return self.first.misses(estimate, params)

    def draw(self, batch: int, patch: int, generator: torch.Generator) -> Sample:
        count = round(self.share * batch)
        parts = [(self.first, batch - count), (self.second, count)]
        samples = [source.draw(n, patch, generator) for source, n in parts if n]
        return Sample(*(torch.cat(part) for part in zip(*samples, strict=True)))
