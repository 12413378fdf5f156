"""The encoder at its start."""

import torch

from undegrade.model.autoencoder import Encoder


def test_a_fresh_encoder_sees_differences_and_no_brightness() -> None:
    torch.manual_seed(0)
    encoder = Encoder(3)
    dark, bright = (encoder(torch.full((1, 3, 64, 64), value)).mean[..., 7:9, 7:9] for value in (0.2, 0.9))
    assert torch.allclose(dark, bright, atol=1e-5)
    step = torch.full((1, 3, 64, 64), 0.5)
    step[..., 32:] += 0.02  # a block's edge
    assert (encoder(step).mean[..., 7:9, 7:9] - dark).abs().max() > 0.01
