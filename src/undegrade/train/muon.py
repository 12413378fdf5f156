"""Muon: momentum whose steps turn every direction of a convolution by the same amount.

    m <- mu m + g;     o = UV^T of the SVD  g + mu m = U S V^T;     w <- w - lr 0.2 sqrt(max(rows, columns)) o

K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the step's scale of J. Liu et
al., "Muon is scalable for LLM training" (2025), which makes one learning rate serve Muon and Adam alike. A convolution
counts as the matrix (outputs, inputs x 9). ``torch.optim.Muon`` takes matrices only and always multiplies in bfloat16,
which a CPU without such instructions does fifteen times slower than float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from undegrade.train.cpu import multiplies_bfloat16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's quintic, which brings singular values from (0, 1] to about 0.6 to 1.2 in five iterations."""


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions; the first is the matrix's rows.

    Args:
        params: weights.
        lr: learning rate, of the size that suits Adam.
        momentum: mu.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update of every weight that has a gradient; ``closure`` is not supported."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p].setdefault("momentum", torch.zeros_like(p))
                    by_shape.setdefault((p.shape[0], p[0].numel()), []).append(p)
            for (rows, columns), weights in by_shape.items():
                grads = [p.grad for p in weights if p.grad is not None]
                moments = [self.state[p]["momentum"] for p in weights]
                torch._foreach_mul_(moments, group["momentum"])
                torch._foreach_add_(moments, grads)
                ahead = torch._foreach_add(grads, moments, alpha=group["momentum"])
                turned = orthogonalised(torch.stack([a.flatten(1) for a in ahead]))
                rate = group["lr"] * 0.2 * max(rows, columns) ** 0.5
                for weight, update in zip(weights, turned, strict=True):
                    weight.sub_(update.view(weight.shape), alpha=rate)


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Nearly U V^T of every matrix U S V^T: (N, R, C) -> the same, in float32.

    Multiplied in bfloat16 where that is quick, as Jordan does: it changes an update by a hundredth.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-12)  # Frobenius: no singular value above 1
    if x.is_cuda or multiplies_bfloat16():
        x = x.bfloat16()
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).float()
