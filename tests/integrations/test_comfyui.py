"""The nodes, loaded as ComfyUI loads a folder of custom nodes."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import undegrade
from tests.pictures import make_photo
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import Choice, select_task

FOLDER = Path(__file__).parents[2] / "integrations" / "comfyui"


@pytest.fixture(scope="module")
def nodes() -> Iterator[ModuleType]:
    name = "custom_nodes_undegrade"
    spec = importlib.util.spec_from_file_location(name, FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    for known in [n for n in sys.modules if n.partition(".")[0] == name]:
        del sys.modules[known]


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    """A batch of two: noise of level 30 and of 60."""
    clean = make_photo(64, 80, 1).astype(np.float32) / 255
    random = np.random.default_rng(0)
    noisy = [clean + random.normal(0, sigma / 255, clean.shape) for sigma in (30, 60)]
    return torch.from_numpy(np.stack(noisy).astype(np.float32))


def test_comfyui_finds_what_it_looks_for(nodes: ModuleType) -> None:
    assert set(nodes.NODE_CLASS_MAPPINGS) == set(nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        assert callable(getattr(node, node.FUNCTION))
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
        required = node.INPUT_TYPES()["required"]
        assert required["image"] == ("IMAGE",)
        assert "gaussian" in required["task"][0]


def test_restore(nodes: ModuleType, image: torch.Tensor) -> None:
    node = nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]()
    restored, estimate, uncertainty = node.restore(image, "gaussian")
    assert restored.shape == image.shape
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert estimate.count("noise level") == 2
    assert uncertainty.shape == image.shape[:3]
    assert uncertainty.max() == 0
    expected = undegrade.load("gaussian")(image[1].numpy()).image.clip(0, 1)
    np.testing.assert_array_equal(restored[1].numpy(), expected)


def test_the_universal_task_leaves_a_clean_image_alone_and_restores_a_noisy_one(
    nodes: ModuleType, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_nothing_in_the_first(x: np.ndarray, universal: Pipeline, options: RestoreOptions) -> Choice:
        choice = select_task(x, universal, options)
        clean = np.array_equal(x, image[0].numpy())
        return Choice(None, "left alone: it is clean", universal, choice.look) if clean else choice

    monkeypatch.setattr(sys.modules[f"{nodes.__name__}.nodes"], "select_task", finds_nothing_in_the_first)
    restored, estimate, _ = nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]().restore(image, "universal")
    clean, noisy = estimate.splitlines()
    assert re.fullmatch(r"noise level .*; left alone: it is clean", clean)
    np.testing.assert_array_equal(restored[0].numpy(), image[0].clamp(0, 1).numpy())
    assert "left alone" not in noisy
    np.testing.assert_array_equal(restored[1].numpy(), undegrade.restore(image[1].numpy()).clip(0, 1))


def test_a_tiny_image_is_left_alone_without_an_estimate(nodes: ModuleType, image: torch.Tensor) -> None:
    tiny = image[:1, :8, :8].clamp(0, 1)
    restored, estimate, _ = nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]().restore(tiny, "universal")
    assert estimate.startswith("no estimate; left alone: ")
    np.testing.assert_array_equal(restored.numpy(), tiny.numpy())


def test_strength_samples_and_seed_are_passed_on(nodes: ModuleType, image: torch.Tensor) -> None:
    node = nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]()
    unchanged, _, _ = node.restore(image, "gaussian", strength=0.0)
    np.testing.assert_array_equal(unchanged.numpy(), image.clamp(0, 1).numpy())
    one, _, spread = node.restore(image[:1], "gaussian", samples=2, seed=1)
    other, _, _ = node.restore(image[:1], "gaussian", samples=2, seed=2)
    assert spread.min() >= 0
    assert spread.max() > 0
    assert not torch.equal(one, other)


def test_enlarging(nodes: ModuleType, image: torch.Tensor) -> None:
    restored, estimate, uncertainty = nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]().restore(image[:1], "sr-x2")
    assert restored.shape == (1, 128, 160, 3)
    assert uncertainty.shape == (1, 128, 160)
    assert "blur kernel" in estimate


def test_estimate(nodes: ModuleType, image: torch.Tensor) -> None:
    words, number = nodes.NODE_CLASS_MAPPINGS["UndegradeEstimate"]().estimate(image, "gaussian")
    assert words.count("noise level") == 2
    assert number == pytest.approx(45, abs=3)


def test_an_alpha_channel_is_refused_with_a_sentence(nodes: ModuleType) -> None:
    with pytest.raises(undegrade.UndegradeError, match="split off the alpha channel"):
        nodes.NODE_CLASS_MAPPINGS["UndegradeEstimate"]().estimate(torch.zeros(1, 8, 8, 4), "gaussian")


def test_the_bar_moves(nodes: ModuleType, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class ProgressBar:
        def __init__(self, total: int) -> None:
            assert total == 200

        def update_absolute(self, value: int) -> None:
            seen.append(value)

    monkeypatch.setitem(sys.modules, "comfy", ModuleType("comfy"))
    monkeypatch.setitem(sys.modules, "comfy.utils", SimpleNamespace(ProgressBar=ProgressBar))
    nodes.NODE_CLASS_MAPPINGS["UndegradeRestore"]().restore(image, "gaussian")
    assert seen == sorted(seen)
    assert seen[-1] == 200
