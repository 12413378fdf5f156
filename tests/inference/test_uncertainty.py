"""Intervals: exact in tiles, of the caller's kind, beside the very restoration that there is without them."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.inference.models import FAST, WHOLE, image, pipeline
from tests.pictures import make_photo
from tools.graphs import random_model
from undegrade.errors import UndegradeError
from undegrade.inference.array_engine import ArrayEngine
from undegrade.inference.engines import make_engine
from undegrade.inference.load import load_pipeline, restore
from undegrade.inference.onnx_engine import OnnxEngine
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.latent_noise import latent_noise
from undegrade.tasks import TASKS
from undegrade.weights.card import MISMATCH, Card, Weights, find_weights, read_weights
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity

HEADED = replace(FAST, scale_head=True)
WIDTHS = Widths((0.001, 1.0), {level: (0.001 * k, 1.0 * k) for k, level in enumerate(LEVELS, 1)})
"""Half-widths of 1 to 4 times b."""


def sure(architecture: Architecture = HEADED, task: str = "gaussian", engine: str = "torch") -> Pipeline:
    """A model whose b differs from place to place."""
    model = random_model(architecture)
    with torch.no_grad():
        model.scale.tail.weight.mul_(5)
    if engine == "torch":
        made = Pipeline(TorchEngine(model), TASKS[task])
    else:
        tensors = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
        made = Pipeline(OnnxEngine(architecture, tensors, 1), TASKS[task])
    made.intervals = Intervals(WidthsBySeverity((0.0,), (WIDTHS,)))
    return made


@pytest.fixture(scope="module")
def model() -> Pipeline:
    return sure()


@pytest.mark.parametrize("kind", ["alpha", "pil", "path"])
def test_intervals_of_every_kind_of_image(model: Pipeline, tmp_path: Path, kind: str) -> None:
    y = (image(20, 30, 4) * 255).astype(np.uint8)
    y[..., 3] |= 1  # what alpha hides is not shown to the model
    low, high = model(y[..., :3], uncertainty=True).interval()
    given: Any = y
    if kind != "alpha":
        given = Pillow.fromarray(y)
    if kind == "path":
        given.save(tmp_path / "a.png")
        given = tmp_path / "a.png"
    found = model(given, uncertainty=True)
    ends = found.interval()
    for end, expected in zip(ends, (low, high), strict=True):
        assert isinstance(end, Pillow.Image if kind == "pil" else np.ndarray)
        np.testing.assert_array_equal(np.asarray(end)[..., :3], expected)
        np.testing.assert_array_equal(np.asarray(end)[..., 3], y[..., 3])
    assert isinstance(found.scale, np.ndarray)


def test_intervals_move_with_the_model(model: Pipeline) -> None:
    onnx = sure(engine="onnx")
    moved = onnx.to("cpu:0")
    assert moved.intervals is onnx.intervals
    y = image(20, 30, 3)
    np.testing.assert_allclose(moved(y, uncertainty=True).scale, onnx(y, uncertainty=True).scale, atol=1e-5)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize("restorer", ["fast", "wide"])
def test_tiles_are_exact(restorer: str, engine: str) -> None:
    model = sure(replace(HEADED, restorer=restorer), engine=engine)
    y = image(301, 300, 3)
    whole, tiled = (model(y, tile=side, uncertainty=True) for side in (WHOLE, 160))
    np.testing.assert_array_equal(tiled.scale, whole.scale)
    np.testing.assert_array_equal(tiled.image, whole.image)
    assert whole.scale.shape == (301, 300)
    assert whole.scale.std() > 0.1 * whole.scale.mean()


@pytest.mark.parametrize("direct", [False, True])
def test_tiles_are_exact_when_enlarging(direct: bool) -> None:
    model = sure(replace(HEADED, scale=2, params=3), "sr-x2")
    y = image(24, 1850, 3)[:, :1830]
    whole, tiled = (model(y, tile=side, direct=direct, uncertainty=True) for side in (WHOLE, 930))
    assert whole.scale.shape == (48, 3660)
    np.testing.assert_array_equal(tiled.scale, whole.scale)


def test_tiles_are_exact_with_samples(model: Pipeline) -> None:
    y = image(96, 1100, 3)
    whole, tiled = (model(y, tile=side, uncertainty=True, samples=2) for side in (WHOLE, 560))
    np.testing.assert_allclose(tiled.scale, whole.scale, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"samples": 3, "seed": 2}, {"tile": 32}])
@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_the_restoration_is_that_without_to_the_last_bit(engine: str, options: dict[str, Any]) -> None:
    model = sure(engine=engine)
    for y in (image(50, 70, 3), (255 * image(33, 41)).astype(np.uint8)):
        found, plain = model(y, uncertainty=True, **options), model(y, **options)
        np.testing.assert_array_equal(found.image, plain.image)
        np.testing.assert_array_equal(found.estimate, plain.estimate)
        assert plain.scale is None
        if options.get("samples"):
            np.testing.assert_array_equal(found.std, plain.std)


def test_both_engines_say_the_same() -> None:
    for architecture, task in ((HEADED, "gaussian"), (replace(HEADED, channels=1), "jpeg-y")):
        one, other = (sure(architecture, task, engine) for engine in ("torch", "onnx"))
        y = image(37, 50)
        np.testing.assert_allclose(one(y, uncertainty=True).scale, other(y, uncertainty=True).scale, rtol=1e-4)


def test_the_variance_is_the_sum_of_both_terms(model: Pipeline) -> None:
    """Var = E_c[2 b^2] + Var_c[xhat], by hand."""
    y = image(20, 24, 3)
    found = model(y, uncertainty=True, samples=4, seed=1)
    given = model.engine.to_model(y)
    posterior = model.engine.encode(given)
    draws = [model.engine.restore_with_scale(given, posterior.at(latent_noise(1, n, (0, 5), (0, 6)))) for n in range(4)]
    spread = np.var([xhat[0] for xhat, _ in draws], axis=0, ddof=1).mean(0)
    expected = np.mean([2 * b[0, 0] ** 2 for _, b in draws], axis=0) + spread
    np.testing.assert_allclose(2 * found.scale**2, expected, rtol=1e-4)
    np.testing.assert_allclose(found.std**2, spread, rtol=1e-3)
    alone = model(y, uncertainty=True).scale
    np.testing.assert_array_equal(alone, model.engine.restore_with_scale(given, posterior.mean)[1][0, 0])


def test_intervals_lie_around_the_image_at_the_widths_of_the_card(model: Pipeline) -> None:
    found = model(image(20, 24, 3), uncertainty=True)
    for k, level in enumerate(LEVELS, 1):
        half = found.half_width(level)
        np.testing.assert_allclose(half, k * np.maximum(found.scale, 0.001), rtol=1e-5)
        lower, upper = found.interval(level)
        np.testing.assert_allclose(upper - found.image, half[..., None].repeat(3, 2), rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.image - lower, half[..., None].repeat(3, 2), rtol=0, atol=1e-6)
    assert np.array_equal(found.interval()[1], found.interval(0.9)[1])


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 1), (20, 24, 3), (2, 20, 24, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_both_ends_are_of_the_images_kind(model: Pipeline, shape: tuple[int, ...], dtype: type) -> None:
    y = image(*shape)
    peak = 1.0 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
    found = model((y * peak).astype(dtype), uncertainty=True)
    lower, upper = found.interval()
    assert lower.dtype == upper.dtype == found.image.dtype == dtype
    assert lower.shape == upper.shape == shape
    assert (lower <= found.image).all()
    assert (found.image <= upper).all()
    half = found.half_width() * peak
    half = half if len(shape) == half.ndim else half[..., None]
    inside = (lower > 0) & (upper < peak) if peak > 1 else np.ones(shape, bool)
    step = 1 if peak > 1 else 1e-6
    wide = (upper.astype(float) - lower.astype(float))[inside]
    expected = np.broadcast_to(2 * half, shape)[inside]
    assert (wide >= expected - 1e-4 * peak).all()  # integers are rounded outward
    assert (wide <= expected + 2 * step + 1e-4 * peak).all()


def test_tensors(model: Pipeline) -> None:
    y = torch.from_numpy(image(3, 20, 24))
    found = model(y, uncertainty=True)
    lower, upper = found.interval()
    assert lower.shape == upper.shape == y.shape
    assert (found.scale.shape, found.half_width().shape) == ((20, 24), (20, 24))
    assert torch.is_tensor(found.half_width())
    assert ((lower < found.image) & (found.image < upper)).all()
    rounded = model(y.bfloat16()[None], uncertainty=True)
    assert rounded.interval()[0].dtype == torch.bfloat16
    assert rounded.interval()[0].shape == (1, 3, 20, 24)


def test_grey_stored_as_colour(model: Pipeline) -> None:
    y = image(20, 24)
    found, grey = model(np.repeat(y[..., None], 3, 2), uncertainty=True), model(y, uncertainty=True)
    np.testing.assert_array_equal(found.scale, grey.scale)
    np.testing.assert_array_equal(found.interval()[1][..., 2], grey.interval()[1])


def test_sixteen_bits_of_little_range_have_widths_in_their_own_values(model: Pipeline) -> None:
    y = (500 + 3000 * image(20, 24)).astype(np.uint16)
    found = model(y, uncertainty=True)
    assert found.units == (float(y.max()) - float(y.min()),)
    lower, upper = found.interval()
    inside = (lower > 0) & (upper < 65535)
    expected = 2 * found.units[0] * found.half_width()
    assert (np.abs((upper - lower.astype(float)) - expected)[inside] <= 2.5).all()


def test_the_header_of_a_jpeg_says_how_good_it_is_at_most(tmp_path: Path) -> None:
    """A quality of 92 is often read as none at all, and its errors are not those of what is clean."""
    of = [Widths((0.0001, 1.0), dict.fromkeys(LEVELS, (wide, wide))) for wide in (0.01, 0.5)]
    model = copy(load_pipeline("universal"))  # it is loaded once, for all tests
    model.intervals = Intervals(
        WidthsBySeverity((0.0,), of[:1], {"compressed": WidthsBySeverity((0.0, 100.0), tuple(of))})
    )
    y = make_photo(64, 80, 3)
    Pillow.fromarray(y).save(tmp_path / "a.jpg", quality=70)
    Pillow.fromarray(y).save(tmp_path / "a.png")
    widths = {name: model(tmp_path / name, uncertainty=True).half_width().max() for name in ("a.jpg", "a.png")}
    assert widths["a.jpg"] >= 0.01 + 0.3 * 0.49 - 1e-6 > widths["a.png"]
    estimate = np.array([0.0, 0.0, 99.0])
    assert model.category(estimate) == ("compressed", 1.0)
    assert model.category(estimate, 92) == ("compressed", 8.0)
    assert model.category(np.array([0.0, 0.0, 40.0]), 92) == ("compressed", 60.0)
    assert load_pipeline("gaussian").category(np.array([20.0]), 30) == ("", 20.0)


def test_what_is_not_known_is_said(model: Pipeline) -> None:
    y = image(20, 24, 3)
    with pytest.raises(UndegradeError, match=r"weights of gaussian have no scale head.*--scale-head"):
        pipeline()(y, uncertainty=True)
    with pytest.raises(UndegradeError, match="restore with uncertainty=True"):
        model(y).interval()
    known = model(y, uncertainty=True)
    for level in (0.99, [0.9], np.array([0.9]), {}, "0.9", None, True, float("nan"), 10**400):
        with pytest.raises(UndegradeError, match="there is no interval of level"):
            known.interval(level)
    np.testing.assert_array_equal(known.half_width(np.float32(0.9)), known.half_width(0.9))
    unmeasured = sure()
    unmeasured.intervals = Intervals()
    found = unmeasured(y, uncertainty=True)
    assert found.scale.min() > 0
    with pytest.raises(UndegradeError, match=r"training/intervals\.py"):
        found.half_width()
    with pytest.raises(UndegradeError, match="sure it is of grey only"):
        sure(replace(HEADED, channels=1), "jpeg-y")(y, uncertainty=True)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"strength": 0.5}, "a strength other than 1"),
        ({"strength": 0}, "a strength other than 1"),
        ({"self_ensemble": True}, "self-ensemble"),
        ({"level": 20.0}, "a level that replaces the estimate"),
        ({"uncertainty": 1}, "give True or False"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], what: str) -> None:
    with pytest.raises(UndegradeError, match=what):
        RestoreOptions(**{"uncertainty": True, **options})


def test_restoring_in_one_call(
    model: Pipeline, headless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file gives a result, which has room for intervals; an array comes back alone."""
    with pytest.raises(UndegradeError, match=r"comes back alone.*load\(\.\.\.\)\(image, uncertainty=True\)\.$"):
        restore(image(8, 8), uncertainty=True)  # type: ignore[call-overload]
    Pillow.fromarray((image(20, 30, 3) * 255).astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UndegradeError, match="no scale head"):
        load_pipeline(weights=headless)(tmp_path / "a.png", uncertainty=True)
    monkeypatch.setattr("undegrade.inference.load.load_pipeline", lambda *args, **kwargs: model)
    found = restore(tmp_path / "a.png", "gaussian", uncertainty=True)
    for end, expected in zip(found.interval(), model(tmp_path / "a.png", uncertainty=True).interval(), strict=True):
        np.testing.assert_array_equal(end, expected)


def test_a_picture_that_is_left_alone_has_no_intervals_and_weights_without_a_head_say_so_first(
    headless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    found = restore(tmp_path / "a.png", uncertainty=True)
    assert not np.asarray(found.image).any()
    with pytest.raises(UndegradeError, match="left alone has none"):
        found.interval()
    plain = load_pipeline(weights=headless)
    monkeypatch.setattr("undegrade.inference.load.load_pipeline", lambda *args, **kwargs: plain)
    with pytest.raises(UndegradeError, match="have no scale head"):
        restore(tmp_path / "a.png", uncertainty=True)


def test_weights_with_a_head_need_its_graph_and_its_tensors() -> None:
    weights = read_weights(find_weights("gaussian", ["fast"]))
    plain = {name: t for name, t in weights.tensors.items() if not name.startswith("scale.")}
    card = Card("gaussian", "fast", {}, {}, "CC0", 1, 0.1, "2 cores", "abc", {}, {})
    headed = {name: t.numpy().copy() for name, t in random_model(HEADED).state_dict().items()}
    assert isinstance(make_engine(Weights(HEADED, headed, card)), ArrayEngine)
    wrong = make_engine(Weights(HEADED, plain, card))  # the restorer is whole: it restores
    y = wrong.to_model(image(8, 8, 3))
    c = wrong.encode(y).mean
    assert wrong.restore(y, c).shape == y.shape
    with pytest.raises(UndegradeError, match=MISMATCH):
        wrong.restore_with_scale(y, c)
    alone = replace(HEADED, conditioning=Conditioning.NONE)
    tensors = {name: t.numpy().copy() for name, t in random_model(alone).state_dict().items()}
    assert isinstance(make_engine(Weights(alone, tensors, card)), TorchEngine)
