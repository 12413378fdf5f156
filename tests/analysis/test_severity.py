"""The axis from mild to strong, of every kind of degradation."""

import numpy as np
import pytest
import torch

from tests.analysis.models import make
from tests.pictures import make_photo
from undegrade.analysis.manipulation import manipulate
from undegrade.analysis.samples import to_tensor
from undegrade.analysis.severity import severity
from undegrade.degrade import Degradation, Degraded, GaussianNoise
from undegrade.degrade.blur import covariance
from undegrade.errors import UndegradeError
from undegrade.tasks import TASKS

ONE_OF_EACH_KIND = list({type(TASKS[name].degradation): name for name in reversed(TASKS)}.values())


@pytest.mark.parametrize("task", ONE_OF_EACH_KIND)
def test_every_kind_of_degradation_has_an_axis_that_goes_from_mild_to_strong(task):
    pipeline = make(task)
    axis, s = severity(pipeline.task.degradation), pipeline.architecture.scale
    x = to_tensor(make_photo(32, 32, 0))
    error = {}
    for level in (axis.mild, axis.own, axis.strong):
        y, params = axis.at(level)(x, np.random.RandomState(0))
        known = axis.read(pipeline.task.degradation.quantity.decode(params[0].numpy()[:, None]))
        assert known == pytest.approx(level, rel=0.04)  # of 3,072 draws the rms is off by 1.3 %
        error[level] = (y.repeat_interleave(s, 2).repeat_interleave(s, 3) - x).square().mean()
    assert error[axis.mild] < error[axis.own] < error[axis.strong]
    assert len(axis.steps) >= 9
    found = manipulate(pipeline, make_photo(33, 32, 0))
    assert set(found.results) == {"own", "flipped", "milder", "stronger"}


class Fog(Degradation):
    """A kind of degradation that states no axis from mild to strong."""

    quantity = GaussianNoise.quantity

    def __call__(self, x, generator):
        return Degraded(x, x.new_zeros(x.shape[0], 1))


def test_a_degradation_without_an_axis_gets_one_sentence():
    with pytest.raises(UndegradeError, match=r"\(Fog\) has no axis from mild to strong.*; add a severity to Fog"):
        severity(Fog())


def test_the_width_of_a_kernel_is_read_off_it():

    from undegrade.analysis.severity import severity
    from undegrade.degrade import Blur

    sigma = covariance(*(torch.tensor([v]) for v in (2.5, 2.5, 0.7)))[0].numpy()
    assert severity(Blur.training(2)).read(sigma) == pytest.approx(2.5)
    assert severity(TASKS["sr-x4"].degradation).read(sigma) == pytest.approx(2.5)  # of both kinds, the blur
