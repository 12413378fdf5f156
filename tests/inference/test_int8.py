"""Drafts in int8: the graphs are the rounded networks, tiles are exact, and what does not serve is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tests.inference.drafts import random_draft
from tests.inference.models import WHOLE
from tests.pictures import make_photo
from tools import graphs as tool
from undegrade.errors import UndegradeError
from undegrade.inference import engines, load
from undegrade.inference.graphs import PARTS, filled, find_graph, has_int8_graphs
from undegrade.inference.load import load_pipeline, restore
from undegrade.inference.machine import multiplies_int8
from undegrade.model.architecture import Architecture
from undegrade.model.int8 import Int8ResBlock, calibrate, int8
from undegrade.model.int8_tensors import stored
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.tasks.recipe import Recipe
from undegrade.weights.card import load_weights, shipped_cards
from undegrade.weights.int8 import read_int8

needs_avx2 = pytest.mark.skipif(not multiplies_int8(), reason="int8 is refused on this CPU")
WEIGHTS = Path(tool.__file__).parents[1] / "src" / "undegrade" / "weights"
GRAPHS = {name: wanted for name, wanted in tool.wanted().items() if (tool.FOLDER / f"{name}-int8.onnx").exists()}


def session(part: str, model: VDIR) -> onnxruntime.InferenceSession:
    graph = find_graph(part, model.architecture, int8=True)
    assert graph is not None
    tensors = {n: t for n, t in stored(model).items() if n.startswith(PARTS[part])}
    tensors = {n: t.astype(np.float32) if t.dtype == np.float16 else t for n, t in tensors.items()}
    return onnxruntime.InferenceSession(filled(graph, tensors), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_in_int8_is_made_from_that_in_float32(name: str) -> None:
    """Made by ``python tools/graphs.py``: run it again if the networks changed on purpose."""
    part, architecture = GRAPHS[name]
    float32 = (tool.FOLDER / f"{name}.onnx").read_bytes()
    assert tool.int8_graph(part, architecture, float32) == (tool.FOLDER / f"{name}-int8.onnx").read_bytes()


@pytest.fixture(scope="module", params=["fast", "wide"])
def rounded(request: pytest.FixtureRequest) -> VDIR:
    model = tool.random_model(Architecture(restorer=request.param))
    with torch.no_grad():
        # The first block alone changes anything: what it rounds is seen without the others' answer to it.
        for n, module in enumerate(m for m in model.restorer.modules() if hasattr(m, "conv2")):
            if n > 0:
                module.conv2.weight.mul_(1e-30)
                module.conv2.bias.zero_()
    made = int8(model)
    calibrate(made, torch.rand(2, 3, 48, 48))
    # As stored: the layers in float are in half precision.
    for name, p in made.named_parameters():
        if name.endswith(("head.weight", "head.bias", "tail.weight", "tail.bias", "mean.weight", "mean.bias")):
            p.data = p.data.half().float()
    return made


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (1, 1)])
def test_the_graph_is_the_rounded_network_to_one_step(rounded: VDIR, size: tuple[int, int]) -> None:
    """Nearly everywhere to rounding of float32; where a value lies between two levels, the next one may be taken."""
    y = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.3
    with torch.no_grad():
        posterior = rounded.encode(y)
        xhat = rounded.restore(y, posterior.mean).numpy()
    restoring = session("restore", rounded)
    feed = {"y": y.numpy(), "c": posterior.mean.numpy(), "rows": np.arange(size[0]), "columns": np.arange(size[1])}
    (found,) = restoring.run(None, {given.name: feed[given.name] for given in restoring.get_inputs()})
    block = next(module for module in rounded.restorer.modules() if isinstance(module, Int8ResBlock))
    tail = rounded.restorer.get_parameter("tail.weight").abs().sum((2, 3))
    step = float((tail * block.outer.scale.flatten()).sum(1).max())  # of all channels at once
    assert np.abs(found - xhat).max() <= step
    assert np.median(np.abs(found - xhat)) < 5e-5  # biases are whole numbers of their steps
    mean, logvar = session("encode", rounded).run(None, {"y": y.numpy()})
    last = rounded.encoder.after[4].scale.item()
    heads = rounded.encoder.mean.weight.abs().sum((1, 2, 3)).max().item()
    assert np.abs(mean - posterior.mean.numpy()).max() <= 2 * last * heads
    assert (
        np.sqrt(np.square(mean - posterior.mean.numpy()).mean()) < 0.02 * posterior.mean.std(correction=0).item() + 1e-3
    )
    assert logvar.shape == posterior.logvar.shape


@needs_avx2
@pytest.mark.parametrize("restorer", ["fast", "wide"])
def test_tiles_equal_the_whole_image_bit_for_bit(tmp_path: Path, restorer: str) -> None:
    draft = load_pipeline(weights=random_draft(tmp_path, restorer), draft=True)
    y = np.random.default_rng(0).integers(0, 256, (301, 300, 3), np.uint8)
    whole, tiled = draft(y, tile=WHOLE), draft(y, tile=160)
    np.testing.assert_array_equal(tiled.image, whole.image)
    np.testing.assert_array_equal(tiled.estimate, whole.estimate)


@needs_avx2
def test_the_draft_is_close_to_float32_and_another_file(tmp_path: Path) -> None:
    path = random_draft(tmp_path)
    exact, draft = load_pipeline(weights=path, device="cpu", engine="onnx"), load_pipeline(weights=path, draft=True)
    assert draft.engine.int8
    assert not exact.engine.int8
    assert draft.card is not None
    assert exact.card is not None
    assert draft.card.sha256 != exact.card.sha256
    x = make_photo(96, 120, 3).astype(np.float32) / 255
    one, other = exact(x), draft(x)
    change = np.square(one.image - x).mean()
    assert 0 < np.square(one.image - other.image).mean() < 0.01 * change


def test_what_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = random_draft(tmp_path)
    monkeypatch.setattr(engines, "multiplies_int8", lambda: True)
    for wrong in ({"device": "cuda"}, {"half": True}, {"engine": "torch"}):
        with pytest.raises(UndegradeError, match="a draft is computed in int8 by ONNX Runtime on the CPU; leave out"):
            load_pipeline(weights=path, draft=True, **wrong)  # type: ignore[arg-type]
    draft = load_pipeline(weights=path, draft=True)
    with pytest.raises(UndegradeError, match="uncertainty is not known; leave out draft"):
        draft(np.zeros((16, 16, 3), np.uint8), uncertainty=True)
    with pytest.raises(UndegradeError, match="int8 is for the CPU, not for the device 'meta'"):
        draft.to("meta")
    monkeypatch.setattr(engines, "multiplies_int8", lambda: False)
    with pytest.raises(UndegradeError, match=r"no AVX2.*leave it out"):
        load_pipeline(weights=path, draft=True)


def test_a_file_that_is_missing_broken_or_of_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "check_int8", lambda *_: None)
    path = random_draft(tmp_path)
    others = random_draft(tmp_path / "others", seed=1)
    file = tmp_path / "gaussian-fast-int8.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UndegradeError, match="does not match its card"):
        load_pipeline(weights=path, draft=True)
    for suffix in (".safetensors", ".json"):
        file.with_suffix(suffix).write_bytes((others.parent / file.name).with_suffix(suffix).read_bytes())
    with pytest.raises(UndegradeError, match=r"made of other weights .* make it anew with undegrade train --int8"):
        load_pipeline(weights=path, draft=True)
    file.unlink()
    with pytest.raises(UndegradeError, match=r"no int8 form here .gaussian-fast-int8.safetensors.; leave out --draft"):
        load_pipeline(weights=path, draft=True)


SHIPPED = sorted(file.name.removesuffix("-int8.safetensors") for file in WEIGHTS.glob("*-int8.safetensors"))


def test_the_shipped_files_belong_to_the_shipped_weights() -> None:
    assert SHIPPED
    cards = {card.name: card for card in shipped_cards()}
    for name in SHIPPED:
        card = cards[name]
        found = read_int8(WEIGHTS / f"{name}.safetensors", card)
        assert found.card.dtype == "int8"
        assert Recipe.from_dict(found.card.recipe).int8
        assert has_int8_graphs(Architecture.from_dict(card.architecture))
        lost = [card.measured[cell] - value for cell, value in found.card.measured.items() if cell.endswith(" psnr")]
        assert lost
        assert max(lost) <= 0.05  # dB, on whole benchmarks


@needs_avx2
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_draft_loses_little_and_reads_nearly_the_same(name: str) -> None:
    task, variant = name.split("-")
    x = torch.from_numpy(make_photo(160, 160, 3).astype(np.float32) / 255).permute(2, 0, 1)[None]
    exact, draft = load_pipeline(name, device="cpu", engine="onnx"), load_pipeline(task, variant, draft=True)
    for degradation in TASKS[task].validation.values():
        y = degradation(x, torch.Generator().manual_seed(0)).image
        noisy, clean = (t[0].permute(1, 2, 0).numpy() for t in (y, x))
        one, other = exact(noisy), draft(noisy)
        errors = [np.square(found.image - clean).mean() for found in (one, other)]
        assert 10 * np.log10(errors[1] / errors[0]) < 0.15  # a picture drawn by program: more than photographs lose
        assert np.abs(other.estimate - one.estimate).max() < 10
    np.testing.assert_array_equal(restore(noisy, task, variant, draft=True), other.image)


def test_int8_by_the_flags_of_the_cpu(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert not multiplies_int8(info)
    info.write_text("flags : fpu sse4_2 avx\n")
    assert not multiplies_int8(info)
    info.write_text("flags : fpu avx avx2 fma\n")
    assert multiplies_int8(info)


def test_a_card_of_int8_is_read_as_others_are(tmp_path: Path) -> None:
    path = random_draft(tmp_path)
    card = json.loads((tmp_path / "gaussian-fast-int8.json").read_text())
    assert card["dtype"] == "int8"
    assert card["started_from"] == f"gaussian-fast {load_weights(path)[1].sha256[:12]}"
    assert dataclasses.asdict(load_pipeline(weights=path, device="cpu").card)["dtype"] == "float16"  # type: ignore[arg-type]
