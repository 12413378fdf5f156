"""A training set of three small pictures and a recipe of seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.data.pixels import TrainingImages
from undegrade.data.source import Synthetic
from undegrade.degrade import GaussianNoise
from undegrade.model import Architecture, Kind
from undegrade.recipe import SHORT
from undegrade.train.trainer import Trainer

TINY = replace(SHORT, steps=4, batch=4, patch=16, warmup=2, grey=0.5)


@pytest.fixture(scope="session")
def images() -> TrainingImages:
    return TrainingImages([make_photo(40, 56, s) for s in range(3)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same kind of pictures as files."""
    (tmp_path / "images" / "deeper").mkdir(parents=True)
    for seed in range(3):
        Image.fromarray(make_photo(40, 56, seed)).save(tmp_path / "images" / "deeper" / f"{seed}.png")
    return tmp_path / "images"


@pytest.fixture
def make_trainer(images):
    def make(recipe=TINY, architecture=None, degradation=None) -> Trainer:
        architecture = architecture or Architecture(kind=Kind.FAST)
        source = Synthetic(images, degradation or GaussianNoise((0, 75)), recipe.grey)
        return Trainer(architecture, source, recipe)

    return make
