"""The networks as they compute in int8: what is rounded where, in PyTorch, so that they can be fine-tuned to it.

    q(x) = s clamp(round(x / s), -z, 255 - z)             activations, one s for a tensor: 8 bits
    w_o  = s_o clamp(round(w / s_o), -64, 64)             weights, one s for every output channel

    ResBlock(h) = h + q_o(conv(q_b(relu(conv(q_i(h))))))  q_o with s and z of their own for every channel

The convolutions of the residual blocks and those of the encoder but for its two heads are rounded: 97 % of the
arithmetic. What a residual block adds to is not: rounding errors of that sum reach the last convolution directly, and
cost most of the loss. First and last convolution of the restorer, its coarser levels' own ones, and the
estimator stay in float32.

Weights have 7 bits: products of 8 and 8 bits overflow where a CPU without VNNI adds two of them in 16 bits. So every
CPU computes the same sums. The encoder sees an image in steps of 1/255 between -1 and 2, in three channels for each
(below 0, 0 to 1, above 1), since one of 8 bits spans 0 to 1 only.

Gradients pass the rounding as if there was none, and reach s as in S. K. Esser et al., "Learned step size
quantization" (2020).
"""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.autoencoder import Encoder, halve
from undegrade.model.blocks import ResBlock
from undegrade.model.posterior import Posterior
from undegrade.model.vdir import VDIR

MOST = 255
"""Of the 8 bits of an activation."""
MOST_WEIGHT = 64
"""Of a weight, of either sign: 2 x 64 x 255 fits into 16 bits."""
_CANDIDATES, _RATIO = 60, 0.965
"""Scales that :meth:`Rounding.calibrate` tries: each so many times the one before, from the largest value down."""
_SAMPLES, _SAMPLES_OF_CHANNEL = 200_000, 20_000
M = TypeVar("M", bound=nn.Module)
PACE = 30.0
"""By so much faster than the weights the logarithms of the scales are learned: one rate serves both."""
SHIFT = 1000.0
"""The same of the level of 0."""
_SAME_RANGE = 0.5
"""The power of a channel's range that :func:`_alike` takes out of it."""


class Rounding(nn.Module):
    """q: to 256 levels. (B, C, H, W) -> the same.

    Args:
        zero: z, the level of 0: 0 for what is not negative.
    """

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero
        self.logarithm = nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] | None = None
        """While it watches, what passed; nothing is rounded then."""

    @property
    def scale(self) -> Tensor:
        """s."""
        return (PACE * self.logarithm).exp()

    def forward(self, x: Tensor) -> Tensor:
        if self.seen is not None:
            self.seen.append(x.detach().transpose(0, 1).flatten(1))
            return x
        scale = self.scale
        levels = (x / scale).clamp(-self.zero, MOST - self.zero)
        out: Tensor = _passing(levels, levels.round()) * scale
        return out

    @torch.no_grad()
    def calibrate(self) -> None:
        """The scale that rounds what was seen with the least square error; then it rounds."""
        assert self.seen is not None
        x, self.seen = torch.cat(self.seen, 1).flatten(), None
        x = x[:: max(len(x) // _SAMPLES, 1)]
        largest = float(x.max()) / (MOST - self.zero)
        if self.zero:
            largest = max(largest, -float(x.min()) / self.zero)
        best, least = 0.0, math.inf
        for n in range(_CANDIDATES):
            scale = max(largest, 1e-8) * _RATIO**n
            rounded = (x / scale).round().clamp(-self.zero, MOST - self.zero) * scale
            error = float((rounded - x).square().mean())
            if error < least:
                best, least = scale, error
        self.logarithm.fill_(math.log(best) / PACE)


class ChannelRounding(Rounding):
    """q with s and z for every channel. (B, C, H, W) -> the same.

    z is no whole number: nothing that is rounded so is padded.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(128)
        self.logarithm = nn.Parameter(torch.zeros(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    @property
    def level_of_zero(self) -> Tensor:
        """z."""
        return self.zero + SHIFT * self.shift

    def forward(self, x: Tensor) -> Tensor:
        if self.seen is not None:
            return super().forward(x)
        scale, zero = self.scale, self.level_of_zero
        levels = (x / scale + zero).clamp(0, MOST)
        out: Tensor = (_passing(levels, levels.round()) - zero) * scale
        return out

    @torch.no_grad()
    def calibrate(self) -> None:
        """Scales and levels of 0 that round what was seen with the least square error; then it rounds."""
        assert self.seen is not None
        x, self.seen = torch.cat(self.seen, 1), None
        x = x[:, :: max(x.shape[1] // _SAMPLES_OF_CHANNEL, 1)]
        ends = [x.amin(1), x.amax(1) + 1e-6]
        for end in (0, 1, 0, 1):  # one end of the range after the other, towards the other one
            given, least = list(ends), torch.full_like(ends[0], math.inf)
            for n in range(0, _CANDIDATES, 2):
                tried = list(given)
                tried[end] = given[end] + (given[1 - end] - given[end]) * (1 - _RATIO**n)
                low, scale = tried[0][:, None], ((tried[1] - tried[0]) / MOST)[:, None]
                rounded = ((x - low) / scale).round().clamp(0, MOST) * scale + low
                error = (rounded - x).square().mean(1)
                better = error < least
                ends[end][better], least[better] = tried[end][better], error[better]
        scale = (ends[1] - ends[0]) / MOST
        self.logarithm.copy_(scale.log().view(-1, 1, 1) / PACE)
        self.shift.copy_((-ends[0] / scale - self.zero).view(-1, 1, 1) / SHIFT)


class Int8ResBlock(ResBlock):
    """:class:`undegrade.model.blocks.ResBlock`, whose convolutions are rounded."""

    def __init__(self, filters: int) -> None:
        super().__init__(filters)
        self.inner = Rounding(128)
        self.between = Rounding(0)
        self.outer = ChannelRounding(filters)

    def forward(self, h: Tensor) -> Tensor:
        r = self.between(torch.relu(_rounded(self.conv1, self.inner(h))))
        out: Tensor = h + self.outer(_rounded(self.conv2, r))
        return out


class Int8Encoder(Encoder):
    """:class:`undegrade.model.autoencoder.Encoder`, whose convolutions are rounded but for the heads."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.after = nn.ModuleList(Rounding(0) for _ in range(5))

    @property
    def roundings(self) -> list[Rounding]:
        """After each of its convolutions."""
        return [module for module in self.after if isinstance(module, Rounding)]

    def forward(self, y: Tensor) -> Posterior:
        first, second, third, fourth, fifth = self.after
        h = halve(first(torch.relu(_rounded(self.conv1, image_levels(y)))))
        h = second(torch.relu(_rounded(self.conv2, h)))
        h = halve(third(torch.relu(_rounded(self.conv3, h))))
        h = fourth(torch.relu(_rounded(self.conv4, h)))
        h = fifth(torch.relu(_rounded(self.conv5, h)))
        return Posterior(self.mean(h), self.logvar(h))


def image_levels(y: Tensor) -> Tensor:
    """An image as the encoder sees it: in steps of 1/255 between -1 and 2."""
    return _passing(y, (y.clamp(-1, 2) * MOST).round() / MOST)


def weight_levels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The levels of a convolution's weights, whole numbers from -64 to 64 as floats, and their scales.

    Args:
        weight: (O, I, h, w).

    Returns:
        (O, I, h, w) and (O, 1, 1, 1).
    """
    scale = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12) / MOST_WEIGHT
    levels = weight / scale
    return _passing(levels, levels.round()), scale


def int8(model: VDIR) -> VDIR:
    """A copy of a model whose convolutions are rounded. Its scales are 1: see :func:`calibrate`.

    The tensors of the copy have the same names, and the scales come in addition.
    """
    found = copy.deepcopy(model)
    found.encoder = _in_place_of(found.encoder, Int8Encoder(model.architecture.channels))
    for module in list(found.restorer.modules()):
        for name, child in module.named_children():
            if isinstance(child, ResBlock):
                setattr(module, name, _in_place_of(child, Int8ResBlock(child.conv1.in_channels)))
    return found


@torch.no_grad()
def calibrate(model: VDIR, y: Tensor) -> None:
    """Choose the scales by images, after the channels of every rounded tensor were given more alike ranges.

    A channel between two convolutions and a ReLU can be scaled, and the weights that read it be scaled back: the
    function stays, to rounding of float32.

    Args:
        model: of :func:`int8`.
        y: degraded images, (B, C, H, W).
    """
    for pass_ in (_alike, Rounding.calibrate):
        roundings = [module for module in model.modules() if isinstance(module, Rounding)]
        for rounding in roundings:
            rounding.seen = []
        for images in y.split(8):
            model.restore(images, model.pooled(model.encode(images)).mean)
        if pass_ is _alike:
            _alike(model)
        else:
            for rounding in roundings:
                rounding.calibrate()


def chain(encoder: Int8Encoder) -> list[tuple[nn.Conv2d, Tensor]]:
    """The rounded convolutions of an encoder, each with the scale of its input."""
    convolutions = [encoder.conv1, encoder.conv2, encoder.conv3, encoder.conv4, encoder.conv5]
    scales = [torch.tensor(1 / MOST), *(rounding.scale for rounding in encoder.roundings[:4])]
    return list(zip(convolutions, scales, strict=True))


def _alike(model: VDIR) -> None:
    """Give the channels between two convolutions ranges that differ less, by what the roundings saw."""
    chains: list[tuple[nn.Conv2d, Rounding, list[nn.Conv2d]]] = []
    for module in model.modules():
        if isinstance(module, Int8ResBlock):
            chains.append((module.conv1, module.between, [module.conv2]))
        elif isinstance(module, Int8Encoder):
            convolutions = [conv for conv, _ in chain(module)]
            following = [[conv] for conv in convolutions[1:]] + [[module.mean, module.logvar]]
            chains.extend(zip(convolutions, module.roundings, following, strict=True))
    for writer, rounding, readers in chains:
        assert rounding.seen is not None
        range_ = torch.cat(rounding.seen, 1).amax(1)
        # A channel that is all but dead here may not be so elsewhere.
        range_ = range_.clamp_min(0.1 * float(range_.median()) + 1e-8)
        factor = (range_ / range_.log().mean().exp()) ** _SAME_RANGE
        writer.weight /= factor.view(-1, 1, 1, 1)
        if writer.bias is not None:
            writer.bias /= factor
        for reader in readers:
            reader.weight *= factor.view(1, -1, 1, 1)


def _rounded(conv: nn.Conv2d, x: Tensor) -> Tensor:
    levels, scale = weight_levels(conv.weight)
    return F.conv2d(x, levels * scale, conv.bias, padding=1)


def _passing(x: Tensor, rounded: Tensor) -> Tensor:
    """``rounded``, with the gradient of ``x``."""
    return x + (rounded - x).detach()


def _in_place_of(module: nn.Module, other: M) -> M:
    """``other`` with the tensors of ``module``."""
    other.to(next(module.parameters()).device)
    other.load_state_dict(module.state_dict(), strict=False)
    other.requires_grad_(next(module.parameters()).requires_grad)
    return other
