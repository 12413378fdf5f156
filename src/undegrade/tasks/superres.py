"""Blind super-resolution (paper section VI; Tables IV, V), for the paper's images and for ordinary files.

The paper's are blurred by a Gaussian and decimated directly; ordinary files were made small by a resizer or a
sensor. One model serves both: its batches hold both, the latter brought onto the grid of the former, as the pipeline
does with ordinary files (:mod:`undegrade.degrade.resize`).
"""

from dataclasses import replace

from undegrade.data.benchmark import blur, resized
from undegrade.data.catalogue import BSD100, SET5, URBAN100
from undegrade.degrade import Blur, Degradation, Mixture, OnDirectGrid, Resize, Resizer
from undegrade.degrade.blur import G_2_0, G_ANI, Kernel, Shape
from undegrade.metrics import GAUSSIAN_11, Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.base import Task
from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU

_DATASETS = (SET5, BSD100, URBAN100)
_FILES = 0.375
"""Share of a batch that was made small by ordinary resizers. It is two kernels beside a whole family, so the smaller
part; but they make the sharpest images, which a model that mostly sees blur learns last."""

# 48x48 low-resolution patches (paper section VI).
_RECIPES = {"short": replace(SHORT, patch=48), "paper": replace(PAPER, patch=48)}
# About an hour on one core. A kernel is harder to see than noise: the encoder gets a start of its own.
_CPU = replace(
    SHORT_CPU, steps=5_000, batch=16, patch=48, warmup=200, latent_warmup_steps=500, freeze_latent_from=2_500
)


def _variants(scale: int) -> dict[str, Architecture]:
    full = Architecture(scale=scale, params=Kernel().size)
    return {"full": full, "fast": replace(full, restorer="fast")}


def _training(scale: int) -> Degradation:
    return Mixture(replace(Blur.training(scale), twins=True), OnDirectGrid(Resize(scale)), share=_FILES)


def _validation(scale: int, shapes: dict[str, Shape]) -> dict[str, Degradation]:
    blurred = {name: Blur.fixed(scale, shape) for name, shape in shapes.items()}
    return blurred | {str(resizer): OnDirectGrid(Resize(scale, (resizer,))) for resizer in Resizer}


SR_X2 = Task(
    name="sr-x2",
    summary="Double the resolution of an image with unknown blur.",
    degradation=_training(2),
    variants=_variants(2),
    recipes={"full": _RECIPES, "fast": _RECIPES | {"cpu": _CPU}},
    validation=_validation(2, {"g_2.0": G_2_0, "g_ani": G_ANI}),
    protocol=Protocol(colour="y", border=2, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=blur("IV", _DATASETS, 2, {"g_2.0": G_2_0, "g_ani": G_ANI}) + resized("", _DATASETS, 2),
)

SR_X4 = Task(
    name="sr-x4",
    summary="Quadruple the resolution of an image with unknown blur.",
    degradation=_training(4),
    variants=_variants(4),
    recipes={"full": _RECIPES, "fast": _RECIPES | {"cpu": _CPU}},
    validation=_validation(4, {"g_2.0": G_2_0}),
    protocol=Protocol(colour="y", border=4, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=blur("V", _DATASETS, 4, {"g_2.0": G_2_0}) + resized("", _DATASETS, 4),
)
