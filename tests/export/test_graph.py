"""One ONNX graph: it computes what the pipeline does, at any size."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.pictures import make_photo
from undegrade.degrade.base import Quantity
from undegrade.degrade.numbers import Numbers
from undegrade.errors import UndegradeError
from undegrade.export.graph import ESTIMATE, INPUT, OUTPUT, SAME_DRAWS, single_graph
from undegrade.inference.engines import make_engine
from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, Weights, find_weights, read_weights, shipped_cards

SIZES = ((1, 1), (33, 47), (64, 50), (101, 75))


def session(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def picture(height: int, width: int) -> np.ndarray:
    clean = make_photo(height, width, 1).astype(np.float32) / 255
    return clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)


def run(made: onnxruntime.InferenceSession, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, C) -> the picture and, where there is one, the estimate."""
    found = made.run(None, {INPUT: np.ascontiguousarray(x.transpose(2, 0, 1)[None])})
    return found[0][0].transpose(1, 2, 0), found[1][0] if len(found) > 1 else None


def random_weights(task: str, variant: str) -> Weights:
    """Of a network that no training has touched; everything in it shows."""
    torch.manual_seed(0)
    architecture = TASKS[task].variants[variant]
    model = VDIR(architecture)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    card = Card(task, variant, architecture.to_dict(), {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    return Weights(architecture, {n: t.numpy().copy() for n, t in model.state_dict().items()}, card)


def check(weights: Weights) -> None:
    task = TASKS[weights.card.task]
    pipeline = Pipeline(make_engine(weights, engine="onnx", threads=1), task, weights.card)
    made = session(single_graph(weights, pipeline.quantity))
    assert [output.name for output in made.get_outputs()] == [OUTPUT, ESTIMATE]
    assert made.get_inputs()[0].shape == ["batch", weights.architecture.channels, "height", "width"]
    for height, width in SIZES:
        x = picture(height, width)[..., : weights.architecture.channels]
        restored, estimate = run(made, x)
        expected = pipeline(x)
        np.testing.assert_allclose(restored, expected.image, rtol=0, atol=2e-5 * max(1, abs(expected.image).max()))
        assert expected.estimate is not None
        np.testing.assert_allclose(estimate, expected.estimate, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("card", shipped_cards(), ids=lambda card: card.name)
def test_a_shipped_model_computes_what_the_pipeline_does(card: Card) -> None:
    check(read_weights(find_weights(card.task, (card.variant,))))


@pytest.mark.parametrize(("task", "variant"), [("universal", "wide"), ("jpeg-y", "fast"), ("gaussian", "full")])
def test_so_does_one_with_other_networks(task: str, variant: str) -> None:
    check(random_weights(task, variant))


def test_a_batch_is_its_pictures() -> None:
    made = session(single_graph(read_weights(find_weights("jpeg", ("fast",))), TASKS["jpeg"].degradation.quantity))
    x = np.stack([make_photo(40, 56, seed).astype(np.float32) / 255 for seed in range(3)]).transpose(0, 3, 1, 2)
    together = made.run(None, {INPUT: np.ascontiguousarray(x)})
    assert together[1].shape == (3, 1)
    for i in range(3):
        for one, all_ in zip(made.run(None, {INPUT: np.ascontiguousarray(x[i : i + 1])}), together, strict=True):
            np.testing.assert_allclose(one[0], all_[i], rtol=1e-5, atol=1e-5)


def test_the_estimate_of_a_large_picture_is_close_to_the_pipelines() -> None:
    weights = read_weights(find_weights("gaussian", ("fast",)))
    pipeline = Pipeline(make_engine(weights, engine="onnx", threads=1), TASKS["gaussian"], weights.card)
    x = picture(SAME_DRAWS + 40, SAME_DRAWS + 20)
    _, estimate = run(session(single_graph(weights, pipeline.quantity)), x)
    assert estimate is not None
    assert abs(estimate[0] - pipeline.estimate(x)[0]) < 0.1


def test_a_graph_of_one_size_and_without_an_estimate() -> None:
    weights = read_weights(find_weights("sr-x2", ("fast",)))
    made = session(single_graph(weights, None, side=48))
    assert [(i.name, i.shape) for i in made.get_inputs()] == [(INPUT, [1, 3, 48, 48])]
    assert [(o.name, o.shape) for o in made.get_outputs()] == [(OUTPUT, [1, 3, 96, 96])]
    x = picture(48, 48)
    expected = Pipeline(make_engine(weights, engine="onnx", threads=1), TASKS["sr-x2"], weights.card)(x).image
    np.testing.assert_allclose(run(made, x)[0], expected, rtol=0, atol=2e-5)


def test_the_file_says_what_it_is_and_is_float32_throughout() -> None:
    made = onnx.load_model_from_string(
        single_graph(read_weights(find_weights("gaussian", ("fast",))), TASKS["gaussian"].degradation.quantity)
    )
    said = {p.key: p.value for p in made.metadata_props}
    assert (said["model"], said["estimate"]) == ("gaussian-fast", "noise level (8-bit levels)")
    halves = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    assert not halves & {tensor.data_type for tensor in made.graph.initializer}


def test_a_network_without_a_latent_has_no_graph() -> None:
    weights = random_weights("gaussian", "fast")
    architecture = Architecture(restorer="fast", conditioning=Conditioning.NONE)
    with pytest.raises(UndegradeError, match="has no ONNX graph"):
        single_graph(weights._replace(architecture=architecture), None)


def test_places_of_a_quantity_are_kept() -> None:
    """The median over the surest half is not that over all."""
    weights = read_weights(find_weights("gaussian", ("fast",)))
    quantity = TASKS["gaussian"].degradation.quantity
    x = picture(64, 64)
    everywhere, half = (
        run(session(single_graph(weights, q)), x)[1] for q in (quantity, dataclasses.replace(quantity, places=0.5))
    )
    assert isinstance(quantity, Quantity)
    assert everywhere is not None
    assert half is not None
    assert everywhere[0] != half[0]


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_places_of_each_number_are_kept(share: float) -> None:
    """Of several numbers each is taken from the places that are surest of it."""
    weights = random_weights("universal", "wide")
    quantity = TASKS["universal"].degradation.quantity
    assert isinstance(quantity, Numbers)
    other = dataclasses.replace(quantity, places=share)
    pipeline = Pipeline(make_engine(weights, engine="onnx", threads=1), TASKS["universal"], weights.card)
    pipeline.quantity = other
    x = picture(70, 61)
    _, estimate = run(session(single_graph(weights, other)), x)
    np.testing.assert_allclose(estimate, pipeline.estimate(x), rtol=2e-4, atol=2e-4)
    assert abs(estimate - run(session(single_graph(weights, quantity)), x)[1]).max() > 0
