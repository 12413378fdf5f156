"""Muon against an SVD and against torch's own; in the trainer it moves what it should."""

from dataclasses import replace

import pytest
import torch

from tests.train.conftest import TINY
from undegrade.errors import UndegradeError
from undegrade.train.loop import Limits, run
from undegrade.train.muon import Muon, orthogonalised
from undegrade.train.steps import TERMS

MUON = replace(TINY, muon=True, batch=2)


@pytest.mark.parametrize("shape", [(3, 8, 40), (2, 40, 8), (1, 16, 16)])
def test_a_turned_matrix_keeps_directions_and_evens_out_sizes(shape):
    g = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vt = torch.linalg.svd(g, full_matrices=False)
    projected = (u.mT @ orthogonalised(g) @ vt.mT).float()
    sizes = projected.diagonal(dim1=1, dim2=2)
    assert (sizes > 0.5).all()
    assert (sizes < 1.3).all()
    torch.testing.assert_close(projected, torch.diag_embed(sizes), atol=1e-4, rtol=0)


def test_a_gradient_of_zero_moves_nothing():
    weight = torch.nn.Parameter(torch.ones(4, 4, 3, 3))
    weight.grad = torch.zeros_like(weight)
    Muon([weight], lr=1.0).step()
    assert torch.equal(weight, torch.ones_like(weight))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_steps_are_those_of_torch_on_the_matrix(layout):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(8, 6, 3, 3, generator=generator)
    ours = torch.nn.Parameter(start.clone(memory_format=layout))
    theirs = torch.nn.Parameter(start.flatten(1).clone())
    muon = Muon([ours], lr=0.1)
    oracle = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        g = torch.randn(start.shape, generator=generator)
        ours.grad, theirs.grad = g.clone(memory_format=layout), g.flatten(1)
        muon.step()
        oracle.step()
    moved = (theirs - start.flatten(1)).norm()
    assert (ours.flatten(1) - theirs).norm() < 0.02 * moved  # theirs multiplies in bfloat16


def test_square_convolutions_of_restorer_and_encoder_learn_by_muon_and_the_rest_by_adam(make_trainer):
    trainer = make_trainer(MUON)
    muon = {id(p) for group in trainer.optimizers["muon"].param_groups for p in group["params"]}
    names = {name for name, p in trainer.model.named_parameters() if id(p) in muon}
    restorer = {f"restorer.blocks.{n}.conv{i}.weight" for n in range(5) for i in (1, 2)}
    assert names == restorer | {f"encoder.conv{i}.weight" for i in range(2, 6)}
    everything = sum(len(g["params"]) for o in trainer.optimizers.values() for g in o.param_groups)
    assert everything == len(list(trainer.model.parameters()))


@pytest.mark.parametrize(
    ("warmup", "freeze_from"),
    [*(pytest.param(*stages, marks=pytest.mark.slow) for stages in ((0, None), (0, 2), (0, 3))), (1, 3), (3, None)],
)
def test_a_run_with_muon_and_all_stages_resumes_bit_for_bit(make_trainer, tmp_path, warmup, freeze_from):
    recipe = replace(MUON, latent_warmup_steps=warmup, freeze_latent_from=freeze_from)
    whole = make_trainer(recipe)
    run(whole, tmp_path / "whole", Limits(), None, {})
    run(make_trainer(recipe), tmp_path / "halves", Limits(stop_at=2), None, {})
    second = make_trainer(recipe)
    run(second, tmp_path / "halves", Limits(), None, {})
    assert whole.tensors().keys() == second.tensors().keys()
    assert all(torch.equal(v, second.tensors()[k]) for k, v in whole.tensors().items())


def test_from_the_rest_on_only_the_restorer_learns(make_trainer):
    trainer = make_trainer(replace(MUON, freeze_latent_from=2, ema=0.5))
    trainer.step()
    trainer.step()
    averaged = {k: v.clone() for k, v in trainer.ema.state_dict().items()}
    before = {k: v.clone() for k, v in trainer.model.restorer.state_dict().items()}
    row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
    assert row["restoration"] == row["total"] > 0
    assert row["kl"] != row["kl"]  # not worked out
    for name, value in trainer.model.state_dict().items():
        if not name.startswith("restorer."):
            assert torch.equal(value, averaged[name])
    after = trainer.model.restorer.state_dict()
    assert all(not torch.equal(before[k], after[k]) for k in before if k.endswith("weight"))


def test_in_the_lead_all_but_the_restorer_learns(make_trainer):
    trainer = make_trainer(replace(MUON, latent_warmup_steps=2, lambda_adv=1e-3))
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    for _ in range(2):
        row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
    r = trainer.recipe
    assert row["restoration"] != row["restoration"]  # not worked out
    total = r.beta * row["kl"] + row["reconstruction"] + r.lambda_est * row["estimation"]
    assert row["total"] == pytest.approx(total)
    for name, value in trainer.model.state_dict().items():
        if name.endswith("weight"):
            assert torch.equal(value, before[name]) is name.startswith("restorer."), name
    row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
    assert row["restoration"] > 0
    assert not torch.equal(trainer.model.restorer.head.weight, before["restorer.head.weight"])


def test_the_log_leaves_out_what_was_not_worked_out(make_trainer, tmp_path):
    run(make_trainer(replace(MUON, freeze_latent_from=0)), tmp_path, Limits(log_every=2), None, {})
    log = (tmp_path / "metrics.jsonl").read_text()
    assert "NaN" not in log
    assert '"restoration"' in log
    assert '"kl"' not in log


def test_a_state_of_another_optimizer_is_refused(make_trainer, tmp_path):
    run(make_trainer(replace(TINY, batch=2)), tmp_path, Limits(stop_at=1), None, {})
    with pytest.raises(UndegradeError, match="does not fit"):
        run(make_trainer(MUON), tmp_path, Limits(), None, {})
