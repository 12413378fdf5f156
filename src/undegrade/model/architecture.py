"""Everything needed to build the networks of a model, as one value that travels with the weights."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.model.latent import LATENT_CHANNELS
from undegrade.model.restorers import RESTORERS
from undegrade.reading import shown

MAX_PARAMS = 64
"""Most numbers that an estimator predicts; the largest f(T) of a task has far fewer."""


class Conditioning(enum.StrEnum):
    """What the restorer is given besides y."""

    LATENT = "latent"
    """c ~ q(c|y): the paper's method."""
    NONE = "none"
    """Nothing: the naive blind model of eq. (5), which Tables VIII to XI compare with."""
    ESTIMATE = "estimate"
    """EST(c) at each place and not c: the second stage of the two-stage model of eqs. (6)-(7)."""


_OLD_SUFFIXES = {"-alone": Conditioning.NONE, "-two-stage": Conditioning.ESTIMATE}
"""Cards written before version 0.2 have one field ``kind`` instead of ``restorer`` and ``conditioning``."""


@dataclass(frozen=True)
class Architecture:
    """Everything needed to build the networks; travels with the weights.

    Attributes:
        channels: 3 for RGB, 1 for luma.
        params: how many numbers f(T) has, so how many the estimator predicts.
        scale: output pixels per input pixel along each side: 1, 2 or 4.
        restorer: a name in :data:`undegrade.model.restorers.RESTORERS`.
        conditioning: what the restorer is given besides y.
        bounds: upper bound of each number that the estimator predicts, whose lower bound then is 0; None for any
            numbers.
        scale_head: whether the model has a head for the scale of its errors, :mod:`undegrade.model.scale_head`.
        pooling: 0 to 1, how far the latent is moved towards its mean over the image before the restorer reads it, see
            :meth:`undegrade.model.vdir.VDIR.pooled`.

    Raises:
        ValueError: no such restorer, or it cannot do that.
    """

    channels: int = 3
    params: int = 1
    scale: int = 1
    restorer: str = "full"
    conditioning: Conditioning = Conditioning.LATENT
    bounds: tuple[float, ...] | None = None
    scale_head: bool = False
    pooling: float = 0.0

    def __post_init__(self) -> None:
        if self.restorer not in RESTORERS:
            raise ValueError(f"there is no restorer {self.restorer!r}, only {', '.join(RESTORERS)}")
        if not all(type(value) is int for value in (self.channels, self.params, self.scale)):
            raise ValueError("channels, params and scale must be whole numbers")
        if type(self.scale_head) is not bool:
            raise ValueError("scale_head must be true or false")
        if type(self.pooling) not in (int, float) or not 0 <= self.pooling <= 1:
            raise ValueError("pooling must be a number from 0 to 1")
        if self.channels not in (1, 3) or not 1 <= self.params <= MAX_PARAMS:
            raise ValueError(
                f"channels must be 1 or 3, and params 1 to {MAX_PARAMS}, got {self.channels} and {self.params}"
            )
        if self.bounds is not None and (
            len(self.bounds) != self.params or not all(0 < bound < math.inf for bound in self.bounds)
        ):
            raise ValueError(f"there must be {self.params} positive bounds, all finite")
        scales = RESTORERS[self.restorer].scales
        if self.scale not in scales:
            raise ValueError(
                f"the {self.restorer} restorer works at scale {', '.join(map(str, scales))}, got {self.scale}"
            )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, the inverse of :meth:`from_dict`.

        A scale head or pooling that there is not is not mentioned: older versions can read that.
        """
        bounds = None if self.bounds is None else list(self.bounds)
        values = {**asdict(self), "conditioning": str(self.conditioning), "bounds": bounds}
        if not self.scale_head:
            del values["scale_head"]
        if not self.pooling:
            del values["pooling"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Rebuild from :meth:`to_dict`, also that of version 0.1: no bounds of estimates, no head, no pooling.

        Every other field must be there: defaults may change.

        Raises:
            UndegradeError: fields are missing, unknown or impossible.
        """
        values = _with_new_names(values)
        if set(values) != {f.name for f in fields(cls)}:
            raise UndegradeError(
                f"this version of undegrade does not know the architecture {_shown(values)}; update undegrade."
            )
        try:
            bounds = None if values["bounds"] is None else tuple(map(float, values["bounds"]))
            return cls(**{**values, "conditioning": Conditioning(values["conditioning"]), "bounds": bounds})
        except (ValueError, TypeError) as error:
            raise UndegradeError(
                f"this version of undegrade cannot build the architecture {_shown(values)}: {error}; update it."
            ) from error

    @property
    def cond_channels(self) -> int:
        """How many numbers the restorer is given at each place of the latent, besides y."""
        return {
            Conditioning.LATENT: LATENT_CHANNELS,
            Conditioning.NONE: 0,
            Conditioning.ESTIMATE: self.params,
        }[self.conditioning]


def _shown(values: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{shown(name)}: {shown(value)}" for name, value in list(values.items())[:10]) + "}"


def _with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """``kind: fast-alone`` of an old card is ``restorer: fast, conditioning: none``."""
    values = {"bounds": None, "scale_head": False, "pooling": 0.0, **values}
    kind = values.pop("kind", None)
    if isinstance(kind, str):
        suffix = next((s for s in _OLD_SUFFIXES if kind.endswith(s)), "")
        values["restorer"] = kind.removesuffix(suffix)
        values["conditioning"] = str(_OLD_SUFFIXES.get(suffix, Conditioning.LATENT))
    return values
