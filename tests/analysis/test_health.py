"""Dead and live channels, a collapsed encoder, a restorer that ignores its latent."""

import numpy as np
import pytest
import torch

from tests.analysis.models import make
from tests.pictures import make_photo
from undegrade.analysis.health import LATENTS, channels_of, examine
from undegrade.model.posterior import Posterior


def test_a_dead_channel_is_told_from_a_live_one():
    mean, logvar = torch.zeros(3, 4, 5, 5), torch.zeros(3, 4, 5, 5)
    mean[0, 1] = 2
    logvar[:, 2] = -2
    channels = channels_of(Posterior(mean, logvar))
    assert [c.active for c in channels] == [False, True, True, False]
    assert channels[0].kl == channels[0].spread == 0
    assert channels[0].posterior_std == 1
    assert channels[1].kl == pytest.approx(2 / 3)
    assert channels[1].spread == pytest.approx(2 * np.sqrt(2) / 3)
    assert channels[2].posterior_std == pytest.approx(np.exp(-1))


def test_a_collapsed_encoder_is_reported_as_such(tmp_path):
    from PIL import Image

    for seed in range(2):
        Image.fromarray(make_photo(40, 40, seed)).save(tmp_path / f"{seed}.png")
    pipeline = make("gaussian")
    alive = examine(pipeline, tmp_path)
    assert alive.active == 4
    assert set(alive.psnr) == {"σ 10", "σ 30", "σ 50"}
    assert "collapsed" not in alive.verdict
    for head in (pipeline.engine.model.encoder.mean, pipeline.engine.model.encoder.logvar):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    dead = examine(pipeline, tmp_path)
    assert dead.active == 0
    assert dead.drop == 0
    assert all(len({row[latent] for latent in LATENTS}) == 1 for row in dead.psnr.values())
    assert dead.verdict.startswith("The posterior has collapsed")
    assert "collapsed" in dead.report()


def test_a_restorer_that_does_not_listen_is_told_of(tmp_path):
    from PIL import Image

    for seed in range(2):
        Image.fromarray(make_photo(24, 24, seed)).save(tmp_path / f"{seed}.png")
    pipeline = make("gaussian")
    with torch.no_grad():
        pipeline.engine.model.restorer.head.weight[:, -4:] = 0
    assert "ignores its latent" in examine(pipeline, tmp_path).verdict
