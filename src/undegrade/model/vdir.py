"""VDIR: the encoder infers the latent c ~ q(c|y), the restorer acts on it (paper Fig. 3).

Decoder and estimator belong to the model as well: they shape c while training, and the estimator lets a user
read off the damage afterwards. Only the encoder and the restorer are needed to restore.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor, nn

from undegrade.errors import UndegradeError
from undegrade.model import (
    LATENT_CHANNELS,
    LATENT_STRIDE,
    Decoder,
    Encoder,
    Estimator,
    FastRestorer,
    FFDNet,
    Posterior,
    Restorer,
)


class Kind(enum.StrEnum):
    """Which restorer: the paper's, the ten times cheaper one, or FFDNet's chain (Table XI).

    Each also alone, deaf to the latent: the naive blind model of eq. (5), which Tables VIII to XI compare with; and as
    the second stage of the two-stage model of eqs. (6)-(7), told not the latent but the estimate EST(c) at each place.
    """

    FULL = "full"
    FAST = "fast"
    FFDNET = "ffdnet"
    FULL_ALONE = "full-alone"
    FAST_ALONE = "fast-alone"
    FFDNET_ALONE = "ffdnet-alone"
    FULL_TWO_STAGE = "full-two-stage"
    FAST_TWO_STAGE = "fast-two-stage"
    FFDNET_TWO_STAGE = "ffdnet-two-stage"

    @property
    def alone(self) -> Kind:
        """The same restorer told nothing."""
        return Kind(f"{self._restorer}-alone")

    @property
    def two_stage(self) -> Kind:
        """The same restorer told the estimate."""
        return Kind(f"{self._restorer}-two-stage")

    @property
    def _restorer(self) -> str:
        return self.value.removesuffix("-alone").removesuffix("-two-stage")


_POINT = -40.0
"""log sigma^2 of a posterior that is a point: finite, so that its KL is a number."""


@dataclass(frozen=True)
class Architecture:
    """Everything needed to build the networks; travels with the weights.

    Attributes:
        channels: 3 for RGB, 1 for luma.
        params: how many numbers f(T) has, so how many the estimator predicts.
        scale: output pixels per input pixel along each side: 1, 2 or 4.
        kind: which restorer.
    """

    channels: int = 3
    params: int = 1
    scale: int = 1
    kind: Kind = Kind.FULL

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or self.scale not in (1, 2, 4) or self.params < 1:
            raise ValueError(f"channels must be 1 or 3, scale 1, 2 or 4, params positive: {self}")
        if self.scale != 1 and self.kind.alone == Kind.FFDNET_ALONE:
            raise ValueError(f"the {self.kind} restorer works at scale 1 only, got scale {self.scale}")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, the inverse of :meth:`from_dict`."""
        return {**asdict(self), "kind": str(self.kind)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Rebuild from :meth:`to_dict`; every field must be there, since defaults may change.

        Raises:
            UndegradeError: fields are missing, unknown or impossible.
        """
        if set(values) != {f.name for f in fields(cls)}:
            raise UndegradeError(
                f"this version of undegrade does not know the architecture {dict(values)}; update undegrade."
            )
        try:
            return cls(**{**values, "kind": Kind(values["kind"])})
        except ValueError as error:
            raise UndegradeError(
                f"this version of undegrade cannot build the architecture {dict(values)}: {error}."
            ) from error

    @property
    def two_stage(self) -> bool:
        """Whether the restorer is told the estimate instead of the latent."""
        return self.kind == self.kind.two_stage

    @property
    def told(self) -> int:
        """How many numbers the restorer is told at each place, besides the image."""
        if self.kind == self.kind.alone:
            return 0
        return self.params if self.two_stage else LATENT_CHANNELS


def _build_restorer(a: Architecture) -> Restorer | FastRestorer | FFDNet:
    match a.kind.alone:
        case Kind.FULL_ALONE:
            return Restorer(a.channels, a.scale, a.told)
        case Kind.FAST_ALONE:
            return FastRestorer(a.channels, a.scale, a.told)
        case _:
            return FFDNet(a.channels, a.told)


class VDIR(nn.Module):
    """Encoder, restorer, decoder and estimator of one architecture, freshly initialised.

    Images are float32, nominally in [0, 1], (B, C, H, W), any H and W from 1 up.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = Encoder(architecture.channels)
        self.restorer = _build_restorer(architecture)
        self.decoder = Decoder(architecture.channels)
        self.estimator = Estimator(architecture.params)

    @property
    def reach(self) -> int:
        """Input pixels of context that an output pixel can depend on, rounded up to a multiple of 4.

        Tiles that start on multiples of 4 and carry this much halo restore exactly as the whole image does.
        """
        estimator = self.estimator.reach if self.architecture.two_stage else 0
        return -(-(self.encoder.reach + estimator + self.restorer.reach) // LATENT_STRIDE) * LATENT_STRIDE

    def encode(self, y: Tensor) -> Posterior:
        """q(c|y): (B, C, H, W) -> Posterior of (B, 4, ceil(H / 4), ceil(W / 4)). A two-stage model's is a point."""
        posterior: Posterior = self.encoder(y)
        if self.architecture.two_stage:
            return Posterior(posterior.mean, torch.full_like(posterior.logvar, _POINT))
        return posterior

    def tell(self, c: Tensor) -> Tensor:
        """What the restorer is told of a latent: the latent itself, or by a two-stage model EST(c)."""
        return self.estimate(c) if self.architecture.two_stage else c

    def restore(self, y: Tensor, c: Tensor) -> Tensor:
        """xhat = f(y, c) (eq. 14): (B, C, H, W) and the latent -> (B, C, H scale, W scale)."""
        xhat: Tensor = self.restorer(y, self.tell(c))
        return xhat

    def decode(self, c: Tensor, size: tuple[int, int]) -> Tensor:
        """yhat of eq. (18): the latent -> (B, C, *size), with size (H, W) that of the y it came from."""
        yhat: Tensor = self.decoder(c)
        return yhat[..., : size[0], : size[1]]

    def estimate(self, c: Tensor) -> Tensor:
        """EST(c) of eq. (18): the latent -> (B, P, ceil(H / 4), ceil(W / 4))."""
        params: Tensor = self.estimator(c)
        return params

    def forward(
        self,
        y: Tensor,
        latent: Literal["mean", "sample"] | Tensor = "mean",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Restore y.

        Args:
            y: (B, C, H, W).
            latent: the posterior's mean, one seeded sample of it, or a latent of the caller's,
                (B, 4, ceil(H / 4), ceil(W / 4)).
            generator: for ``"sample"``, required, on y's device.

        Returns:
            xhat, (B, C, H scale, W scale), not clipped.
        """
        if isinstance(latent, Tensor):
            return self.restore(y, latent)
        posterior = self.encode(y)
        if latent == "mean":
            return self.restore(y, posterior.mean)
        if generator is None:
            raise ValueError('latent="sample" needs a generator: sampling is always seeded')
        return self.restore(y, posterior.sample(generator))
