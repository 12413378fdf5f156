"""Latents of their own and of others, the severity axis of every task, patches, and health."""

import numpy as np
import pytest
import torch

from tests.pictures import make_photo
from undegrade.analysis.embedding import encode_levels, knowledge
from undegrade.analysis.health import LATENTS, channels_of, examine
from undegrade.analysis.latents import encode, pooled, restored
from undegrade.analysis.manipulation import manipulate
from undegrade.analysis.samples import cut, stacked_centres, to_tensor
from undegrade.analysis.severity import severity
from undegrade.degrade import Degradation, Degraded, GaussianNoise
from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline
from undegrade.metrics import to_8bit
from undegrade.model import Posterior
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS


def make(task: str) -> Pipeline:
    torch.manual_seed(0)
    variants = TASKS[task].variants
    return Pipeline(VDIR(variants.get("fast", variants["full"])), TASKS[task])


@pytest.fixture(scope="module")
def gaussian() -> Pipeline:
    return make("gaussian")


def test_the_own_latent_gives_the_plain_restoration_and_a_foreign_one_does_not(gaussian):
    x = make_photo(37, 50, 0)
    y, _ = severity(gaussian.task.degradation).at(30)(to_tensor(x), np.random.RandomState(0))
    found = manipulate(gaussian, x)
    plain = gaussian(y[0].permute(1, 2, 0).numpy()).image
    np.testing.assert_array_equal(found.results["own"].image, to_8bit(plain))
    assert found.results["own"].latent.shape == (4, 10, 13)
    for other in ("flipped", "milder", "stronger"):
        assert (found.results[other].latent != found.results["own"].latent).any()
        assert (found.results[other].image != found.results["own"].image).any()
    c = gaussian.engine.encode(y).mean
    np.testing.assert_array_equal(restored(gaussian, y, c)[0].permute(1, 2, 0).numpy(), plain)


ONE_OF_EACH_KIND = list({type(TASKS[name].degradation): name for name in reversed(TASKS)}.values())


@pytest.mark.parametrize("task", ONE_OF_EACH_KIND)
def test_every_kind_of_damage_has_an_axis_that_goes_from_mild_to_strong(task):
    pipeline = make(task)
    axis, s = severity(pipeline.task.degradation), pipeline.model.architecture.scale
    x = to_tensor(make_photo(32, 32, 0))
    error = {}
    for level in (axis.mild, axis.own, axis.strong):
        y, params = axis.at(level)(x, np.random.RandomState(0))
        told = axis.read(params[0].numpy()[:, None] * pipeline.task.degradation.quantity.scale)
        assert told == pytest.approx(level, rel=0.02)
        error[level] = (y.repeat_interleave(s, 2).repeat_interleave(s, 3) - x).square().mean()
    assert error[axis.mild] < error[axis.own] < error[axis.strong]
    assert len(axis.steps) >= 9
    found = manipulate(pipeline, make_photo(33, 32, 0))
    assert set(found.results) == {"own", "flipped", "milder", "stronger"}


def test_patches_are_disjoint_and_drawn_from_all_images():
    images = [np.full((40, 50, 3), i, np.uint8) for i in range(3)]
    for i, image in enumerate(images):
        image[..., 1] = np.arange(40)[:, None] // 16
        image[..., 2] = np.arange(50) // 16
        image[..., 0] = i
    patches = cut(images, 16, 18)
    places = {tuple(p) for p in (patches.x[:, :, 0, 0] * 255).round().int().tolist()}
    assert len(places) == 18
    np.testing.assert_array_equal(patches.image, (patches.x[:, 0, 0, 0] * 255).round().int().numpy())
    assert (patches.x == patches.x[:, :, :1, :1]).all()
    with pytest.raises(UndegradeError, match="hold 18 disjoint patches of 16 pixels, not 19"):
        cut(images, 16, 19)


def test_codes_are_averages_of_the_posteriors_mean(gaussian):
    patches = cut([make_photo(40, 56, s) for s in range(3)], 16, 12)
    codes = encode_levels(gaussian, patches)
    assert codes.points.shape == (120, 4)
    assert sorted(set(codes.level)) == list(range(10, 60, 5))
    np.testing.assert_array_equal(codes.patch, np.tile(np.arange(12), 10))
    y = torch.from_numpy(codes.pixels[codes.level == 10]).permute(0, 3, 1, 2) / 255
    np.testing.assert_allclose(pooled(encode(gaussian, y).mean), codes.points[:12], atol=0.05)
    known = knowledge(codes)
    assert known.place.chance == pytest.approx(1 / 12)
    assert known.level.r_squared <= 1


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
    for head in (pipeline.model.encoder.mean, pipeline.model.encoder.logvar):
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
        pipeline.model.restorer.head.weight[:, -4:] = 0
    assert "ignores its latent" in examine(pipeline, tmp_path).verdict


def test_crops_are_of_one_size_and_not_tiny():
    crops = stacked_centres([make_photo(40, 70, 0), make_photo(50, 30, 1)], 192, 4)
    assert crops.shape == (2, 3, 28, 28)
    with pytest.raises(UndegradeError, match="only 9 pixels"):
        stacked_centres([make_photo(9, 40, 0)], 192)


class Fog(Degradation):
    """A kind of damage that states no axis from mild to strong."""

    quantity = GaussianNoise.quantity

    def __call__(self, x, generator):
        return Degraded(x, x.new_zeros(x.shape[0], 1))


def test_damage_without_an_axis_gets_one_sentence():
    with pytest.raises(UndegradeError, match=r"\(Fog\) has no axis from mild to strong.*; add a severity to Fog"):
        severity(Fog())
