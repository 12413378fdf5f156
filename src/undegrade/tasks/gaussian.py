"""Blind denoising of white Gaussian noise (paper section V-A; Tables I, IX, XI)."""

from undegrade.data.benchmark import gaussian
from undegrade.data.catalogue import CBSD68, KODAK24, URBAN100
from undegrade.degrade import GaussianNoise
from undegrade.metrics import Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.base import Task
from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU

GAUSSIAN = Task(
    name="gaussian",
    summary="Remove white Gaussian noise of unknown strength.",
    # The paper trains on 5-70; from 0 to 75, clean and very noisy images are safe as well.
    degradation=GaussianNoise(sigma=(0, 75), grey_as_grey=True),
    variants={name: Architecture(restorer=name) for name in ("full", "wide", "fast", "ffdnet")},
    recipes={
        "full": {"short": SHORT, "paper": PAPER},
        "fast": {"short": SHORT, "cpu": SHORT_CPU, "paper": PAPER},
        "wide": {"short": SHORT, "cpu": SHORT_CPU, "paper": PAPER},
        "ffdnet": {"short": SHORT, "cpu": SHORT_CPU, "paper": PAPER},
    },
    validation={str(s): GaussianNoise((s, s)) for s in (10, 30, 50, 70)},
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr",)),
    benchmarks=gaussian("I", (CBSD68, KODAK24, URBAN100), (10, 30, 50, 70)),
)
