"""The ways to convolve against torch's own: values, gradients, whole steps, and the choice between them."""

import re
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.train.conftest import TINY
from undegrade import native
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture
from undegrade.model.blocks import ResBlock
from undegrade.native import NotCompiled
from undegrade.tasks import TASKS
from undegrade.train import selection
from undegrade.train.amx import Amx
from undegrade.train.selection import choose
from undegrade.train.winograd import Winograd

CPU = replace(TINY, half=True, muon=True, lambda_adv=0.0)


@pytest.fixture(params=["winograd", "amx"])
def kernels(request):
    """What this machine can compile and run, and how far from float32 it may be."""
    try:
        return (Winograd(), 1e-5) if request.param == "winograd" else (Amx(), 5e-3)
    except NotCompiled as error:
        pytest.skip(str(error))


def off(found, wanted):
    return float((found.detach().float() - wanted.detach()).norm() / wanted.detach().norm())


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("inputs", "outputs", "batch", "height", "width"),
    [(96, 96, 2, 12, 8), (16, 24, 3, 5, 33), (3, 64, 1, 7, 70), (64, 3, 2, 2, 1), (32, 40, 1, 1, 3), (8, 8, 2, 90, 60)],
)
def test_convolutions_and_all_their_gradients_are_torchs(kernels, threads, inputs, outputs, batch, height, width):
    kernels, tolerance = kernels
    torch.manual_seed(0)
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    x = torch.randn(batch, inputs, height, width, requires_grad=True)
    g = torch.randn(batch, outputs, height, width)
    leaves = (x, conv.weight, conv.bias)
    wanted = F.conv2d(*leaves, padding=1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = kernels.conv(conv, x)
        gradients = torch.autograd.grad(found, leaves, g.to(found.dtype))
    finally:
        torch.set_num_threads(before)
    assert off(found, wanted) < tolerance
    for ours, theirs in zip(gradients, torch.autograd.grad(wanted, leaves, g), strict=True):
        assert ours.dtype == torch.float32
        assert off(ours, theirs) < tolerance


def test_a_relu_and_a_residual_block_pass_gradients_where_torch_does(kernels):
    """On inputs whose sums are exact in bfloat16, so that every ReLU is on the same side."""
    kernels, tolerance = kernels
    generator = torch.Generator().manual_seed(0)

    def small(*shape):
        return torch.randint(-2, 3, shape, generator=generator).float()

    block = ResBlock(32)
    with torch.no_grad():
        for conv in (block.conv1, block.conv2):
            # A quarter of the taps; a bias of a half, so that no sum is near zero.
            conv.weight.copy_(small(32, 32, 3, 3) * (small(32, 32, 3, 3) > 1))
            conv.bias.fill_(0.5)
    h, g = small(2, 32, 12, 16).requires_grad_(), small(2, 32, 12, 16)
    leaves = (h, *block.parameters())
    for found, wanted in (
        (kernels.conv(block.conv1, h, relu=True), torch.relu(block.conv1(h))),
        (kernels.block(block.conv1, block.conv2, h), block(h)),
    ):
        assert off(found, wanted) < tolerance
        ours = torch.autograd.grad(found, leaves, g.to(found.dtype), allow_unused=True)
        theirs = torch.autograd.grad(wanted, leaves, g, allow_unused=True)
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            assert a is None or off(a, b) < tolerance


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (1, 1)])
def test_pooling_and_enlarging_pass_gradients_where_torch_does(kernels, height, width):
    kernels, tolerance = kernels
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 40, 3, padding=1)
    with torch.no_grad():
        conv.weight.copy_(torch.randint(-1, 2, conv.weight.shape))  # many ties, and sums that are exact in bfloat16
        conv.bias.fill_(0.5)
    x = torch.randint(-1, 2, (2, 32, height, width)).float().requires_grad_()
    for found, wanted in (
        (kernels.conv_relu_pool(conv, x), F.max_pool2d(torch.relu(conv(x)), 2, ceil_mode=True)),
        (kernels.double(x), F.interpolate(x, scale_factor=2.0, mode="nearest")),
    ):
        assert off(found, wanted) < tolerance
        g = torch.randint(-2, 3, wanted.shape).float()
        leaves = (x, conv.weight, conv.bias)
        ours = torch.autograd.grad(found, leaves, g.to(found.dtype), allow_unused=True)
        theirs = torch.autograd.grad(wanted, leaves, g, allow_unused=True)
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            assert a is None or off(a, b) < tolerance


@pytest.mark.parametrize("restorer", ["fast", "ffdnet"])
def test_steps_have_the_losses_of_torchs_way(make_trainer, restorer):
    recipe = replace(CPU, steps=12, patch=16, batch=2)
    losses = {}
    for name in selection.PATHS:
        trainer = make_trainer(recipe, Architecture(restorer=restorer))
        try:
            trainer.use(name)
        except NotCompiled:
            continue
        losses[name] = torch.stack([trainer.step() for _ in range(3)])
    for name, rows in losses.items():
        tolerance = 0.05 if selection.PATHS[name].half else 1e-3
        torch.testing.assert_close(rows[:, :6], losses["float32"][:, :6], rtol=tolerance, atol=tolerance)


def test_small_numbers_do_not_become_denormal_gradients(kernels):
    kernels, _ = kernels
    conv = nn.Conv2d(32, 32, 3, padding=1)
    x = torch.full((1, 32, 8, 8), 1e-30, requires_grad=True)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of an earlier test would not take over the mode
    torch.set_flush_denormal(True)
    try:
        y = kernels.conv(conv, x)
        gradients = torch.autograd.grad(y, (x, conv.weight), torch.full_like(y, 1e-12))
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    for values in gradients:
        assert not ((values != 0) & (values.abs() < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.parametrize("name", ["winograd", "amx"])
@pytest.mark.parametrize("task", ["universal", "gaussian", "jpeg", "real", "sr-x2"])
def test_every_shipped_architecture_has_the_gradients_of_float32(make_trainer, task, name):
    # A model's own forward passes are stood in for by others: bounds of an estimate had been forgotten there.
    task = TASKS[task]
    variant = next(iter(task.variants))
    recipe = replace(CPU, patch=16, grey=0.0)
    trainer = make_trainer(recipe, task.variants[variant], task.degradation)
    batch = trainer.batch(0)
    trainer.use("float32")  # where the CPU has bfloat16, that is the usual way
    wanted = torch.cat([g.flatten() for g in trainer.gradients(batch)])
    try:
        trainer.use(name)
    except UndegradeError as error:
        pytest.skip(str(error))
    found = torch.cat([g.flatten() for g in trainer.gradients(batch)])
    cosine = torch.nn.functional.cosine_similarity(found.double(), wanted.double(), dim=0)
    assert cosine >= selection.PATHS[name].agrees


def test_the_choice_is_the_quickest_that_agrees(make_trainer, monkeypatch, capsys):
    took = iter([4.0, 3.0, 2.0, 1.0])
    monkeypatch.setattr(selection, "_fastest", lambda work: next(took))
    trainer = make_trainer(CPU)
    before = {k: v.clone() for k, v in trainer.tensors().items()}
    found = choose(trainer)
    said = capsys.readouterr().err
    assert trainer.path == found == ("amx" if re.search(r"\bamx \d", said) else "winograd")  # where there are tiles
    assert "amx: this CPU has no bfloat16 tiles" in said or "failed" not in said
    assert all(torch.equal(before[k], v) for k, v in trainer.tensors().items())


def test_a_way_with_other_gradients_is_left_out(make_trainer, monkeypatch, capsys):
    wrong = replace(selection.PATHS["winograd"], agrees=2.0)
    monkeypatch.setattr(selection, "PATHS", selection.PATHS | {"winograd": wrong})
    assert choose(make_trainer(CPU), ["float32", "winograd"]) == "float32"
    assert "winograd" in capsys.readouterr().err


def test_without_a_compiler_training_goes_on_in_torchs_way(make_trainer, monkeypatch, capsys, tmp_path):
    native.forget()
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path))  # what was compiled earlier would serve on
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    try:
        trainer = make_trainer(CPU)
        assert choose(trainer) in ("float32", "bfloat16")
        assert "no C++ compiler" in capsys.readouterr().err
        assert torch.isfinite(trainer.step()[0])
    finally:
        native.forget()


def test_a_compiler_that_fails_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    native.forget()
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path))
    try:
        with pytest.raises(NotCompiled, match="false failed"):
            native.library("winograd")
        assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    finally:
        native.forget()


def test_an_unknown_way_gets_one_sentence(make_trainer):
    with pytest.raises(UndegradeError, match="no way 'magic'"):
        make_trainer(CPU).use("magic")
