"""Residual blocks at their start."""

import torch

from undegrade.model.blocks import RIRBlock


def test_a_fresh_residual_branch_is_nearly_the_identity():
    torch.manual_seed(0)
    h = torch.randn(1, 64, 24, 24)
    block = RIRBlock(64, 5)
    change = (block(h) - h).std() / h.std()
    assert 0.01 < change < 0.3
