"""Every restorer by name. Adding one means adding its file to this package and its description to this table."""

from collections.abc import Mapping
from types import MappingProxyType

from undegrade.model.description import RestorerDescription
from undegrade.model.fast_restorer import FAST
from undegrade.model.ffdnet import FFDNET
from undegrade.model.restorer import FULL
from undegrade.model.wide_restorer import WIDE

RESTORERS: Mapping[str, RestorerDescription] = MappingProxyType({d.name: d for d in (FULL, FAST, WIDE, FFDNET)})
"""The paper's restorer, the ten times cheaper one, the same with a wider view, and FFDNet's chain (Table XI)."""
