"""Blind removal of JPEG artifacts (paper section VII; Tables VI, VII, Fig. 4): one colour and one luma model."""

from dataclasses import replace

from undegrade.data.benchmark import jpeg, jpeg_twice
from undegrade.data.catalogue import CLASSIC5, LIVE1, URBAN100
from undegrade.degrade import Jpeg
from undegrade.metrics import UNIFORM_8, Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.base import Task
from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU

# Beyond the paper's 10-80 and single saving, so that real files are safe: they are often crops of saved pictures.
_TRAINING = Jpeg(quality=(5, 95), subsampling=("4:2:0", "4:4:4"), twice=0.25)
# What quality a JPEG has is harder to see than noise: the encoder gets a start of its own.
_FAST = {"short": SHORT, "cpu": replace(SHORT_CPU, latent_warmup_steps=1_000), "paper": PAPER}
_VALIDATION = {str(q): Jpeg((q, q)) for q in (10, 40, 80)}

JPEG = Task(
    name="jpeg",
    summary="Remove JPEG artifacts of unknown quality from colour images.",
    degradation=_TRAINING,
    variants={"full": Architecture(), "fast": Architecture(restorer="fast")},
    recipes={"full": {"short": SHORT, "paper": PAPER}, "fast": _FAST},
    validation=_VALIDATION,
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr",)),
    benchmarks=jpeg("VII", (LIVE1, URBAN100), (10, 20, 30, 40, 50, 60, 70, 80))
    + jpeg("", (LIVE1,), (95,))  # what is nearly clean must not get worse
    + jpeg_twice((LIVE1,), first=30, second=75, shift=(3, 5)),
)

JPEG_Y = Task(
    name="jpeg-y",
    summary="Remove JPEG artifacts of unknown quality from grey images, or from the luma of colour ones.",
    degradation=_TRAINING,
    variants={"full": Architecture(channels=1), "fast": Architecture(channels=1, restorer="fast")},
    recipes={"full": {"short": SHORT, "paper": PAPER}, "fast": _FAST},
    validation=_VALIDATION,
    protocol=Protocol(colour="grey", border=0, metrics=("psnr", "ssim"), window=UNIFORM_8),
    benchmarks=jpeg("VI", (CLASSIC5, LIVE1, URBAN100), (10, 20, 30, 40, 70, 80)),
)
