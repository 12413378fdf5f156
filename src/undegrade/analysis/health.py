"""Is the latent collapsed, and does the restoration use it?

KL of a channel    mean of D_KL(q(c|y) || N(0, 1)) over images, positions and levels; active above 0.01 nats
spread             standard deviation of the posterior mean over images, positions and levels
posterior std      mean standard deviation of q(c|y); 1 if the channel equals the prior

PSNR of the restoration with

own                its own latent
flat               the spatial average of its own latent: keeps the level of degradation, removes local information
another's          the latent of the next image with the same level of degradation
zero               the prior mean
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.analysis.latents import encode, restored
from undegrade.analysis.samples import image_files, read, stacked_centres
from undegrade.analysis.severity import severity
from undegrade.degrade.severity import Severity
from undegrade.errors import UndegradeError
from undegrade.evaluation.markdown import number, table
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import psnr, to_8bit
from undegrade.model.objective import ACTIVE, channel_kl, collapse_warning
from undegrade.model.posterior import Posterior

LATENTS = ("own", "flat", "another's", "zero")
CROP = 192
"""Largest side of the crops that are used."""
_IGNORED = 0.01
"""If the loss of PSNR without the latent is below this, in dB, the restorer ignores its latent."""


@dataclass(frozen=True)
class Channel:
    """One channel of the latent; see the module docstring.

    Attributes:
        kl: nats per element.
        spread, posterior_std: in units of the prior's standard deviation.
        active: whether ``kl`` exceeds :data:`undegrade.model.objective.ACTIVE`.
    """

    kl: float
    spread: float
    posterior_std: float
    active: bool


@dataclass(frozen=True)
class Health:
    """The result of :func:`examine`.

    Attributes:
        name: of the weights.
        images: number of images.
        channels: of the latent, in order.
        psnr: level of degradation -> latent (see :data:`LATENTS`) -> mean PSNR in dB.
    """

    name: str
    images: int
    channels: tuple[Channel, ...]
    psnr: Mapping[str, Mapping[str, float]]

    @property
    def active(self) -> int:
        """Number of active channels."""
        return sum(channel.active for channel in self.channels)

    @property
    def drop(self) -> float:
        """Loss of PSNR without the latent (zero), in dB, at the level where it is largest."""
        return max(row["own"] - row["zero"] for row in self.psnr.values())

    @property
    def verdict(self) -> str:
        """One sentence on collapse and use of the latent."""
        collapse = collapse_warning([channel.kl for channel in self.channels])
        if collapse is not None:
            return collapse[0].upper() + collapse[1:]
        if self.drop < _IGNORED:
            return f"The restorer ignores its latent: without it, PSNR drops by at most {self.drop:.3f} dB."
        return (
            f"No collapse: {self.active} of {len(self.channels)} latent channels are active, and without the latent "
            f"PSNR drops by up to {self.drop:.1f} dB."
        )

    def to_record(self) -> dict[str, Any]:
        """Values that can be written as JSON."""
        channels = [asdict(channel) for channel in self.channels]
        totals = {"active_units": self.active, "drop": self.drop, "verdict": self.verdict}
        return asdict(self) | {"channels": channels} | totals

    def report(self) -> str:
        """Two Markdown tables and the verdict."""
        channels = [
            [str(i), number(c.kl, 3), number(c.spread, 3), number(c.posterior_std, 3), "yes" if c.active else "no"]
            for i, c in enumerate(self.channels)
        ]
        effect = [[level, *(number(row[latent], 2) for latent in LATENTS)] for level, row in self.psnr.items()]
        return "\n".join(
            (
                f"{self.name}, {self.images} images\n",
                table(["channel", "KL (nats)", "spread", "posterior std", "active"], channels),
                "PSNR (dB) with this latent:\n",
                table(["degradation", *LATENTS], effect),
                self.verdict,
            )
        )


def channels_of(posterior: Posterior) -> tuple[Channel, ...]:
    """Statistics of each channel from the posteriors of many images, (N, 4, h, w)."""
    kl = channel_kl(posterior).tolist()
    spread = posterior.mean.double().std((0, 2, 3), correction=0).tolist()
    std = (0.5 * posterior.logvar).exp().mean((0, 2, 3)).tolist()
    return tuple(Channel(k, s, p, k > ACTIVE) for k, s, p in zip(kl, spread, std, strict=True))


def examine(pipeline: Pipeline, folder: Path, limit: int | None = None) -> Health:
    """Analyse the latent on clean images with mild, medium and strong degradation.

    Args:
        pipeline: of any task.
        folder: clean images; their central crops are used.
        limit: largest number of images.

    Raises:
        UndegradeError: the folder has fewer than two usable images.
    """
    axis = severity(pipeline.task.degradation)
    images = [read(file, pipeline.architecture.channels) for file in image_files(folder, limit)]
    if len(images) < 2:
        raise UndegradeError("the analysis of health needs at least 2 images; give a folder with more images.")
    x = stacked_centres(images, CROP * pipeline.architecture.scale, 4 * pipeline.architecture.scale)
    posteriors, rows = [], {}
    for level in (axis.mild, axis.own, axis.strong):
        posterior, row = _at(pipeline, axis, level, x)
        posteriors.append(posterior)
        rows[axis.label(level)] = row
    together = Posterior(torch.cat([p.mean for p in posteriors]), torch.cat([p.logvar for p in posteriors]))
    name = f"{pipeline.task.name} (unnamed weights)" if pipeline.card is None else pipeline.card.name
    return Health(name, len(images), channels_of(together), rows)


def _at(pipeline: Pipeline, axis: Severity, level: float, x: Tensor) -> tuple[Posterior, dict[str, float]]:
    y, _ = axis.at(level)(x, torch.Generator().manual_seed(0))
    posterior = encode(pipeline, y)
    c = posterior.mean
    latents = (c, c.mean((2, 3), keepdim=True).expand_as(c), c.roll(1, 0), torch.zeros_like(c))
    return posterior, {n: _score(pipeline, x, y, latent) for n, latent in zip(LATENTS, latents, strict=True)}


def _score(pipeline: Pipeline, x: Tensor, y: Tensor, c: Tensor) -> float:
    """Mean PSNR over the images; results are rounded to 8 bits."""
    scores: Sequence[float] = [
        psnr(_pixels(truth), _pixels(restored(pipeline, y[i : i + 1], c[i : i + 1])[0])) for i, truth in enumerate(x)
    ]
    return float(np.mean(scores))


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    return to_8bit(image.permute(1, 2, 0).numpy())
