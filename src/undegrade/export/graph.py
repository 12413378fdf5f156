"""Encoder, restorer and estimator of one model as a single ONNX graph: a picture in, a picture and an estimate out.

It is made of the graphs that ONNX Runtime runs in a plain installation (:mod:`undegrade.inference.graphs`), so that it
computes the same, in float32, and PyTorch is not needed. Around them stand, as nodes,

    y      the picture; of super-resolvers the picture on the grid of direct decimation
    xhat   f(y, mu)
    EST    averaged over draws c = mu + sigma epsilon, whose epsilon is a constant of the graph; over the positions as
           the task's quantity says, in its units

The draws are those of the pipeline in the first 256 x 256 pixels; further to the right and below they repeat. The
estimate of a larger picture therefore differs from the pipeline's by what other draws would.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import undegrade
from undegrade.atomic import replacing
from undegrade.degrade.base import Quantity
from undegrade.degrade.numbers import Numbers
from undegrade.degrade.resize import SHIFT_REACH, direct_grid_taps
from undegrade.errors import UndegradeError
from undegrade.export.builder import GraphBuilder, inputs_of, needs_onnx
from undegrade.inference.graphs import PARTS, filled, find_graph, has_graphs
from undegrade.model.latent import LATENT_CHANNELS, LATENT_STRIDE
from undegrade.model.latent_noise import BLOCK, ESTIMATE_DRAWS, latent_noise
from undegrade.weights.card import Weights
from undegrade.weights.licence import licence

INPUT, OUTPUT, ESTIMATE = "input", "output", "estimate"
"""Names of the graph's input and outputs."""
SAME_DRAWS = BLOCK * LATENT_STRIDE
"""Side of a picture in pixels up to which the estimate is the pipeline's."""


def single_graph(weights: Weights, quantity: Quantity | None, side: int | None = None) -> bytes:
    """An ONNX model, float32.

    Args:
        weights: of a model whose graphs are shipped.
        quantity: what the estimator reads: it becomes the second output, (batch, P), in its units. None for a graph
            with one output.
        side: of the only input that the graph takes, in pixels; None for any batch, height and width.

    Returns:
        The file's content. Input ``input``, (batch, channels, height, width), RGB or luma, nominally in [0, 1]; output
        ``output``, as many times as large as the scale, not clipped; and ``estimate``.

    Raises:
        UndegradeError: the library onnx is not installed, or this kind of network has no graph.
    """
    needs_onnx()
    a = weights.architecture
    if not has_graphs(a):
        raise UndegradeError(
            f"the network of {weights.card.name} has no ONNX graph; export a model with a latent, or run make graphs "
            "after adding a restorer."
        )
    g = GraphBuilder()
    contents = {}
    for part in ("encode", "restore", "estimate"):
        graph = find_graph(part, a)
        assert graph is not None  # has_graphs()
        contents[part] = filled(graph, {n: t for n, t in weights.tensors.items() if n.startswith(PARTS[part])})
    y = INPUT if a.scale == 1 else _onto_direct_grid(g, a.channels, a.scale)
    mean, logvar = g.include(contents["encode"], "encode", {"y": y})
    c = mean
    if a.pooling:
        common = g.add("ReduceMean", mean, g.integers(2, 3), keepdims=1)
        c = g.add("Add", mean, g.add("Mul", g.add("Sub", common, mean), g.floats(a.pooling)))
    (xhat,) = g.include(contents["restore"], "restore", {"y": y, "c": c, **_all_lines(g, contents["restore"], y)})
    g.name(xhat, OUTPUT)
    batch, height, width = ("batch", "height", "width") if side is None else (1, side, side)
    large = [n * a.scale if isinstance(n, int) else n + f"_x{a.scale}" * (a.scale > 1) for n in (height, width)]
    outputs: dict[str, list[int | str]] = {OUTPUT: [batch, a.channels, *large]}
    if quantity is not None:
        drawn, spread = _drawn(g, contents["estimate"], mean, logvar, a.params)
        g.name(_in_units(g, _over_positions(g, drawn, spread, quantity), quantity), ESTIMATE)
        outputs[ESTIMATE] = [batch, a.params]
    return g.model(
        weights.card.name, {INPUT: [batch, a.channels, height, width]}, outputs, _properties(weights, quantity)
    )


def write(path: Path, content: bytes) -> None:
    """Write an ONNX file, whole or not at all.

    Raises:
        UndegradeError: it cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be written ({error.strerror}); choose another file.") from error


def _all_lines(g: GraphBuilder, restorer: bytes, y: str) -> dict[str, str]:
    """A graph that can be asked for a part of the image is asked for all of it."""
    if "rows" not in inputs_of(restorer):
        return {}
    first, step = g.constant(0, np.int64), g.constant(1, np.int64)
    height, width = (g.add("Squeeze", g.add("Shape", y, start=axis, end=axis + 1)) for axis in (2, 3))
    return {"rows": g.add("Range", first, height, step), "columns": g.add("Range", first, width, step)}


def _onto_direct_grid(g: GraphBuilder, channels: int, scale: int) -> str:
    """:func:`undegrade.degrade.resize.onto_direct_grid` of the input."""
    taps = direct_grid_taps(scale).astype(np.float32)
    before, after = SHIFT_REACH, SHIFT_REACH - 1
    padded = g.add("Pad", INPUT, g.integers(0, 0, before, before, 0, 0, after, after), mode="edge")
    for shape in ((1, 1, len(taps), 1), (1, 1, 1, len(taps))):
        kernels = np.repeat(taps.reshape(shape), channels, axis=0)
        padded = g.add("Conv", padded, g.constant(kernels, np.float32), group=channels)
    return padded


def _drawn(g: GraphBuilder, estimator: bytes, mean: str, logvar: str, params: int) -> tuple[str, str]:
    """EST(c) averaged over draws, and its standard deviation: (batch, P, positions) each."""
    block = (0, BLOCK)
    # The first "draw" is mu itself: the others are averaged as differences from it, as the pipeline does.
    draws = [latent_noise(0, n, block, block) for n in range(ESTIMATE_DRAWS)]
    noise = np.concatenate([np.zeros((1, LATENT_CHANNELS, BLOCK, BLOCK)), *draws])
    size = g.add("Shape", mean, start=2, end=4)
    repeats = g.add("Div", g.add("Add", size, g.integers(BLOCK - 1)), g.integers(BLOCK))
    tiled = g.add("Tile", g.constant(noise, np.float32), g.add("Concat", g.integers(1, 1), repeats, axis=0))
    noise_here = g.add("Slice", tiled, g.integers(0, 0), size, g.integers(2, 3))
    sigma = g.add("Exp", g.add("Mul", logvar, g.floats(0.5)))
    latents = g.add("Add", mean, g.add("Mul", sigma, g.add("Unsqueeze", noise_here, g.integers(1))))
    each = g.add("Reshape", latents, g.add("Concat", g.integers(-1, LATENT_CHANNELS), size, axis=0))
    (estimates,) = g.include(estimator, "estimate", {"c": each})
    batch = g.add("Shape", mean, start=0, end=1)
    shape = g.add("Concat", g.integers(1 + ESTIMATE_DRAWS), batch, g.integers(params, -1), axis=0)
    read = g.add("Reshape", estimates, shape)
    at_mean = g.add("Slice", read, g.integers(0), g.integers(1), g.integers(0))
    others = g.add("Slice", read, g.integers(1), g.integers(1 + ESTIMATE_DRAWS), g.integers(0))
    differences = g.add("Sub", others, at_mean)

    def averaged(value: str) -> str:
        return g.add("ReduceMean", value, g.integers(0), keepdims=0)

    drawn = g.add("Add", g.add("Squeeze", at_mean, g.integers(0)), averaged(differences))
    return drawn, g.add("Sqrt", averaged(g.add("Mul", differences, differences)))


def _over_positions(g: GraphBuilder, drawn: str, spread: str, quantity: Quantity) -> str:
    """The image's value: (batch, P). See :meth:`undegrade.degrade.base.Quantity.of_image`."""
    if not isinstance(quantity, Numbers) and quantity.size > 1:
        return g.add("ReduceMean", drawn, g.integers(-1), keepdims=0)
    shares = [quantity.places] * quantity.size
    found = []
    for i, share in enumerate(shares):
        values, spreads = (
            g.add("Slice", planes, g.integers(i), g.integers(i + 1), g.integers(1)) for planes in (drawn, spread)
        )
        found.append(_median_of_surest(g, values, spreads, share))
    return g.add("Concat", *found, axis=1)


def _median_of_surest(g: GraphBuilder, values: str, spread: str, share: float) -> str:
    """The median over the share of the positions where the spread is smallest: (batch, 1, positions) -> (batch, 1)."""
    count = g.add("Shape", values, start=2, end=3)
    one, two = g.integers(1), g.integers(2)
    if share < 1:
        # So many positions have a spread of at most the quantile between two of them.
        last = g.add("Cast", g.add("Sub", count, one), to=_DOUBLE)
        below = g.add("Mul", last, g.constant([share], np.float64))
        count = g.add("Add", g.add("Cast", g.add("Floor", below), to=_INT64), one)
        _, surest = g.add_several("TopK", [spread, count], 2, axis=-1, largest=0)
        values = g.add("GatherElements", values, surest, axis=-1)
    in_order, _ = g.add_several("TopK", [values, count], 2, axis=-1, largest=0)
    middle = g.add("Concat", g.add("Div", g.add("Sub", count, one), two), g.add("Div", count, two), axis=0)
    return g.add("ReduceMean", g.add("Gather", in_order, middle, axis=-1), g.integers(-1), keepdims=0)


_INT64, _DOUBLE = 7, 11
"""In ``onnx.TensorProto``."""


def _in_units(g: GraphBuilder, learned: str, quantity: Quantity) -> str:
    """What was learned, (batch, P), in the quantity's units and range."""
    if isinstance(quantity, Numbers):
        numbers = quantity.numbers
        share = g.add("Div", learned, g.floats(*(n.weight for n in numbers)))
        bent = g.add("Pow", share, g.floats(*(n.power for n in numbers)))
        spans = g.add("Mul", bent, g.floats(*(n.high - n.low for n in numbers)))
        return g.add("Add", spans, g.floats(*(n.low for n in numbers)))
    value = g.add("Mul", learned, g.floats(quantity.scale))
    for operator, bound in (("Max", quantity.low), ("Min", quantity.high)):
        if math.isfinite(bound):
            value = g.add(operator, value, g.floats(bound))
    return value


def _properties(weights: Weights, quantity: Quantity | None) -> dict[str, str]:
    """What the file says about itself; viewers of ONNX files show it."""
    card = weights.card
    said = {
        "model": card.name,
        "made_by": f"undegrade {undegrade.__version__}",
        "licence": licence(card),
        "weights_sha256": card.sha256,
        "input": f"{'RGB' if weights.architecture.channels == 3 else 'luma'} in [0, 1]",
        "scale": str(weights.architecture.scale),
    }
    if quantity is not None:
        said["estimate"] = f"{quantity.name} ({quantity.unit})"
    return said
