"""Encodes images to latents, and decodes latents to images and estimates."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.degrade.severity import Severity
from undegrade.inference.pipeline import Pipeline
from undegrade.model.posterior import Posterior

_BATCH = 16


def encode(pipeline: Pipeline, y: Tensor) -> Posterior:
    """q(c|y) of many small images, in batches: (N, C, h, w) -> (N, 4, h / 4, w / 4), on the CPU."""
    parts = []
    for batch in y.split(_BATCH):
        parts.append(pipeline.engine.encode(batch.numpy()))
    mean, logvar = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Posterior(torch.from_numpy(mean), torch.from_numpy(logvar))


def pooled(c: Tensor) -> NDArray[np.float64]:
    """AvgPool(c), the global abstract of section VIII-A: (N, 4, h, w) -> (N, 4)."""
    averages: NDArray[np.float64] = c.double().mean((2, 3)).numpy()
    return averages


def restored(pipeline: Pipeline, y: Tensor, c: Tensor) -> Tensor:
    """f(y, c) with any latent c: (B, C, h, w) and (B, 4, h / 4, w / 4) -> (B, C, H, W), on the CPU."""
    return torch.from_numpy(pipeline.engine.restore(y.numpy(), pipeline.engine.pooled(c.numpy())))


def reading(pipeline: Pipeline, axis: Severity, c: Tensor) -> float | None:
    """EST(c) of an image, in the axis' unit: the median over positions; for a kernel the mean, as in the pipeline.

    Args:
        pipeline: of any task.
        axis: of the degradation.
        c: (1, 4, h, w).

    Returns:
        None if the task's estimator was not trained.
    """
    if pipeline.quantity is None:
        return None
    middle = np.median if pipeline.quantity.size == 1 else np.mean
    learned = middle(pipeline.engine.estimate(c.numpy())[0], axis=(1, 2))
    return float(axis.read(pipeline.quantity.decode(learned)))
