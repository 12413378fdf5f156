"""Architectures travel with weights, and impossible ones are refused."""

import json

import pytest
import torch

from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.autoencoder import Estimator
from undegrade.model.vdir import VDIR


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


def test_bounded_estimates_stay_in_their_bounds_and_old_cards_have_none(generator):
    a = Architecture(restorer="fast", params=2, bounds=(1.0, 0.25))
    assert Architecture.from_dict(json.loads(json.dumps(a.to_dict()))) == a
    old = {k: v for k, v in Architecture(restorer="fast").to_dict().items() if k != "bounds"}
    assert Architecture.from_dict(old).bounds is None
    for bounds in ((1.0,), (1.0, 0.0)):
        with pytest.raises(ValueError, match="2 positive bounds"):
            Architecture(params=2, bounds=bounds)
    torch.manual_seed(0)
    estimate = VDIR(a).estimate(100 * torch.randn(2, 4, 6, 6, generator=generator))
    assert estimate.min() >= 0
    assert estimate[:, 0].max() > 0.25
    assert estimate[:, 1].max() <= 0.25
    estimator = Estimator(2, bounds=(1.0, 0.25))
    torch.nn.init.zeros_(estimator.conv2.weight)
    estimator.conv2.bias = torch.nn.Parameter(torch.tensor([9.0, -9.0]))
    read = estimator(torch.zeros(1, 4, 2, 2))
    torch.testing.assert_close(read[0, :, 0, 0], torch.tensor([1.0, 0.0]))
    (read[:, 0] - 0.5).abs().sum().backward()  # beyond the bound the way back is known
    assert estimator.conv2.bias.grad[0] > 0
    free = VDIR(Architecture(restorer="fast", params=2)).estimate(100 * torch.randn(2, 4, 6, 6, generator=generator))
    assert free.min() < 0
