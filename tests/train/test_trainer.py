"""The training step: it learns, it is reproducible, it survives bad gradients."""

from dataclasses import replace

import pytest
import torch

from tests.pictures import make_photo
from tests.train.conftest import TINY
from undegrade.data.batches import Synthetic
from undegrade.data.training_images import TrainingImages
from undegrade.degrade import Blur, CameraNoise, GaussianNoise, Jpeg, Mixture, OnDirectGrid, Resize
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.train import selection, usual
from undegrade.train import trainer as module
from undegrade.train.steps import TERMS
from undegrade.train.trainer import Trainer


def values(trainer, steps):
    return torch.stack([trainer.step() for _ in range(steps)])


def test_losses_are_finite_and_total_is_their_weighted_sum(make_trainer):
    row = dict(zip(TERMS, values(make_trainer(), 1)[0].tolist(), strict=True))
    assert all(v == v and v >= 0 for v in row.values())
    r = TINY
    total = row["restoration"] + r.beta * row["kl"] + row["reconstruction"]
    total += r.lambda_adv * row["adversarial"] + r.lambda_est * row["estimation"]
    assert row["total"] == pytest.approx(total, rel=1e-5)
    assert row["discriminator"] > 0


def test_same_seed_same_run_other_seed_other_run(make_trainer):
    one, same = values(make_trainer(), 2), values(make_trainer(), 2)
    assert torch.equal(one, same)
    assert not torch.equal(one, values(make_trainer(replace(TINY, seed=1)), 2))


def test_a_short_run_learns_to_restore(make_trainer):
    recipe = replace(TINY, steps=80, warmup=5, lr=1e-3, lambda_adv=0.0, batch=8)
    trainer = make_trainer(recipe, degradation=GaussianNoise((50, 50)))
    rows = values(trainer, 80)[:, TERMS.index("restoration")]
    assert rows[-20:].mean() < 0.6 * rows[:5].mean()


@pytest.mark.parametrize(
    ("architecture", "degradation"),
    [
        (Architecture(), GaussianNoise((0, 75))),
        (Architecture(restorer="fast"), Jpeg((5, 95))),
        (Architecture(channels=1, restorer="fast"), Jpeg((5, 95))),
        (Architecture(scale=2, params=3), Blur.training(2)),
        (Architecture(scale=4, params=3, restorer="fast"), Mixture(Blur.training(4), OnDirectGrid(Resize(4)), 0.5)),
        (Architecture(params=2, restorer="fast"), CameraNoise()),
        (Architecture(restorer="ffdnet", conditioning=Conditioning.NONE), GaussianNoise((0, 75))),
    ],
)
def test_every_kind_of_model_and_damage_trains(architecture, degradation):
    pictures = [make_photo(68, 72, s)[..., : architecture.channels] for s in range(2)]
    recipe = replace(TINY, batch=2)
    trainer = Trainer(architecture, Synthetic(TrainingImages(pictures), degradation, recipe.grey), recipe)
    before = {k: v.clone() for k, v in trainer.model.named_parameters()}
    assert torch.isfinite(values(trainer, 2)).all()
    after = dict(trainer.model.named_parameters())
    assert all(not torch.equal(before[k], after[k]) for k in before if k.endswith("weight"))


def test_in_a_two_stage_model_each_stage_learns_its_own_term(make_trainer):
    """Eqs. (6)-(7): nothing of the restoration reaches the estimator, nothing of the estimation the restorer."""

    def gradients(lambda_est):
        recipe = replace(TINY, lambda_est=lambda_est, clip=float("inf"))
        trainer = make_trainer(recipe, Architecture(restorer="fast", conditioning=Conditioning.ESTIMATE))
        row = dict(zip(TERMS, trainer.step().tolist(), strict=True))
        assert row["total"] == pytest.approx(row["restoration"] + lambda_est * row["estimation"])
        named = trainer.model.named_parameters()
        return {name: p.grad for name, p in named if p.grad is not None and p.grad.any()}

    first, both = gradients(0.0), gradients(1.0)
    assert {name.partition(".")[0] for name in first} == {"restorer"}
    assert {name.partition(".")[0] for name in both} == {"encoder", "estimator", "restorer"}
    assert all(torch.equal(first[name], both[name]) for name in first)


def test_a_two_stage_model_learns_to_read_the_noise_level(make_trainer):
    recipe = replace(TINY, steps=60, warmup=5, lr=1e-3, batch=8, lambda_adv=0.0)
    rows = values(make_trainer(recipe, Architecture(restorer="fast", conditioning=Conditioning.ESTIMATE)), 60)
    off = 255 * rows[:, TERMS.index("estimation")]
    assert off[-20:].mean() < 0.6 * 18.75  # what always saying the middle of 0 to 75 is off by


def test_half_precision_is_used_where_the_processor_has_it_and_hardly_changes_a_step(make_trainer, monkeypatch):
    full = values(make_trainer(), 1)
    monkeypatch.setattr(selection, "multiplies_bfloat16", lambda: False)
    without = make_trainer(replace(TINY, half=True))
    assert torch.equal(full, values(without, 1))
    monkeypatch.setattr(selection, "multiplies_bfloat16", lambda: True)
    trainer = make_trainer(replace(TINY, half=True))
    rounded = values(trainer, 1)
    assert not torch.equal(full, rounded)
    torch.testing.assert_close(full, rounded, rtol=0.03, atol=1e-3)
    assert all(p.dtype == torch.float32 for p in trainer.model.parameters())


def test_a_step_with_bad_gradients_changes_nothing_and_many_stop_the_run(make_trainer, monkeypatch):
    trainer = make_trainer(replace(TINY, lambda_adv=0.0))
    trainer.step()
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    good = trainer.passes.joint
    trainer.passes.joint = lambda y, noise: tuple(t * float("nan") for t in good(y, noise))
    trainer.step()
    assert all(torch.equal(before[k], v) for k, v in trainer.model.state_dict().items())
    monkeypatch.setattr(module, "MAX_SKIPPED", 3)
    with pytest.raises(UndegradeError, match="diverged"):
        values(trainer, 5)
    assert all(torch.isfinite(v).all() for v in trainer.ema.state_dict().values())


def test_a_step_whose_gradient_is_far_longer_than_usual_is_left_out(make_trainer, monkeypatch, capsys):
    monkeypatch.setattr(usual, "_STEADY", 3)
    trainer = make_trainer(replace(TINY, lambda_adv=0.0))
    values(trainer, 4)
    resumed = make_trainer(replace(TINY, lambda_adv=0.0))
    resumed.load(trainer.done, trainer.tensors())

    def largest_change(run):
        before = {k: v.detach().clone() for k, v in run.model.named_parameters()}
        run.step()
        return max(float((v.detach() - before[k]).abs().max()) for k, v in run.model.named_parameters())

    for run in (trainer, resumed):
        monkeypatch.setattr(run.usual["model"], "mean", run.usual["model"].mean / 100)  # as if this one were longer
        assert largest_change(run) == 0
        assert "step 4 is left out" in capsys.readouterr().err
    assert run.done == 5
    assert largest_change(make_trainer(replace(TINY, lambda_adv=0.0))) > 0


def test_a_new_usual_length_of_gradients_is_accepted_after_a_few():
    norms = usual.UsualNorm()
    assert all(norms.admits(n) for n in (9.0, *[1.0] * 200))
    assert norms.mean == pytest.approx(1.0, rel=0.05)
    assert norms.admits(9.0)
    assert [norms.admits(50.0) for _ in range(8)] == [False] * 5 + [True] * 3
    assert norms.mean == 50.0
    again = usual.UsualNorm()
    again.load(norms.tensor())
    assert vars(again) == vars(norms)


def test_averaged_weights_follow_the_weights(make_trainer):
    trainer = make_trainer(replace(TINY, ema=0.0))
    values(trainer, 2)
    for averaged, weight in zip(trainer.ema.parameters(), trainer.model.parameters(), strict=True):
        torch.testing.assert_close(averaged, weight)


def test_starting_from_other_weights_takes_what_fits(make_trainer):
    source, other = make_trainer(replace(TINY, seed=7)), make_trainer(architecture=Architecture())
    assert other.start_from(source.model) == len(source.model.encoder.state_dict()) + len(
        source.model.decoder.state_dict()
    ) + len(source.model.estimator.state_dict())
    assert torch.equal(other.model.encoder.conv1.weight, source.model.encoder.conv1.weight)


def test_a_batch_that_processes_cannot_share_is_refused(make_trainer, monkeypatch):
    monkeypatch.setattr(module.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(module.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(module.dist, "get_world_size", lambda: 3)
    with pytest.raises(UndegradeError, match="multiple"):
        make_trainer()
