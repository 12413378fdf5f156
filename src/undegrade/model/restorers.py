"""Every restorer by name. Adding one means adding its file to this package and its entry to this table.

The table is read without PyTorch: the networks are imported when one is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from undegrade.model.description import RestorerDescription

if TYPE_CHECKING:
    from undegrade.model.restorer_module import RestorerModule


def _full(channels: int, scale: int, cond_channels: int) -> RestorerModule:
    from undegrade.model.restorer import Restorer

    return Restorer(channels, scale, cond_channels)


def _fast(channels: int, scale: int, cond_channels: int) -> RestorerModule:
    from undegrade.model.fast_restorer import FastRestorer

    return FastRestorer(channels, scale, cond_channels)


def _wide(channels: int, scale: int, cond_channels: int) -> RestorerModule:
    from undegrade.model.wide_restorer import WideRestorer

    return WideRestorer(channels, scale, cond_channels)


def _ffdnet(channels: int, scale: int, cond_channels: int) -> RestorerModule:
    from undegrade.model.ffdnet import FFDNet

    return FFDNet(channels, scale, cond_channels)


_ALL = (
    RestorerDescription(
        "full", "25 residual blocks of 64 filters at full resolution", _full, scales=(1, 2, 4), bytes_per_pixel=1450
    ),
    RestorerDescription(
        "fast",
        "5 residual blocks of 96 filters at half of the resolution",
        _fast,
        scales=(1, 2, 4),
        bytes_per_pixel=500,
        tile=896,
    ),
    RestorerDescription(
        "wide",
        "the fast one with two coarser levels, at a quarter and an eighth of the resolution",
        _wide,
        scales=(1, 2, 4),
        bytes_per_pixel=650,
        tile=768,
    ),
    RestorerDescription(
        "ffdnet",
        "the chain of FFDNet: 12 convolutions of 96 filters at half of the resolution",
        _ffdnet,
        scales=(1,),
        bytes_per_pixel=550,
    ),
)
RESTORERS: Mapping[str, RestorerDescription] = MappingProxyType({d.name: d for d in _ALL})
"""The paper's restorer, the ten times cheaper one, the same with a wider view, and FFDNet's chain (Table XI)."""
