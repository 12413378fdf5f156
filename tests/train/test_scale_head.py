"""The scale head learns the true scale where it is known, and nothing else of the model changes by a bit."""

import dataclasses
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.conftest import TINY
from undegrade.cli import main
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import Degradation, GaussianNoise
from undegrade.degrade.base import Degraded, Quantity
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer
from undegrade.weights.card import Card, load_weights, save_weights

HEADED = Architecture(restorer="fast", scale_head=True)


INSIDE = (60, 195)
"""Of 8 bits: little of the noise goes beyond black and white, where it would be clipped."""


def true_scale(x: Tensor) -> Tensor:
    """4 8-bit levels in the darkest, 12 in the brightest places."""
    return (4 + 8 * (255 * x - INSIDE[0]) / (INSIDE[1] - INSIDE[0])) / 255


@dataclass(frozen=True)
class LaplaceNoise(Degradation):
    """y = x + n, n of a Laplace density whose scale is known at every pixel."""

    quantity = Quantity("noise level", 1, 255.0, "8-bit levels")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Degraded:
        u = torch.rand(x.shape, generator=generator) - 0.5
        return Degraded(x - true_scale(x) * u.sign() * torch.log1p(-2 * u.abs()), torch.zeros(len(x), 1))


def test_it_learns_the_true_scale_of_pure_laplace_noise():
    """A restorer that does nothing leaves the noise as its error: b(y) is then the noise's scale, in closed form."""
    ramp = np.linspace(*INSIDE, 256).astype(np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2)
    source = Synthetic(TrainingImages([ramp]), LaplaceNoise(), 0.0)
    recipe = replace(TINY, steps=300, lr=2e-2, warmup=20, batch=4, patch=24, ema=0.97, grey=0.0, lambda_adv=0.0)
    trainer = Trainer(HEADED, source, recipe)
    for model in (trainer.model, trainer.ema):
        for name in ("weight", "bias"):
            model.restorer.tail.get_parameter(name).data.zero_()
    for _ in range(recipe.steps):
        trainer.step()
    x = torch.linspace(INSIDE[0] / 255, INSIDE[1] / 255, 256).expand(1, 3, 96, 256)
    y = LaplaceNoise()(x, torch.Generator().manual_seed(1)).image
    with torch.no_grad():
        xhat, b = trainer.ema.restore_with_scale(y, trainer.ema.encode(y).mean)
    assert torch.equal(xhat, y)
    ratio = (b / true_scale(x[:, :1]))[0, 0, 8:-8].mean(0)[8:-8]
    assert 0.95 < ratio.mean() < 1.05
    assert 0.8 < ratio.min() < ratio.max() < 1.25  # a fresh head is off by a factor of 1 to 3


def test_it_learns_of_what_files_hold(make_trainer, monkeypatch):
    """Noise that is clipped leaves larger errors than noise that is not."""
    trainer = make_trainer(TINY, HEADED, GaussianNoise((70, 75)))
    assert not 0 <= trainer.batch(0).y.min() <= trainer.batch(0).y.max() <= 1
    shown = []
    scale = trainer.passes.scale
    monkeypatch.setattr(trainer.passes, "scale", lambda y, noise: shown.append(y) or scale(y, noise))
    trainer.step()
    (y,) = shown
    assert (y.min(), y.max()) == (0, 1)
    torch.testing.assert_close(255 * y, (255 * y).round(), rtol=0, atol=1e-4)


def test_nothing_else_learns(make_trainer):
    trainer = make_trainer(replace(TINY, muon=True, freeze_latent_from=1), HEADED)
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
    assert {term for term, value in row.items() if value == value} == {"restoration", "total", "grad_norm"}
    trainer.step()
    for state in (trainer.model.state_dict(), trainer.ema.state_dict()):
        changed = {name for name, tensor in state.items() if not torch.equal(tensor, before[name])}
        assert changed == {name for name in before if name.startswith("scale.")}
    batch = trainer.batch(0)
    assert len(trainer.gradients(batch)) == 4
    assert all(g.isfinite().all() and g.any() for g in trainer.gradients(batch))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    measured = {"CBSD68 sigma 50 psnr": 27.9}
    card = Card("gaussian", "fast", {}, {"images": 2}, "CC0", 9, 0.5, "2 cores", "abc", {"lambda_est": 1.0}, measured)
    return save_weights(VDIR(replace(HEADED, scale_head=False)), tmp_path / "init", "gaussian-fast", card)


def command(folder: Path, out: Path, *options: str) -> list[str]:
    return [
        "train", "gaussian", "--variant", "fast", "--data", str(folder), "--out", str(out), "--batch", "2", "--patch",
        "16", "--steps", "3", "--device", "cpu", "--convolution", "float32", "--scale-head", *options,
    ]  # fmt: skip


def test_weights_get_a_head_and_stay_what_they_were(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "run"
    assert main(command(folder, out, "--init", str(weights), "--stop-at", "2", "--licence", "CC0")) == 0
    assert main(command(folder, out, "--licence", "CC0")) == 0  # goes on without the weights
    old, old_card = load_weights(weights)
    new, card = load_weights(out / "gaussian-fast.safetensors")
    assert new.architecture == HEADED
    for name, tensor in old.state_dict().items():
        assert torch.equal(tensor, new.state_dict()[name]), name
    assert card.restorer_sha256 == old_card.sha256 != card.sha256
    facts = dict(card.scale_head)
    assert (facts["steps"], facts["pixels"], facts["licence"]) == (3, 3 * 2 * 16**2, "CC0")
    same = dataclasses.replace(card, architecture=old_card.architecture, scale_head={}, sha256=old_card.sha256)
    assert same == old_card
    # A head can learn on, from weights that have one.
    assert main(command(folder, tmp_path / "more", "--init", str(out / "gaussian-fast.safetensors"))) == 0
    again = load_weights(tmp_path / "more" / "gaussian-fast.safetensors")[1]
    assert again.restorer_sha256 == old_card.sha256


def test_a_cooldown_of_a_head_is_written_too(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "run"
    open_ended = [w for w in command(folder, out, "--open-ended", "--pixels", "1000") if w not in ("--steps", "3")]
    assert main([*open_ended, "--init", str(weights)]) == 0
    cooling = [w for w in command(folder, out, "--cooldown", "0.001") if w not in ("--steps", "3")]
    assert main(cooling) == 0
    (found,) = out.glob("cooldown-*/gaussian-fast.safetensors")
    assert load_weights(found)[1].restorer_sha256 == load_weights(weights)[1].sha256


def test_what_a_head_cannot_be_added_to_is_said_at_once(
    folder: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, what in (
        ([], "give them with --init"),
        (["--init", str(tmp_path / "none.safetensors")], "no such weights file"),
        (["--init", str(weights), "--init-parts", "encoder"], "leave out --init-parts"),
        (["--init", str(weights), "--no-latent"], "these weights are for gaussian-fast, not gaussian-fast-no-latent"),
    ):
        assert main(command(folder, tmp_path / "run", *options)) == 2
        assert what in capsys.readouterr().err
    other = shutil.copytree(weights.parent, tmp_path / "other") / weights.name
    values = json.loads(other.with_suffix(".json").read_text())
    other.with_suffix(".json").write_text(json.dumps({**values, "task": "jpeg"}))
    assert main(command(folder, tmp_path / "run", "--init", str(other))) == 2
    assert "these weights are for jpeg-fast" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
