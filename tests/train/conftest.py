"""A trainer of seconds on the three small pictures of `images`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undegrade.data.batches import Synthetic
from undegrade.degrade import GaussianNoise
from undegrade.model.architecture import Architecture
from undegrade.tasks.recipe import SHORT
from undegrade.train.trainer import Trainer

TINY = replace(SHORT, steps=4, batch=4, patch=16, warmup=2, grey=0.5)


@pytest.fixture
def make_trainer(images):
    def make(recipe=TINY, architecture=None, degradation=None) -> Trainer:
        architecture = architecture or Architecture(restorer="fast")
        source = Synthetic(images, degradation or GaussianNoise((0, 75)), recipe.grey)
        return Trainer(architecture, source, recipe)

    return make
