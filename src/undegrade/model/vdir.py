"""VDIR: the encoder infers the latent c ~ q(c|y), the restorer acts on it (paper Fig. 3).

Decoder and estimator belong to the model as well: they shape c while training, and the estimator reads the
degradation from c. Only the encoder and the restorer are needed to restore. A scale head, where there is one, says how
far off the restoration may be.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.autoencoder import Decoder, Encoder, Estimator
from undegrade.model.latent import LATENT_STRIDE
from undegrade.model.part import Part
from undegrade.model.posterior import Posterior
from undegrade.model.restorers import RESTORERS
from undegrade.model.scale_head import ScaleHead

_POINT = -40.0
"""log sigma^2 of a posterior that is a point: finite, so that its KL is a number."""


class VDIR(nn.Module):
    """Encoder, restorer, decoder, estimator and perhaps a scale head of one architecture, freshly initialised.

    Images are float32, nominally in [0, 1], (B, C, H, W), any H and W from 1 up.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = Encoder(architecture.channels)
        a = architecture
        self.restorer = RESTORERS[a.restorer].build(a.channels, a.scale, a.cond_channels)
        self.decoder = Decoder(architecture.channels)
        self.estimator = Estimator(architecture.params, architecture.bounds)
        # The last one: without it the others start as they do with it.
        times = self.restorer.feature_stride * a.scale
        self.scale = ScaleHead(self.restorer.filters, times) if a.scale_head else None

    @property
    def _two_stage(self) -> bool:
        return self.architecture.conditioning is Conditioning.ESTIMATE

    @property
    def stride(self) -> int:
        """Tiles start on multiples of so many input pixels, which cut no place of any level."""
        return max(LATENT_STRIDE, self.restorer.stride)

    @property
    def reach(self) -> int:
        """Input pixels of context that an output pixel can depend on, rounded up to a multiple of :attr:`stride`.

        Tiles that start on multiples of the stride and carry this much halo restore exactly as the whole image does.
        """
        estimator = self.estimator.reach if self._two_stage else 0
        # Both count how far a pixel can lie from the edge of its cell; the smaller cell lies within the larger.
        twice = min(LATENT_STRIDE, self.restorer.stride) - 1
        return -(-(self.encoder.reach + estimator + self.restorer.reach - twice) // self.stride) * self.stride

    @property
    def reaches(self) -> tuple[int, int]:
        """The same for the two steps alone: what q(c|y) and EST(c) at a position, and what a tile that starts on
        multiples of the stride, given the latent of the whole image, depend on. The sum of the halos is larger than
        :attr:`reach`, but each is smaller."""
        estimator = self.estimator.reach if self._two_stage else 0
        # The centre of an element of the resized latent lies between those of the cells that it is read from; the
        # farther one ends so many pixels, and half a pixel at most, beyond that element.
        resized = LATENT_STRIDE + LATENT_STRIDE // 2 - 1 - self.restorer.feature_stride // 2
        cells = (self.restorer.cell_reach + resized) // LATENT_STRIDE * LATENT_STRIDE
        steps = (self.encoder.reach + self.estimator.reach, max(self.restorer.cell_reach, cells) + estimator)
        encode, restore = (-(-step // self.stride) * self.stride for step in steps)
        return encode, restore

    def encode(self, y: Tensor) -> Posterior:
        """q(c|y): (B, C, H, W) -> Posterior of (B, 4, ceil(H / 4), ceil(W / 4)). A two-stage model's is a point."""
        posterior: Posterior = self.encoder(y)
        if self._two_stage:
            return Posterior(posterior.mean, torch.full_like(posterior.logvar, _POINT))
        return posterior

    def pooled(self, posterior: Posterior) -> Posterior:
        """The posterior of which the restorer is told: its mean moved by the ``pooling`` towards that over the image.

            mu' = mu + pooling (mean over places of mu - mu)

        Most images are degraded alike everywhere. Where there is texture, noise is hard to see; flat places show it.
        """
        share = self.architecture.pooling
        if share == 0:
            return posterior
        return Posterior(posterior.mean.lerp(posterior.mean.mean((2, 3), keepdim=True), share), posterior.logvar)

    def condition(self, c: Tensor) -> Tensor:
        """What the restorer is given of a latent: the latent itself, or by a two-stage model EST(c)."""
        return self.estimate(c) if self._two_stage else c

    def restore(self, y: Tensor, c: Tensor, part: Part | None = None) -> Tensor:
        """xhat = f(y, c) (eq. 14): (B, C, H, W) and the latent -> (B, C, H scale, W scale).

        Args:
            y: image.
            c: latent, of :meth:`pooled`.
            part: of y, as for :meth:`RestorerModule.features_of`, of which xhat is computed. None for all of it.
        """
        if part is not None:
            return self.restorer.image(part.of(y), self.restorer.features_of(y, self.condition(c), part))
        xhat: Tensor = self.restorer(y, self.condition(c))
        return xhat

    def restore_with_scale(self, y: Tensor, c: Tensor, part: Part | None = None) -> tuple[Tensor, Tensor]:
        """xhat, the same to the last bit, and the scale b of its errors, (B, 1, H scale, W scale).

        Args:
            y, c, part: as for :meth:`restore`.

        Raises:
            ValueError: the model has no scale head.
        """
        if self.scale is None:
            raise ValueError("this model has no scale head")
        condition = self.condition(c)
        if part is None:
            h = self.restorer.features(y, condition)
        else:
            y, h = part.of(y), self.restorer.features_of(y, condition, part)
        xhat = self.restorer.image(y, h)
        b: Tensor = self.scale(h, (xhat.shape[-2], xhat.shape[-1]))
        return xhat, b

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
            latent: the mean of the pooled posterior, one seeded sample of it, or a latent of the caller's,
                (B, 4, ceil(H / 4), ceil(W / 4)).
            generator: for ``"sample"``, required, on y's device.

        Returns:
            xhat, (B, C, H scale, W scale), not clipped.
        """
        if isinstance(latent, Tensor):
            return self.restore(y, latent)
        posterior = self.pooled(self.encode(y))
        if latent == "mean":
            return self.restore(y, posterior.mean)
        if generator is None:
            raise ValueError('latent="sample" needs a generator: sampling is always seeded')
        return self.restore(y, posterior.sample(generator))
