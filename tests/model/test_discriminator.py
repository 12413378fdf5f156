"""The discriminator's output."""

import torch

from undegrade.model.discriminator import Discriminator


def test_discriminator_maps_to_logits_at_a_32nd_of_the_size():
    assert Discriminator(3)(torch.rand(2, 3, 96, 65)).shape == (2, 1, 3, 3)
