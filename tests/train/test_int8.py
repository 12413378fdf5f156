"""A model in int8 learns to follow the same one in float32, goes on after a stop, and is written as it computes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.conftest import TINY
from undegrade.cli import main
from undegrade.model.architecture import Architecture
from undegrade.model.int8_tensors import restored, stored
from undegrade.model.objective import Followed, following_loss
from undegrade.model.vdir import VDIR
from undegrade.train.steps import TERMS
from undegrade.weights.card import Card, load_weights, read_card, save_weights
from undegrade.weights.int8 import read_int8

INT8 = replace(TINY, int8=True, lambda_adv=0.0, muon=False, lr=2e-5, warmup=1, steps=12, patch=32, ema=0.0)


@pytest.fixture(autouse=True)
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those by which the first scales are chosen: most of the time would go there."""
    monkeypatch.setattr("undegrade.train.trainer.CALIBRATION", 8_000)


def a_model() -> VDIR:
    torch.manual_seed(3)
    model = VDIR(Architecture(restorer="fast"))
    model.restorer.get_parameter("tail.weight").data.mul_(3)
    return model


def test_the_loss_is_the_share_of_square_error_that_is_added() -> None:
    x = torch.zeros(2, 3, 4, 4)
    rest = torch.zeros(2, 1, 1, 1), torch.zeros(2, 4, 1, 1)
    wanted = Followed(x + 0.1, *rest)
    assert following_loss(x, wanted, wanted) == 0
    made = Followed(x + 0.1 + 0.01 * torch.tensor([1.0, -1.0]).repeat(2), *rest)
    assert float(following_loss(x, made, wanted)) == pytest.approx(0.01, rel=0.02)


def test_it_follows_and_nothing_but_encoder_and_restorer_learn(make_trainer) -> None:
    trainer = make_trainer(INT8)
    assert trainer.start_from(a_model()) > 0
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    teacher = {k: v.clone() for k, v in trainer.teacher.state_dict().items()}
    assert all(torch.equal(tensor, a_model().state_dict()[name]) for name, tensor in teacher.items())

    def lost() -> float:
        batch = trainer.batch(100)
        made, wanted = trainer.passes.int8(batch.y, trainer.teacher)
        return float(following_loss(batch.x, made, wanted).detach())

    at_first = lost()
    for _ in range(12):
        row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
    assert {term for term, value in row.items() if value == value} == {
        "restoration", "estimation", "total", "grad_norm"
    }  # fmt: skip
    assert 0 < lost() < at_first
    changed = {name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.partition(".")[0] for name in changed} == {"encoder", "restorer"}
    assert any("logarithm" in name for name in changed)
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in trainer.teacher.state_dict().items())
    again = make_trainer(INT8)
    again.load(trainer.done, {name: tensor.clone() for name, tensor in trainer.tensors().items()})
    torch.testing.assert_close(again.step(), trainer.step(), rtol=0, atol=0, equal_nan=True)


def test_what_is_stored_computes_the_same(make_trainer) -> None:
    trainer = make_trainer(INT8)
    trainer.start_from(a_model())
    trainer.step()
    tensors = {n: t.astype(np.float32) if t.dtype == np.float16 else t for n, t in stored(trainer.ema).items()}
    again = restored(trainer.teacher, tensors)
    y = trainer.batch(0).y
    with torch.no_grad():
        one, other = (model.restore(y, trainer.ema.encode(y).mean) for model in (trainer.ema, again))
        # Half precision of head and tail, after which a few values are rounded the other way.
        assert float((one - other).square().mean().sqrt()) < 0.01 * float((one - y).square().mean().sqrt())
        same = stored(again)
    assert all(np.array_equal(same[n], t) for n, t in stored(trainer.ema).items() if t.dtype == np.int8)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    card = Card("gaussian", "fast", {}, {"images": 2}, "CC0", 9, 0.5, "2 cores", "abc", {"lambda_est": 1.0}, {})
    return save_weights(a_model(), tmp_path / "init", "gaussian-fast", card)


def command(folder: Path, out: Path, *options: str) -> list[str]:
    return [
        "train", "gaussian", "--variant", "fast", "--data", str(folder), "--out", str(out), "--batch", "2", "--patch",
        "16", "--device", "cpu", "--int8", *options,
    ]  # fmt: skip


def test_the_command_writes_a_file_for_the_weights_of_init(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "run"
    assert main(command(folder, out, "--init", str(weights), "--steps", "3", "--stop-at", "2")) == 0
    assert not list(out.glob("*.safetensors"))
    assert main(command(folder, out, "--steps", "3")) == 0  # goes on, with its teacher
    file = out / "gaussian-fast-int8.safetensors"
    assert file.stat().st_size < 1_200_000
    card = read_card(file)
    assert (card.name, card.dtype, card.steps) == ("gaussian-fast", "int8", 3)
    assert card.recipe["int8"] is True
    for own in out.glob("gaussian-fast-int8.*"):
        shutil.copy(own, weights.parent)
    found = read_int8(weights, load_weights(weights)[1])
    assert found.tensors["restorer.blocks.4.conv2.weight"].dtype == np.int8


def test_a_run_without_end_is_cooled_down_as_others_are(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "run"
    assert main(command(folder, out, "--init", str(weights), "--open-ended", "--pixels", "1000")) == 0
    assert main(command(folder, out, "--cooldown", "0.001")) == 0
    assert [file.name for file in out.glob("cooldown-*/*.safetensors")] == ["gaussian-fast-int8.safetensors"]


def test_what_it_cannot_be_made_of_is_said_at_once(
    folder: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, what in (
        ([], "an int8 form is made of finished weights; give them with --init"),
        (["--init", str(weights), "--init-parts", "encoder"], "leave out --init-parts"),
        (["--init", str(weights), "--scale-head"], "leave out --scale-head, --no-latent and --two-stage"),
    ):
        assert main(command(folder, tmp_path / "run", *options)) == 2
        assert what in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
