"""Architectures travel with weights, and impossible ones are refused."""

import pytest

from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture, Conditioning


def test_architecture_round_trip_and_refusals():
    a = Architecture(channels=1, params=3, restorer="fast")
    assert Architecture.from_dict(a.to_dict()) == a
    with pytest.raises(UndegradeError, match="update undegrade"):
        Architecture.from_dict({**a.to_dict(), "depth": 3})
    with pytest.raises(UndegradeError, match="cannot build"):
        Architecture.from_dict({**a.to_dict(), "restorer": "transformer"})
    with pytest.raises(UndegradeError, match="cannot build"):
        Architecture.from_dict({**a.to_dict(), "conditioning": "hearsay"})
    with pytest.raises(ValueError, match="works at scale 1, got 2"):
        Architecture(scale=2, restorer="ffdnet")


@pytest.mark.parametrize(("kind", "restorer", "conditioning"), [
    ("full", "full", Conditioning.LATENT), ("fast-alone", "fast", Conditioning.NONE),
    ("ffdnet-two-stage", "ffdnet", Conditioning.ESTIMATE),
])  # fmt: skip
def test_the_one_field_of_old_cards_is_read_as_two(kind, restorer, conditioning):
    old = {"channels": 3, "params": 2, "scale": 1, "kind": kind}
    assert Architecture.from_dict(old) == Architecture(params=2, restorer=restorer, conditioning=conditioning)
