"""Blind denoising of camera photographs (paper section V-B; Tables II, III, VIII, X)."""

from dataclasses import replace

from vdir.data.benchmark import photographs
from vdir.data.catalogue import CC15
from vdir.metrics import GAUSSIAN_11, Protocol
from vdir.model import Architecture, Kind
from vdir.recipe import PAPER, SHORT, SHORT_CPU
from vdir.tasks.base import Task

# lambda_2 = 0: what a camera did to its image is not known (paper section V-B).
_RECIPES = {
    "short": replace(SHORT, lambda_est=0.0),
    "paper": replace(PAPER, patch=256, batch=4, lambda_est=0.0),
}

REAL = Task(
    name="real",
    summary="Remove the noise of a camera, whatever its strength and make.",
    degradation=None,  # the camera pipeline's noise is not built yet
    variants={"full": Architecture(), "fast": Architecture(kind=Kind.FAST)},
    recipes={"full": _RECIPES, "fast": _RECIPES | {"cpu": replace(SHORT_CPU, lambda_est=0.0)}},
    validation={},
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=photographs("", CC15),
)
