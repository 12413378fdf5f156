"""Blind denoising of camera photographs (paper section V-B; Tables II, III, VIII, X)."""

from dataclasses import replace

from undegrade.data.benchmark import photographs
from undegrade.data.catalogue import CC15
from undegrade.data.dnd import DND
from undegrade.data.sidd import SIDD, SIDD_VALIDATION
from undegrade.degrade import CameraNoise, Jpeg
from undegrade.metrics import GAUSSIAN_11, Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.base import Task
from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU

# CBDNet's ranges alone give a median of 22 dB, which few photographs have. The gain spreads them downwards, to a median
# of 32 dB; white balance, noise reduction, which takes more of the noise of colours, and JPEG are what cameras do.
_TRAINING = CameraNoise(
    gain=(1 / 8, 1),
    balance=(1, 2.4),
    smoothing=(0, 1.2),
    chroma=(0, 2),
    jpeg=Jpeg(quality=(60, 100), subsampling=("4:2:0", "4:4:4")),
    saved=0.5,
    grey_as_grey=True,
)
_MEDIUM = CameraNoise(shot=(0.06, 0.06), read=(0.02, 0.02))

# lambda_2 = 0: what a camera did to its image is not known (paper section V-B).
_RECIPES = {
    "short": replace(SHORT, lambda_est=0.0),
    "paper": replace(PAPER, patch=256, batch=4, lambda_est=0.0),
}

REAL = Task(
    name="real",
    summary="Remove the noise of a camera, whatever its strength and make.",
    degradation=_TRAINING,
    variants={"full": Architecture(params=2), "fast": Architecture(params=2, restorer="fast")},
    recipes={"full": _RECIPES, "fast": _RECIPES | {"cpu": replace(SHORT_CPU, lambda_est=0.0)}},
    validation={
        "weak": CameraNoise(shot=(0.02, 0.02), read=(0.005, 0.005)),
        "medium": _MEDIUM,
        "strong": CameraNoise(shot=(0.16, 0.16), read=(0.06, 0.06)),
        "medium, saved": replace(_MEDIUM, balance=(1.6, 1.6), smoothing=(0.6, 0.6), jpeg=Jpeg((85, 85))),
        "medium, coarse": replace(
            _MEDIUM, balance=(1.6, 1.6), smoothing=(1.0, 1.0), chroma=(1.5, 1.5), jpeg=Jpeg((95, 95))
        ),
    },
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr", "ssim"), window=GAUSSIAN_11),
    benchmarks=photographs("", CC15),
    blocks=(SIDD_VALIDATION, SIDD, DND),
)
