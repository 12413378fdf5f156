"""What a run is watched on: the health of its latent."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from tests.train.conftest import TINY
from undegrade.degrade import AdditiveNoise, GaussianNoise, Nothing
from undegrade.model.architecture import Architecture
from undegrade.model.objective import channel_kl
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.train.loop import Limits, run
from undegrade.train.validate import Validation, health, labels, own_crops


@pytest.fixture
def validation() -> Validation:
    crops = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return Validation(crops, {"10": GaussianNoise((10, 10)), "50": GaussianNoise((50, 50))})


def silence(model: VDIR) -> VDIR:
    """Make the posterior the prior, whatever the image."""
    for head in (model.encoder.mean, model.encoder.logvar):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    return model


def test_kl_is_logged_for_each_channel(validation):
    torch.manual_seed(0)
    model = VDIR(Architecture(restorer="fast"))
    rows = validation.measure(model)
    channels = [rows[f"kl/{i}"] for i in range(4)]
    assert rows["kl"] == pytest.approx(sum(channels) / 4)
    assert rows["active_units"] == 4
    assert health(rows) is None
    y, _ = GaussianNoise((10, 10))(validation.crops[:1], torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone = Validation(validation.crops[:1], {"10": GaussianNoise((10, 10))}).measure(model)
        torch.testing.assert_close(torch.tensor([alone[f"kl/{i}"] for i in range(4)]), channel_kl(model.encode(y)))


def test_a_collapsed_run_says_so_in_one_line(validation, make_trainer, tmp_path, capsys):
    trainer = make_trainer(replace(TINY, lr=0.0, lr_floor=0.0))
    silence(trainer.model)
    silence(trainer.ema)
    run(trainer, tmp_path, Limits(stop_at=1), validation, {})
    warnings = [line for line in capsys.readouterr().err.splitlines() if "collapsed" in line]
    assert len(warnings) == 1
    assert "step 1  the posterior has collapsed" in warnings[0]
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["active_units"] == 0
    assert [row[f"kl/{i}"] for i in range(4)] == [0] * 4


def test_the_estimate_is_read_at_draws_as_users_are_told_it(validation):
    class Convex(torch.nn.Module):
        def forward(self, c: torch.Tensor) -> torch.Tensor:
            return c[:, :1].relu()

    model = silence(VDIR(Architecture(restorer="fast")))
    model.estimator = Convex()
    nothing = GaussianNoise((0, 0))
    rows = Validation(validation.crops, {"0": nothing}).measure(model)
    # E[relu(N(0, 1))] is 0.399 where the posterior's mean reads 0; these are 128 draws.
    assert rows["estimate_error/0"] == pytest.approx(0.399 * nothing.quantity.scale, rel=0.4)


def test_several_numbers_are_watched_apart_each_on_its_own_images(validation):
    torch.manual_seed(0)
    task = TASKS["universal"]
    model = VDIR(task.variants["fast"])
    own = torch.zeros(1, 3, 16, 16)
    cases = {"clean": Nothing(), "noise 20": AdditiveNoise((20, 20))}
    rows = Validation(validation.crops, cases, own={"clean": own}).measure(model)
    assert "estimate_error/clean/grain" not in rows  # there is none to know
    assert 0 < rows["estimate_error/noise 20/noise level"] <= 80
    assert rows["estimate_error/noise 20/grain"] <= 1
    assert rows["estimate_error/clean/JPEG quality"] <= 99
    model.restorer = torch.nn.Identity()
    model.restorer.forward = lambda y, c: y
    assert Validation(validation.crops, cases, own={"clean": own}).measure(model)["psnr/clean"] == pytest.approx(80)
    assert labels(list(cases), rows).count("off by") == 2


def test_a_tasks_own_clean_images(tmp_path):
    Image.fromarray(make_photo(200, 220, 0)).save(tmp_path / "a.png")
    own = own_crops(TASKS["universal"], tmp_path, 3, 96, "cpu")
    assert set(own) == set(TASKS["universal"].validation_images)
    assert all(crops.shape[1:] == (3, 96, 96) for crops in own.values())
    assert own_crops(TASKS["gaussian"], tmp_path, 3, 96, "cpu") == {}
