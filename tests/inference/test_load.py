"""Models by name or from a file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference.models import FAST, image
from undegrade.errors import UndegradeError
from undegrade.inference.load import load_pipeline, restore
from undegrade.inference.pipeline import Pipeline
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, load_weights, save_weights, shipped_cards


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of one's own, for the task gaussian."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("weights")
    return save_weights(VDIR(FAST), folder, "mine", card("gaussian"))


def card(task: str) -> Card:
    about = {"data": {}, "licence": "CC0", "steps": 1, "minutes": 0.0, "hardware": "", "commit": "", "recipe": {}}
    return Card(task=task, variant="fast", architecture={}, measured={}, **about)


def test_shipped_weights_are_loaded_once_and_by_default_the_best_variant() -> None:
    best = next(v for v in TASKS["gaussian"].variants if f"gaussian-{v}" in {c.name for c in shipped_cards()})
    assert load_pipeline("universal", device="cpu") is load_pipeline(device="cpu")
    assert load_pipeline("gaussian", device="cpu") is load_pipeline("gaussian", device="cpu")
    assert load_pipeline("gaussian", device="cpu").card == load_pipeline("gaussian", best, device="cpu").card
    assert load_pipeline("jpeg", device="cpu") is not load_pipeline("gaussian", device="cpu")


def test_the_one_call_is_a_pipelines(shipped: Pipeline, noisy: np.ndarray) -> None:
    options = {"strength": 0.7, "samples": 2, "seed": 5, "tile": 64}
    found = restore(noisy, "gaussian", "fast", device="cpu", **options)
    np.testing.assert_array_equal(found, shipped(noisy, **options).image)
    assert not np.array_equal(found, restore(noisy, device="cpu"))


def test_weights_of_ones_own_say_what_they_are_for(own: Path) -> None:
    found = load_pipeline(weights=own)
    assert (found.task, found.card) == (TASKS["gaussian"], load_weights(own)[1])
    assert not np.array_equal(found(image(8, 8)).image, load_pipeline(device="cpu")(image(8, 8)).image)
    assert load_pipeline("gaussian", "fast", own).task is TASKS["gaussian"]
    with pytest.raises(UndegradeError, match="are for gaussian-fast, not jpeg-fast"):
        load_pipeline("jpeg", weights=own)
    with pytest.raises(UndegradeError, match="are for gaussian-fast, not gaussian-full"):
        load_pipeline(variant="full", weights=own)


def test_the_names_in_the_messages_load() -> None:
    for card in shipped_cards():
        found = load_pipeline(card.name, device="cpu")
        assert found is load_pipeline(card.task, card.variant, device="cpu")
        assert found.name == card.name
    assert load_pipeline(weights="jpeg-fast", device="cpu").name == "jpeg-fast"
    y = image(8, 8)
    np.testing.assert_array_equal(restore(y, "jpeg-fast"), restore(y, "jpeg", "fast"))
    assert load_pipeline("gaussian-fast", "fast", device="cpu") is load_pipeline("gaussian", "fast", device="cpu")
    with pytest.raises(UndegradeError, match="gaussian-fast is the variant 'fast' of the task gaussian, not 'full';"):
        load_pipeline("gaussian-fast", "full")
    with pytest.raises(UndegradeError, match=r"give a file of weights as weights='mine.safetensors'\."):
        load_pipeline("mine.safetensors")
    with pytest.raises(UndegradeError, match="no shipped model has this name"):
        load_pipeline(weights="gausian-fast")


def test_weights_for_a_task_of_a_later_version(tmp_path: Path) -> None:
    weights = save_weights(VDIR(FAST), tmp_path, "later", card("haze"))
    with pytest.raises(UndegradeError, match="task 'haze', unknown to this version; update"):
        load_pipeline(weights=weights)


def test_names_that_there_are_not() -> None:
    with pytest.raises(UndegradeError, match="no task 'gausian'"):
        restore(image(8, 8), "gausian")
    with pytest.raises(UndegradeError, match="no variant 'small'"):
        load_pipeline("gaussian", "small")


@pytest.mark.parametrize("threads", [0, -1, 1.5, float("nan"), 10**20, "2", True, [2]])
def test_threads_that_no_machine_has(threads: object) -> None:
    """They were said to be tensors that do not match, or were an error of another kind."""
    with pytest.raises(UndegradeError, match=r"threads is .*; give a whole number of 1 to 1024, or leave it out"):
        load_pipeline("gaussian", threads=threads)
