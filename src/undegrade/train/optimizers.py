"""The optimizers of a model, and the step down a gradient."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn

from undegrade.model.vdir import VDIR
from undegrade.tasks.recipe import Recipe
from undegrade.train.muon import Muon


def adam(parameters: Iterable[nn.Parameter], beta1: float) -> torch.optim.Adam:
    """Adam whose rate is set at every step."""
    return torch.optim.Adam(parameters, lr=0.0, betas=(beta1, 0.999), fused=True)


def optimizers_of(model: VDIR, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """Adam for all, or Muon for the square convolutions of restorer and encoder, and Adam for the rest.

    Where there is a scale head it is Adam for that, and nothing for the rest.
    """
    if model.scale is not None:
        return {"adam": adam(model.scale.parameters(), beta1=0.9)}
    if not recipe.muon:
        return {"adam": adam(model.parameters(), beta1=0.9)}
    both = (*model.restorer.parameters(), *model.encoder.parameters())
    square = [p for p in both if p.ndim == 4 and p.shape[0] == p.shape[1]]
    turned = {id(p) for p in square}
    return {
        "adam": adam([p for p in model.parameters() if id(p) not in turned], beta1=0.9),
        "muon": Muon(square, lr=0.0),
    }


def average_gradients(parameters: list[nn.Parameter], processes: int) -> None:
    """Replace every gradient by its mean over the processes."""
    if processes == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    flat /= processes
    for grad, piece in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(piece.view_as(grad))
