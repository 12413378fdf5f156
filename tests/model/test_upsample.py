"""What a super-resolver starts from."""

import pytest
import torch

from tests.model.networks import make
from undegrade.model.upsample import Enlarge


@pytest.mark.parametrize("scale", [2, 4])
def test_a_super_resolver_starts_from_an_interpolation_on_the_grid_of_direct_decimation(scale):
    """Keys' kernel keeps parabolas: pixel i of y lies on pixel ``scale`` i of xhat, the others in between."""
    model = make(restorer="fast", scale=scale)
    model.restorer.tail.weight.data.zero_()
    i = torch.arange(12.0)
    y = (0.2 + 0.05 * i + 0.003 * i**2).view(1, 1, 1, 12).expand(1, 3, 12, 12)
    u = torch.arange(12.0 * scale) / scale
    expected = 0.2 + 0.05 * u + 0.003 * u**2
    inside = slice(2 * scale, 10 * scale)
    assert torch.allclose(model(y)[0, 0, 5 * scale, inside], expected[inside], atol=1e-5)
    assert torch.allclose(model(y.mT)[0, 0, inside, 5 * scale], expected[inside], atol=1e-5)
    assert torch.equal(model(y)[..., ::scale, ::scale], y)


def test_half_precision_around_the_interpolation_does_not_reach_it():
    y = torch.rand(1, 3, 8, 8)
    enlarge = Enlarge(2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(enlarge(y), enlarge(y.float()))
        assert enlarge(y).dtype == torch.float32
    assert torch.equal(enlarge(y)[..., ::2, ::2], y)
