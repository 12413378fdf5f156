"""What a step computes before its losses: the networks' outputs, for each kind of step."""

from __future__ import annotations

import torch
from torch import Tensor

from undegrade.model.objective import Followed
from undegrade.model.vdir import VDIR


class Passes:
    """Forward passes of a model through the parts that learn.

    Args:
        model: its weights are read anew at every pass.
        compile_mode: a mode of torch.compile, or None for eager.
    """

    def __init__(self, model: VDIR, compile_mode: str | None = None) -> None:
        self.model = model
        if compile_mode:
            for name in ("joint", "latent", "restorer", "two_stage", "scale", "int8"):
                setattr(self, name, torch.compile(getattr(self, name), mode=compile_mode))

    def joint(self, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Mean and log variance of q(c|y), and xhat, yhat and EST(c) at c = mu + sigma noise."""
        posterior = self.model.encode(y)
        c = posterior.at(noise)
        size = (y.shape[-2], y.shape[-1])
        xhat = self.model.restore(y, self.model.pooled(posterior).at(noise))
        return (*posterior, xhat, self.model.decode(c, size), self.model.estimate(c))

    def latent(self, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same without xhat."""
        posterior = self.model.encode(y)
        c = posterior.at(noise)
        return (*posterior, self.model.decode(c, (y.shape[-2], y.shape[-1])), self.model.estimate(c))

    def restorer(self, y: Tensor, noise: Tensor) -> Tensor:
        """xhat on a latent that does not learn."""
        with torch.no_grad():
            c = self.model.pooled(self.model.encode(y)).at(noise)
        return self.model.restore(y, c)

    def scale(self, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """xhat, which does not learn, and the scale b of its errors."""
        restorer, head = self.model.restorer, self.model.scale
        assert head is not None  # kind_at()
        with torch.no_grad():
            c = self.model.pooled(self.model.encode(y)).at(noise)
            h = restorer.features(y, self.model.condition(c))
            xhat = restorer.image(y, h)
        b: Tensor = head(h, (xhat.shape[-2], xhat.shape[-1]))
        return xhat, b

    def int8(self, y: Tensor, teacher: VDIR) -> tuple[Followed, Followed]:
        """What the rounded model and the one that it follows make of y, at the mean of q(c|y)."""

        def made(model: VDIR) -> Followed:
            posterior = model.encode(y)
            xhat = model.restore(y, model.pooled(posterior).mean)
            return Followed(xhat, model.estimate(posterior.mean), posterior.logvar)

        with torch.no_grad():
            wanted = made(teacher)
        return made(self.model), wanted

    def two_stage(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """xhat and the estimate of a two-stage model."""
        estimate = self.model.estimate(self.model.encode(y).mean)
        # Without its gradient: the estimator learns f(T) only, not what would help the restorer.
        return self.model.restorer(y, estimate.detach()), estimate
