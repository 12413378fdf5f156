"""One model for everything that happens to pictures: noise of all kinds, lossy saving, noise and then saving, nothing.

The estimator reads noise level, grain and JPEG quality (:mod:`undegrade.degrade.noise_grain_quality`).
"""

from dataclasses import replace

from undegrade.data.benchmark import Benchmark, photographs
from undegrade.data.catalogue import CBSD68, CC15, LIVE1
from undegrade.data.clean import Clean, CleanMixture
from undegrade.degrade import (
    NOISE_GRAIN_QUALITY,
    AdditiveNoise,
    CameraNoise,
    Chain,
    Channels,
    Codec,
    Degradation,
    Impulse,
    Impulses,
    Measured,
    Nothing,
    OneOf,
    PoissonGaussian,
    Rounded,
    Saved,
    Sparing,
    Speckle,
)
from undegrade.metrics import Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.base import Task
from undegrade.tasks.recipe import PAPER, SHORT, SHORT_CPU

_WIDTHS = (0.3, 1.5)
_IMPULSES = (0.0005, 0.02)
# Weak noise more often than strong: people's pictures have it, and it is the harder one to tell from texture. White
# noise and a camera's are two thirds: they were half up to 3e9 pixels, when a model for white noise was 1.2 dB ahead.
_NOISE = OneOf(
    (
        (0.38, AdditiveNoise((0, 75), power=1.5)),
        (0.05, AdditiveNoise((0, 60), Channels.BRIGHTNESS, power=1.5)),
        (0.03, AdditiveNoise((0, 60), Channels.COLOUR, power=1.5)),
        (0.06, AdditiveNoise((0, 50), Channels.ALL, _WIDTHS, power=1.5)),
        (0.08, AdditiveNoise((0, 50), Channels.BRIGHTNESS, _WIDTHS, power=1.5)),
        (0.01, AdditiveNoise((0, 50), Channels.COLOUR, _WIDTHS, power=1.5)),
        (0.04, PoissonGaussian(peak=(15, 3000), read=(0, 6))),
        (0.03, Speckle((0.02, 0.45), same=0.3)),
        (0.01, Impulses(Impulse.SALT_AND_PEPPER, _IMPULSES)),
        (0.005, Impulses(Impulse.RANDOM, _IMPULSES)),
        (0.005, Impulses(Impulse.HOT, _IMPULSES)),
        # As of the task `real`, but for its saving, which is drawn below for all. It is the one that most photographs
        # have and the hardest to tell from texture: at a share of 0.13 a model of 1e9 pixels overlooked half of it.
        (0.30, Measured(CameraNoise(gain=(1 / 8, 1), balance=(1, 2.4), smoothing=(0, 1.2), chroma=(0, 2),
                                    grey_as_grey=True))),
    )
)  # fmt: skip
_SPARED = Sparing(_NOISE, share=0.2)


def _jpeg(quality: tuple[int, int]) -> Saved:
    """As crops of files and as whole files; now and then saved before."""
    return Saved(Codec.JPEG, quality, ("4:2:0", "4:4:4"), aligned=0.4, twice=0.2, first=(5, 98))


_ANY, _ORDINARY = (5, 98), (60, 98)
_TRAINING = OneOf(
    (
        (0.10, Nothing()),
        # Not clipped are arrays and files of more bits. They were 15 % of these up to 6.2e9 pixels, and behind.
        (0.42, Chain(_SPARED, Rounded(share=0.7))),
        (0.18, _jpeg(_ANY)),
        (0.07, _jpeg(_ORDINARY)),
        (0.04, Chain(_SPARED, _jpeg(_ANY))),
        (0.14, Chain(_SPARED, _jpeg(_ORDINARY))),
        (0.02, Saved(Codec.WEBP, (5, 95), aligned=0.4)),
        (0.01, Chain(_SPARED, Saved(Codec.WEBP, (50, 95), aligned=0.4))),
        (0.015, Saved(Codec.AVIF, (10, 90), aligned=0.4)),
        (0.005, Chain(_SPARED, Saved(Codec.AVIF, (40, 90), aligned=0.4))),
    )
)


def white_noise(sigma: float, channels: Channels = Channels.ALL, width: float = 0.0) -> Degradation:
    """Gaussian noise of one level, in 8-bit levels, blurred by ``width`` pixels first."""
    return AdditiveNoise((sigma, sigma), channels, (width, width))


def _saved(quality: int, codec: Codec = Codec.JPEG) -> Saved:
    return Saved(codec, (quality, quality))


_MEDIUM = CameraNoise(shot=(0.06, 0.06), read=(0.02, 0.02))
_VALIDATION: dict[str, Degradation] = {
    "clean photographs": Nothing(),
    "clean small photographs": Nothing(),
    "clean graphics": Nothing(),
    **{f"noise {s}": white_noise(s) for s in (5, 15, 25, 50)},
    "grain 20": white_noise(20, Channels.BRIGHTNESS, 0.7),
    "noise 15, JPEG 90": Chain(white_noise(15), _saved(90)),
    **{f"JPEG {q}": _saved(q) for q in (10, 40, 80)},
    "graphics, JPEG 90": _saved(90),
    "speckle": Speckle((0.12, 0.12)),
    "impulses 2 %": Impulses(Impulse.SALT_AND_PEPPER, (0.02, 0.02)),
    "WebP 40": _saved(40, Codec.WEBP),
    "camera": Measured(_MEDIUM),
}

# How much was done, and what, is harder to see than white noise alone: the encoder gets a start of its own. Three
# numbers are learned whose errors are several times those of one noise level, so their term counts less.
_WEIGHT = 0.4

# More of it brings clean pictures and cameras' noise no more, and costs pictures of which a part alone is degraded.
_POOLING = 0.5

_RECIPES = {
    "cpu": replace(
        # 8e9 pixels; to the end everything learns, as there is always something new to tell apart.
        SHORT_CPU, steps=110_000, batch=8, patch=96, lambda_est=_WEIGHT, latent_warmup_steps=1_000,
        freeze_latent_from=None,
    ),
    "short": replace(SHORT, lambda_est=_WEIGHT),
    "paper": replace(PAPER, lambda_est=_WEIGHT),
}  # fmt: skip

UNIVERSAL = Task(
    name="universal",
    summary="Remove noise and compression of all kinds; leave what is clean as it is.",
    degradation=_TRAINING,
    variants={
        name: Architecture(
            params=NOISE_GRAIN_QUALITY.size, restorer=name, bounds=NOISE_GRAIN_QUALITY.bounds, pooling=_POOLING
        )
        for name in ("wide", "fast")
    },
    recipes={"wide": _RECIPES, "fast": _RECIPES},
    validation=_VALIDATION,
    protocol=Protocol(colour="rgb", border=0, metrics=("psnr",)),
    benchmarks=(
        *(Benchmark("", CBSD68, f"sigma {s}", white_noise(s)) for s in (10, 30, 50, 70)),
        *(Benchmark("", LIVE1, f"QF {q}", _saved(q)) for q in (10, 40, 80)),
        *photographs("", CC15),
    ),
    clean=CleanMixture(smaller=0.25, graphics=0.15, bars=0.06),
    validation_side=128,  # a quarter of the pixels, as there are four times as many cases
    validation_images={
        "clean small photographs": Clean.SMALL,
        "clean graphics": Clean.GRAPHICS,
        "graphics, JPEG 90": Clean.GRAPHICS,
    },
)
