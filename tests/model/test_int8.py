"""What is rounded, and how: levels, scales, and that choosing them leaves the function alone."""

import numpy as np
import pytest
import torch

from undegrade.model.architecture import Architecture
from undegrade.model.int8 import (
    MOST_WEIGHT,
    ChannelRounding,
    Int8Encoder,
    Int8ResBlock,
    Rounding,
    calibrate,
    image_levels,
    int8,
    weight_levels,
)
from undegrade.model.int8_tensors import stored
from undegrade.model.vdir import VDIR


def rounding(zero: int, scale: float) -> Rounding:
    made = Rounding(zero)
    made.seen = [torch.tensor([[-scale * zero, scale * (255 - zero)]])]
    made.calibrate()
    return made


@pytest.mark.parametrize("zero", [0, 128])
def test_levels_come_back_as_they_are_and_the_rest_within_half_a_step(zero: int) -> None:
    q = rounding(zero, 0.03)
    step = float(q.scale.detach())
    levels = step * torch.arange(-zero, 256.0 - zero)
    torch.testing.assert_close(q(levels), levels)
    inside = torch.empty(1000).uniform_(step * -zero, step * (255 - zero), generator=torch.Generator().manual_seed(0))
    assert float((q(inside) - inside).detach().abs().max()) <= step / 2 * 1.001
    beyond = torch.tensor([-1e3, 1e3])
    torch.testing.assert_close(q(beyond), torch.stack((levels[0], levels[-1])))


def test_each_channel_may_have_a_scale_and_a_range_of_its_own() -> None:
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.1, 10.0]).view(
        3, 1, 1
    )
    x[:, 2] += 20  # all above 0, nearly
    q = ChannelRounding(3)
    q.seen = []
    assert q(x) is x  # while it watches
    q.calibrate()
    errors = (q(x) - x).detach().square().mean((0, 2, 3)).sqrt()
    assert (errors < torch.tensor([1.0, 0.1, 10.0]) * 0.01).all()
    assert float(q.level_of_zero[2].detach()) < 80
    torch.testing.assert_close(q(torch.zeros(1, 3, 1, 1)), torch.zeros(1, 3, 1, 1), atol=0.15, rtol=0)
    one = Rounding(128)
    one.seen = [x.transpose(0, 1).flatten(1)]
    one.calibrate()
    assert float((one(x) - x).detach()[:, 1].square().mean().sqrt()) > 5 * float(errors[1])


def test_gradients_pass_where_nothing_is_cut() -> None:
    q = rounding(128, 0.01)
    x = torch.tensor([0.123, 5.0, -5.0], requires_grad=True)
    q(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 0.0, 0.0]))
    assert q.logarithm.grad is not None
    assert q.logarithm.grad != 0


def test_sums_of_two_products_fit_into_16_bits() -> None:
    """Without VNNI a CPU adds two products of an activation and a weight in 16 bits, and cuts what is beyond."""
    assert 2 * 255 * MOST_WEIGHT < 2**15
    levels, scale = weight_levels(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)))
    assert (levels.abs().amax((1, 2, 3)) == MOST_WEIGHT).all()
    assert scale.shape == (8, 1, 1, 1)


def test_the_encoder_sees_images_of_8_bits_as_they_are() -> None:
    x = torch.arange(256.0) / 255
    torch.testing.assert_close(image_levels(x), x)
    wide = torch.tensor([-2.0, -0.5, 1.5, 3.0])
    torch.testing.assert_close(image_levels(wide), torch.tensor([-1.0, -128 / 255, 382 / 255, 2.0]))


@pytest.fixture(params=["fast", "wide"])
def model(request: pytest.FixtureRequest) -> VDIR:
    torch.manual_seed(0)
    made = VDIR(Architecture(restorer=request.param))
    made.restorer.get_parameter("tail.weight").data.mul_(3)
    return made.eval().requires_grad_(False)


def test_choosing_scales_leaves_the_function_and_rounding_is_close_to_it(model: VDIR) -> None:
    y = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    rounded = int8(model)
    calibrate(rounded, y)
    again = VDIR(model.architecture)
    again.load_state_dict(rounded.state_dict(), strict=False)
    mean = model.encode(y).mean
    assert not torch.equal(again.encoder.conv1.weight, model.encoder.conv1.weight)
    torch.testing.assert_close(again.encode(y).mean, mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(again.restore(y, mean), model.restore(y, mean), rtol=1e-4, atol=1e-4)
    error = (rounded.restore(y, mean) - model.restore(y, mean)).square().mean()
    assert 0 < error < 1e-3 * (model.restore(y, mean) - y).square().mean()


def test_every_residual_block_is_rounded_and_nothing_is_lost(model: VDIR) -> None:
    rounded = int8(model)
    blocks = [module for module in rounded.modules() if isinstance(module, Int8ResBlock)]
    assert len(blocks) == {"fast": 5, "wide": 11}[model.architecture.restorer]
    assert isinstance(rounded.encoder, Int8Encoder)
    own = rounded.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(isinstance(module, Int8ResBlock) for module in model.modules())
    tensors = stored(rounded)
    weights = {name for name in model.state_dict() if name.startswith(("encoder.", "restorer."))}
    assert weights <= set(tensors)
    assert not any("logarithm" in name for name in tensors)
    assert tensors["restorer.blocks.0.conv1.weight"].dtype == np.int8
    assert tensors["restorer.head.weight"].dtype == np.float16
    assert tensors["encoder.conv1.weight"].shape == (64, 9, 3, 3)
