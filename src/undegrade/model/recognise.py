"""Which architecture some weights are of, by the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import torch

from undegrade.model.architecture import MAX_PARAMS, Architecture, Conditioning
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR

Shapes = Mapping[str, Sequence[int]]

_FIRST, _ESTIMATE = "encoder.conv1.weight", "estimator.conv2.weight"
"""Their second and first sizes are the channels of an image and the numbers of f(T)."""
_HEAD = "scale.conv.weight"


def architecture_of(shapes: Shapes) -> Architecture | None:
    """The architecture whose tensors have these shapes; None if there is none.

    :attr:`Architecture.bounds` are no shapes: None comes out, which changes estimates, and restorations of models that
    are conditioned on an estimate. Nor is :attr:`Architecture.pooling`, which comes out as 0.

    Args:
        shapes: of all tensors of a model, by name: encoder, restorer, decoder, estimator and perhaps a scale head.
    """
    wanted = {name: tuple(shape) for name, shape in shapes.items()}
    return next((a for a in _candidates(wanted) if _shapes(a) == wanted), None)


def _candidates(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Architecture]:
    first, last = shapes.get(_FIRST, ()), shapes.get(_ESTIMATE, ())
    if len(first) != 4 or len(last) != 4 or first[1] not in (1, 3) or not 1 <= last[0] <= MAX_PARAMS:
        return
    for restorer in RESTORERS.values():
        for scale in restorer.scales:
            # The latent comes first: an estimate of four numbers has its shapes.
            for conditioning in Conditioning:
                yield Architecture(first[1], last[0], scale, restorer.name, conditioning, scale_head=_HEAD in shapes)


@cache
def _shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):  # shapes without values
        model = VDIR(architecture)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
