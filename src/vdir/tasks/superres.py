"""Blind super-resolution of blurred and directly decimated images (paper section VI; Tables IV, V)."""

from dataclasses import replace

from vdir.data.benchmark import blur
from vdir.data.catalogue import BSD100, SET5, URBAN100
from vdir.degrade import Blur
from vdir.degrade.blur import G_2_0, G_ANI, KERNEL_SIZE
from vdir.metrics import GAUSSIAN_11, Protocol
from vdir.model import Architecture
from vdir.recipe import PAPER, SHORT
from vdir.tasks.base import Task

_DATASETS = (SET5, BSD100, URBAN100)
# 48x48 low-resolution patches (paper section VI).
_RECIPES = {"full": {"short": replace(SHORT, patch=48), "paper": replace(PAPER, patch=48)}}

SR_X2 = Task(
    name="sr-x2",
    summary="Double the resolution of an image with unknown blur.",
    degradation=Blur.training(2),
    variants={"full": Architecture(scale=2, params=KERNEL_SIZE**2)},
    recipes=_RECIPES,
    validation={"g_2.0": Blur.fixed(2, G_2_0), "g_ani": Blur.fixed(2, G_ANI)},
    protocol=Protocol(colour="y", border=2, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=blur("IV", _DATASETS, 2, {"g_2.0": G_2_0, "g_ani": G_ANI}),
)

SR_X4 = Task(
    name="sr-x4",
    summary="Quadruple the resolution of an image with unknown blur.",
    degradation=Blur.training(4),
    variants={"full": Architecture(scale=4, params=KERNEL_SIZE**2)},
    recipes=_RECIPES,
    validation={"g_2.0": Blur.fixed(4, G_2_0)},
    protocol=Protocol(colour="y", border=4, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=blur("V", _DATASETS, 4, {"g_2.0": G_2_0}),
)
