"""The wide restorer: the fast one, beside whose chain coarser levels see further.

    h  = ResBlock^J(conv(u ++ c))                         (as the fast restorer, at 1/2 of the resolution)
    h' = ResBlock^(N - J)(h + L_4(h))

    L_4(h) = conv(shuffle(ResBlock^b(q + L_8(q)), 2)),    q = ResBlock^a(down(h) + conv(c))
    L_8(q) = conv(shuffle(ResBlock^a(down(q)), 2))

``down`` is a 2x2 convolution of stride 2. The last convolution of every level is zero at first: a fresh level adds
nothing, so that levels can be added to trained weights, of the fast restorer or of a wide one with fewer levels, and
the function stays as it was. The tensors of the chain have the fast restorer's names. All operations are local, so that
restoring in tiles that start on multiples of 8 is exact.

With the encoder, and y read from 101 pixels around instead of 25:

    s   parameters   MMAC per input pixel   per output pixel
    1    2,124,436                  0.295              0.295
    2    2,155,576                  0.303              0.076
    4    2,280,136                  0.334              0.021
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.model.blocks import ResBlock, conv3x3
from undegrade.model.fast_restorer import FILTERS, SHUFFLE, FastRestorer, pad_to_even
from undegrade.model.latent import LATENT_CHANNELS
from undegrade.model.part import Part

JOIN = 2
"""J: the levels are added after so many residual blocks of the chain."""
LEVELS = ((96, 2, 2), (96, 1, 1))
"""Filters, a and b of the levels, from the one at 1/4 of the resolution on."""


class WideRestorer(FastRestorer):
    """(y, c) -> xhat, s times as large; odd sizes are completed by repeating the last row or column.

    Args:
        channels: C of y and xhat.
        scale: s: 1, 2 or 4.
        cond_channels: channels of the condition c, which the chain and the level at 1/4 are given; with 0 of them c is
            ignored.
        levels: filters, a and b of each coarser level.
    """

    def __init__(
        self,
        channels: int,
        scale: int = 1,
        cond_channels: int = LATENT_CHANNELS,
        levels: tuple[tuple[int, int, int], ...] = LEVELS,
    ) -> None:
        super().__init__(channels, scale, cond_channels)
        self.level = CoarseLevel(FILTERS, levels, cond_channels)

    @property
    def stride(self) -> int:
        """Input pixels per element of its coarsest level."""
        return SHUFFLE * self.level.stride

    @property
    def reach(self) -> int:
        """Input pixels around an output pixel that y itself is read from."""
        convolutions = 1 + 2 * len(self.blocks) + 1
        return SHUFFLE * (convolutions + self.level.reach) + self.stride - 1

    @property
    def cell_reach(self) -> int:
        behind, before = 2 * (len(self.blocks) - JOIN) + 1, 2 * JOIN + 1
        return SHUFFLE * (self.level.around(behind) + before)

    @property
    def last_reach(self) -> int:  # type: ignore[override]
        """Input pixels around a part that is right where the levels have been added to less than all of it."""
        convolutions = 1 + 2 * (len(self.blocks) - JOIN) + 1
        return -(-SHUFFLE * convolutions // self.stride) * self.stride

    def features_of(self, y: Tensor, c: Tensor, part: Part) -> Tensor:
        return self.body(self.start(y, c), c, part)

    def body(self, h: Tensor, c: Tensor, part: Part | None = None) -> Tensor:
        """What stands between head and tail: (B, F, ceil(H / 2), ceil(W / 2)) -> the same, or a part of it."""
        h = self.blocks[:JOIN](h)
        added = self.level(h, c, part)
        if part is not None:
            h = part.of(h, 1, SHUFFLE)
        out: Tensor = self.blocks[JOIN:](added.add_(h))
        return out


class CoarseLevel(nn.Module):
    """A level at half of its input's resolution, and within it the next one. (B, outer, h, w) -> the same.

    Args:
        outer: channels of the input.
        levels: filters, a and b of this level and of those within it.
        cond_channels: channels of the condition, which has this level's resolution; 0 for none.
    """

    def __init__(self, outer: int, levels: tuple[tuple[int, int, int], ...], cond_channels: int = 0) -> None:
        super().__init__()
        (filters, before, after), *within = levels
        self.down = nn.Conv2d(outer, filters, 2, stride=2)
        nn.init.kaiming_normal_(self.down.weight, nonlinearity="linear")
        nn.init.zeros_(self.down.bias)  # type: ignore[arg-type]
        # With fewer channels small windows would be convolved by another algorithm (undegrade.inference.tiles.AREA).
        self.missing = max(LATENT_CHANNELS - cond_channels, 0)
        self.condition = conv3x3(cond_channels + self.missing, filters) if cond_channels else None
        self.before = nn.Sequential(*(ResBlock(filters) for _ in range(before)))
        self.level = CoarseLevel(filters, tuple(within)) if within else None
        self.after = nn.Sequential(*(ResBlock(filters) for _ in range(after)))
        self.last = conv3x3(filters // 4, outer, scale=0.0)

    @property
    def stride(self) -> int:
        """Elements of the input per element of the coarsest level, along each side."""
        return 2 if self.level is None else 2 * self.level.stride

    @property
    def reach(self) -> int:
        """Elements of the input around one of the output that its convolutions see, but for the levels' grid."""
        convolutions = 2 * (len(self.before) + len(self.after))
        return 1 + 2 * (convolutions + (0 if self.level is None else self.level.reach))

    def around(self, n: int) -> int:
        """Elements of the input around an area on the levels' grid that one with n elements around it is read from."""
        q = -(-(1 + n) // 2) + 2 * len(self.after)
        if self.level is not None:
            q = self.level.around(q)
        return 2 * (q + 2 * len(self.before))

    def forward(self, h: Tensor, c: Tensor | None = None, part: Part | None = None) -> Tensor:
        """h: (B, outer, h, w); c: (B, cond_channels, ceil(h / 2), ceil(w / 2)) -> (B, outer, h, w).

        Of a part of the image only that part of the result, see :meth:`RestorerModule.features_of`.
        """
        q = self.down(pad_to_even(h))
        if self.condition is not None and c is not None:
            q = q.add_(self.condition(c if self.missing == 0 else F.pad(c, (0, 0, 0, 0, 0, self.missing))))
        q = self.before(q)
        if self.level is not None:
            q = self.level(q).add_(q)
        q = F.pixel_shuffle(self.after(q), 2)
        q = q[..., : h.shape[-2], : h.shape[-1]] if part is None else part.of(q, 1, SHUFFLE)
        out: Tensor = self.last(q)
        return out
