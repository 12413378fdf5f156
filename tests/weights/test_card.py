"""Weights are what their card says, or they are refused with one sentence."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.tasks.recipe import Recipe
from undegrade.weights import card as card_module
from undegrade.weights.card import MAX_BYTES, Card, find_weights, load_weights, save_weights, shipped_cards

ARCHITECTURE = Architecture(restorer="fast")


def model(seed: int = 0) -> VDIR:
    torch.manual_seed(seed)
    return VDIR(ARCHITECTURE)


def card(**changes: object) -> Card:
    values: dict[str, object] = {
        "task": "gaussian",
        "variant": "fast",
        "architecture": {},
        "data": {"images": 2},
        "licence": "CC0",
        "steps": 3,
        "minutes": 0.5,
        "hardware": "2 cores",
        "commit": "abc",
        "recipe": {"lr": 1e-3},
        "measured": {"psnr": 30.0},
    }
    return Card(**{**values, **changes})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_weights(model(), tmp_path / "deep", "mine", card())


def message(path: Path) -> str:
    with pytest.raises(UndegradeError) as error:
        load_weights(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_saved_is_loaded_in_half_precision(weights: Path) -> None:
    loaded, found = load_weights(weights)
    assert loaded.architecture == ARCHITECTURE
    assert not loaded.training
    assert (found.data, found.dtype, found.measured) == ({"images": 2}, "float16", {"psnr": 30.0})
    for (name, a), (other, b) in zip(model().state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other
        assert b.dtype == torch.float32
        torch.testing.assert_close(b, a.half().float(), rtol=0, atol=0)
    assert {name.split(".")[0] for name in loaded.state_dict()} == {
        "encoder",
        "restorer",
        "decoder",
        "estimator",
    }
    assert weights.stat().st_size < MAX_BYTES


def test_the_full_model_fits(tmp_path: Path) -> None:
    path = save_weights(VDIR(Architecture()), tmp_path, "full", card(variant="full"))
    assert path.stat().st_size < MAX_BYTES


def test_the_cards_architecture_counts_not_the_defaults(tmp_path: Path) -> None:
    grey = VDIR(Architecture(channels=1, restorer="fast"))
    loaded, _ = load_weights(save_weights(grey, tmp_path, "x", card()))
    assert loaded.architecture.channels == 1


def test_one_flipped_bit(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    assert "sha256" in message(weights)


def test_cut_short(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "sha256" in message(weights)


def test_no_card(weights: Path) -> None:
    weights.with_suffix(".json").unlink()
    assert "card mine.json is missing" in message(weights)


def test_no_file(tmp_path: Path) -> None:
    assert "no such weights file" in message(tmp_path / "none.safetensors")


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"task": "gaussian"}'])
def test_a_foreign_card(weights: Path, text: str) -> None:
    weights.with_suffix(".json").write_text(text)
    assert "not a card" in message(weights)


def rehash(weights: Path, **changes: object) -> None:
    """Let the card describe the file, as a careless or hostile hand would."""
    import hashlib

    path = weights.with_suffix(".json")
    values = json.loads(path.read_text())
    values["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    path.write_text(json.dumps({**values, **changes}))


def test_a_foreign_file_with_the_right_hash(weights: Path) -> None:
    weights.write_bytes(b"not safetensors at all")
    rehash(weights)
    assert "not a safetensors file" in message(weights)


def test_other_tensors_with_the_right_hash(weights: Path) -> None:
    tensors = safetensors.torch.load_file(weights)
    tensors["surplus"] = torch.zeros(1)
    safetensors.torch.save_file(tensors, weights)
    rehash(weights)
    assert "tensors do not match" in message(weights)


@pytest.mark.parametrize("architecture", [None, {}, {"channels": 3}, {**ARCHITECTURE.to_dict(), "restorer": "huge"}])
def test_an_unknown_architecture(weights: Path, architecture: object) -> None:
    rehash(weights, architecture=architecture)
    assert "mine." in message(weights)


def test_a_null_hash_is_no_hash(weights: Path) -> None:
    path = weights.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": None}))
    assert "sha256" in message(weights)


def test_weights_that_half_precision_cannot_hold(tmp_path: Path) -> None:
    broken = model()
    with torch.no_grad():
        broken.encoder.conv1.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(UndegradeError, match="not finite"):
        save_weights(broken, tmp_path, "x", card())
    assert not list(tmp_path.iterdir())


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "MAX_BYTES", 1000)
    with pytest.raises(UndegradeError, match="MB"):
        save_weights(model(), tmp_path, "x", card())
    assert not list(tmp_path.iterdir())


def test_finding_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "_folder", lambda: tmp_path)
    assert shipped_cards() == []
    with pytest.raises(UndegradeError, match="ships no weights"):
        find_weights("gaussian", ["full", "fast"])
    save_weights(model(), tmp_path, "gaussian-fast", card())
    assert find_weights("gaussian", ["full", "fast"]).name == "gaussian-fast.safetensors"
    with pytest.raises(UndegradeError, match=r"gaussian-full.*use one of: gaussian-fast"):
        find_weights("gaussian", ["full"])
    save_weights(model(1), tmp_path, "gaussian-full", card(variant="full"))
    assert find_weights("gaussian", ["full", "fast"]).name == "gaussian-full.safetensors"
    assert find_weights("gaussian", ["fast"]).name == "gaussian-fast.safetensors"
    assert [c.name for c in shipped_cards()] == ["gaussian-fast", "gaussian-full"]


def test_everything_shipped_loads() -> None:
    for shipped in shipped_cards():
        loaded, found = load_weights(find_weights(shipped.task, [shipped.variant]))
        assert found == shipped
        assert found.licence
        assert loaded.architecture == Architecture.from_dict(found.architecture)


def test_a_card_of_version_0_1_is_read_under_todays_names(tmp_path: Path) -> None:
    old = Card.from_json((Path(__file__).parent / "card-0.1.json").read_text())
    assert Architecture.from_dict(old.architecture) == Architecture(restorer="fast")
    recipe = Recipe.from_dict(old.recipe)
    assert (recipe.latent_warmup_steps, recipe.freeze_latent_from) == (0, 0)
    path = save_weights(model(), tmp_path, "old", old)
    card = json.loads(path.with_suffix(".json").read_text())
    card["architecture"] = dict(old.architecture)
    path.with_suffix(".json").write_text(json.dumps(card))
    assert load_weights(path)[0].architecture == ARCHITECTURE


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": {**ARCHITECTURE.to_dict(), "params": 1_000_000}},
        {"architecture": {**ARCHITECTURE.to_dict(), "params": 1.0}},
        {"architecture": {**ARCHITECTURE.to_dict(), "channels": True}},
        {"architecture": {**ARCHITECTURE.to_dict(), "bounds": [float("1e400")]}},
        {"architecture": {**ARCHITECTURE.to_dict(), "restorer": ["fast"]}},
        {"architecture": []},
        {"recipe": {"lambda_est": "much"}},
        {"recipe": {"batch": [1]}},
        {"task": ["gaussian"]},
        {"variant": "../../x"},
        {"steps": -1},
        {"steps": "many"},
        {"minutes": None},
        {"pixels": 1e30},
        {"sha256": 5},
    ],
)
def test_malformed_cards_are_refused_before_anything_is_built(
    weights: Path, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    rehash(weights, **changes)
    monkeypatch.setattr(card_module, "built", None)
    text = message(weights)
    assert text.startswith(str(weights.parent))
    assert len(text) < 1000


@pytest.mark.parametrize("text", ["[" * 200_000, "{}", "null", "5", '{"task": NaN}', "\0"])
def test_cards_of_nonsense(weights: Path, text: str) -> None:
    weights.with_suffix(".json").write_text(text)
    assert "not a card of undegrade weights" in message(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(weights: Path, value: float) -> None:
    """They restored every picture to black, without a word."""
    tensors = safetensors.torch.load(weights.read_bytes())
    next(iter(tensors.values())).flatten()[0] = value
    weights.write_bytes(safetensors.torch.save(tensors))
    rehash(weights)
    assert "NaN or infinity" in message(weights)


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.bool])
def test_weights_of_other_numbers(weights: Path, dtype: torch.dtype) -> None:
    tensors = {key: t.to(dtype) for key, t in safetensors.torch.load(weights.read_bytes()).items()}
    weights.write_bytes(safetensors.torch.save(tensors))
    rehash(weights)
    assert "instead of floats" in message(weights)


def test_weights_and_cards_that_are_no_files(weights: Path) -> None:
    import os

    for path in (weights, weights.with_suffix(".json")):
        kept = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert "pipe" in message(weights)
        path.unlink()
        path.symlink_to("/dev/zero")
        assert "device" in message(weights)
        path.unlink()
        with path.open("wb") as file:
            file.truncate(2**40)
        assert "larger than" in message(weights)
        path.unlink()
        path.write_bytes(kept)
    load_weights(weights)
