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
                    if "momentum" not in self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                    by_shape.setdefault((p.shape[0], p[0].numel()), []).append(p)
            for (rows, columns), weights in by_shape.items():
                grads = [p.grad for p in weights if p.grad is not None]
                moments = [self.state[p]["momentum"] for p in weights]
                torch._foreach_mul_(moments, group["momentum"])
                torch._foreach_add_(moments, grads)
                ahead = torch._foreach_add(grads, moments, alpha=group["momentum"])
                turned = orthogonalised(torch.stack([_matrix(a) for a in ahead]))
                rate = group["lr"] * 0.2 * max(rows, columns) ** 0.5
                for weight, update in zip(weights, turned, strict=True):
                    weight.sub_(_as_weight(update, weight.shape), alpha=rate)


def _matrix(weight: Tensor) -> Tensor:
    """(rows, columns): of a convolution in the order in which channels_last holds it; any order does."""
    return (weight.permute(0, 2, 3, 1) if weight.ndim == 4 else weight).reshape(weight.shape[0], -1)


def _as_weight(matrix: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of :func:`_matrix`."""
    if len(shape) != 4:
        return matrix.view(shape)
    return matrix.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Nearly U V^T of every matrix U S V^T: (N, R, C) -> the same, in float32.

    Every iteration multiplies by a polynomial of X X^T from the left, so the iterations are done on the small X X^T
    alone, and their product is applied at the end: two products with X instead of ten.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-12)  # Frobenius: no singular value above 1
    gram, product = x @ x.mT, None
    for iteration in range(iterations):
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal(dim1=1, dim2=2).add_(a)
        product = polynomial if product is None else polynomial @ product
        if iteration < iterations - 1:
            gram = polynomial @ polynomial @ gram
    assert product is not None
    turned: Tensor = product @ x
    return turned.mT if tall else turned
