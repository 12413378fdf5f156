"""Noise of the latent that depends on where, not on the window."""

import numpy as np
import pytest

from undegrade.model.latent_noise import latent_noise


def test_noise_belongs_to_its_place() -> None:
    whole = latent_noise(3, 1, (0, 150), (0, 90))
    np.testing.assert_array_equal(latent_noise(3, 1, (37, 140), (60, 71)), whole[:, :, 37:140, 60:71])
    assert abs(whole.mean()) < 0.02
    assert whole.std() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(latent_noise(3, 2, (0, 150), (0, 90)), whole)
    assert not np.array_equal(whole[:, :, :64, :26], whole[:, :, 64:128, :26])
