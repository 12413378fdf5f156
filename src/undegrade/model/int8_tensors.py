"""The tensors of a rounded network as the int8 graphs are filled with them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from undegrade.model.int8 import (
    PACE,
    SHIFT,
    ChannelRounding,
    Int8Encoder,
    Int8ResBlock,
    Rounding,
    chain,
    int8,
    weight_levels,
)
from undegrade.model.vdir import VDIR


@torch.no_grad()
def stored(model: VDIR) -> dict[str, npt.NDArray[Any]]:
    """What the int8 graphs are filled with: levels of weights and biases, scales, and what stays in floats (float16).

    Args:
        model: of :func:`undegrade.model.int8.int8`, calibrated.

    Returns:
        The tensors of encoder and restorer by name. Beside a ``weight`` of int8 lie its ``weight_scale``, one for each
        output channel, and its ``bias`` of int32 in steps of the product of both scales.
    """
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, ChannelRounding):
            found[f"{name}.scale"] = module.scale.flatten()
            found[f"{name}.offset"] = -(module.level_of_zero * module.scale).flatten()
        elif isinstance(module, Rounding):
            found[f"{name}.scale"] = module.scale
        elif isinstance(module, Int8ResBlock):
            inner, between = module.inner.scale, module.between.scale
            found |= _levels(f"{name}.conv1", module.conv1, inner)
            found |= _levels(f"{name}.conv2", module.conv2, between, module.outer)
        elif isinstance(module, Int8Encoder):
            for n, (conv, scale) in enumerate(chain(module), 1):
                found |= _levels(f"{name}.conv{n}", conv, scale)
            first = found[f"{name}.conv1.weight"]
            found[f"{name}.conv1.weight"] = torch.cat((first, -first, first), 1)  # see image_levels()
    kept = {n: t for n, t in model.state_dict().items() if n.startswith(("encoder.", "restorer."))}
    found |= {n: t.half() for n, t in kept.items() if n not in found and not n.endswith((".logarithm", ".shift"))}
    return {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in found.items()}


@torch.no_grad()
def restored(model: VDIR, tensors: Mapping[str, npt.NDArray[Any]]) -> VDIR:
    """The inverse of :func:`stored`, on a model in float32 that gives what is not stored."""
    found = int8(model)
    own = dict(found.named_parameters())
    for name, array in tensors.items():
        tensor = torch.from_numpy(array.copy()).float()
        place, _, kind = name.rpartition(".")
        if kind == "scale":
            rounding = found.get_submodule(place)
            assert isinstance(rounding, Rounding)
            rounding.logarithm.copy_((tensor.log() / PACE).view(rounding.logarithm.shape))
        elif kind == "offset":
            rounding = found.get_submodule(place)
            assert isinstance(rounding, ChannelRounding)
            zero = -tensor / torch.from_numpy(tensors[f"{place}.scale"].copy())
            rounding.shift.copy_((zero - rounding.zero).view(-1, 1, 1) / SHIFT)
        elif kind in ("weight", "bias") and f"{place}.weight_scale" not in tensors:
            own[name].copy_(tensor)
    for name, module in found.named_modules():
        if isinstance(module, Int8ResBlock):
            _from_levels(f"{name}.conv1", module.conv1, module.inner.scale, tensors)
            _from_levels(f"{name}.conv2", module.conv2, module.between.scale, tensors, module.outer)
        elif isinstance(module, Int8Encoder):
            for n, (conv, scale) in enumerate(chain(module), 1):
                _from_levels(f"{name}.conv{n}", conv, scale, tensors)
    return found


def _from_levels(
    name: str,
    conv: nn.Conv2d,
    scale: Tensor,
    tensors: Mapping[str, npt.NDArray[Any]],
    after: ChannelRounding | None = None,
) -> None:
    weight, each, bias = (torch.from_numpy(tensors[f"{name}.{n}"].copy()) for n in ("weight", "weight_scale", "bias"))
    each, zero = _of_output(each, after)
    conv.weight.copy_(weight[:, : conv.in_channels].float() * each.view(-1, 1, 1, 1))
    assert conv.bias is not None
    conv.bias.copy_(bias.double() * scale.double() * each.double() - zero)


def _of_output(each: Tensor, after: ChannelRounding | None) -> tuple[Tensor, Tensor]:
    """Scales of weights that are stored divided by those of the output's channels, and what level 0 of these is."""
    if after is None:
        return each, torch.zeros(())
    scale = after.scale.flatten()
    return each * scale, (after.level_of_zero.flatten() * scale).double()


def _levels(name: str, conv: nn.Conv2d, scale: Tensor, after: ChannelRounding | None = None) -> dict[str, Tensor]:
    """A convolution's tensors, of an input in steps of ``scale``; the output's level of 0 is in the bias."""
    weight, each = weight_levels(conv.weight)
    assert conv.bias is not None
    each = each.flatten()
    _, zero = _of_output(each, after)
    bias = ((conv.bias.double() + zero) / (scale.double() * each.double())).round()
    each = each if after is None else each / after.scale.flatten()
    return {
        f"{name}.weight": weight.to(torch.int8), f"{name}.weight_scale": each, f"{name}.bias": bias.to(torch.int32)
    }  # fmt: skip
