"""The losses of a tiny run, kept in ``golden.json``: nobody changes the method without seeing it.

If you change it on purpose, write the file anew, look at the difference, and say in the commit why it changed:

    python -m tests.train.test_golden

The run goes through every stage: encoder, decoder and estimator alone, all parts against the discriminator, the
restorer alone. It is worked out in double precision. In float32 other CPUs round differently, and thirty steps let a
relative difference of 1e-7 grow to a tenth and more; in double precision it stays far below the tolerance.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from tests.pictures import make_photo
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import GaussianNoise
from undegrade.model.architecture import Architecture
from undegrade.tasks.recipe import Recipe
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 1e-6
"""Relative. Other instructions, two threads, no oneDNN, or weights shaken by 1e-14 stayed below 1e-11."""

RECIPE = Recipe(
    steps=30,
    batch=2,
    patch=16,
    lr=1e-3,
    lr_floor=1e-6,
    warmup=5,
    # Weights so large that none of the terms can be lost in the sum.
    beta=0.05,
    lambda_adv=0.1,
    lambda_est=0.5,
    clip=1.0,
    ema=0.9,
    grey=0.3,
    muon=True,
    latent_warmup_steps=4,
    freeze_latent_from=20,
    seed=1,
)

Row = Mapping[str, float]


@contextmanager
def double_precision() -> Iterator[None]:
    """What would be float32 is float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield
    finally:
        torch.set_default_dtype(before)


def run(recipe: Recipe, steps: int) -> list[Row]:
    """The terms that each step has worked out, and at the end the averaged weights' restoration of a fixed batch."""
    with double_precision():
        images = TrainingImages([make_photo(40, 56, seed) for seed in range(3)])
        source = Synthetic(images, GaussianNoise((0, 75)), recipe.grey)
        trainer = Trainer(Architecture(restorer="fast"), source, recipe)
        rows = [dict(zip(TERMS, trainer.step().tolist(), strict=True)) for _ in range(steps)]
        x, y, _, _ = trainer.batch(0)
        with torch.no_grad():
            rows.append({"averaged": (trainer.ema(y) - x).abs().mean().item()})
    return [{term: value for term, value in row.items() if math.isfinite(value)} for row in rows]


def differences(found: list[Row], kept: list[Row]) -> list[str]:
    """Every term that is not what was kept, in words."""
    assert len(found) <= len(kept)
    return [
        f"step {step}: {term} is {a.get(term)}, not {b.get(term)}"
        for step, (a, b) in enumerate(zip(found, kept, strict=False))
        for term in sorted({*a, *b})
        if not (term in a and term in b and math.isclose(a[term], b[term], rel_tol=TOLERANCE, abs_tol=1e-12))
    ]


def kept() -> list[Row]:
    rows: list[Row] = json.loads(GOLDEN.read_text(encoding="ascii"))
    return rows


def test_the_losses_are_those_of_the_golden_run() -> None:
    found = differences(run(RECIPE, RECIPE.steps), kept())
    assert not found, "\n".join([f"{len(found)} terms differ; see the head of this file.", *found[:10]])


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"seed": 2}, 1),
        ({"grey": 0.9}, 1),
        ({"beta": 0.051}, 1),
        ({"lambda_est": 0.51}, 1),
        ({"lr": 1.01e-3}, 2),
        ({"warmup": 6}, 2),
        ({"clip": 10.0}, 3),
        ({"muon": False}, 2),
        ({"latent_warmup_steps": 1}, 2),
        ({"lambda_adv": 0.101}, 5),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_change_of_the_recipe_would_be_seen(change: dict[str, float], steps: int) -> None:
    assert differences(run(replace(RECIPE, **change), steps)[:-1], kept())


def test_another_start_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not differences(run(RECIPE, 1)[:-1], kept())
    monkeypatch.setattr("undegrade.model.autoencoder.CONTRAST", 6.01)
    assert differences(run(RECIPE, 1)[:-1], kept())


if __name__ == "__main__":
    rows = run(RECIPE, RECIPE.steps)
    lines = ",\n".join(json.dumps({term: float(f"{value:.12g}") for term, value in row.items()}) for row in rows)
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="ascii")
