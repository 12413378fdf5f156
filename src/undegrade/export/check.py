"""Compares an exported graph in ONNX Runtime with the pipeline, before it is written."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.export.graph import ESTIMATE, INPUT, OUTPUT
from undegrade.inference.pipeline import Pipeline

SIZES = ((33, 47), (64, 96), (71, 52), (128, 101))
"""Heights and widths that are tried: odd and even, and more than the networks see at once."""
TOLERANCE = 1e-4
"""Largest difference of a pixel in [0, 1] that is rounding: 1/40 of an 8-bit level."""
ESTIMATE_TOLERANCE = 1e-3
"""Of the estimate, as a part of its size or of 1."""


class Differences(NamedTuple):
    """The largest differences between a graph and the pipeline.

    Attributes:
        pixels: of images in [0, 1].
        estimate: in units, as a part of the estimate where that is above 1; None where the graph gives none.
        sizes: heights and widths that were tried.
    """

    pixels: float
    estimate: float | None
    sizes: tuple[tuple[int, int], ...]


def compare(content: bytes, pipeline: Pipeline, side: int | None = None) -> Differences:
    """Run a graph and the pipeline on the same noisy pictures.

    Args:
        content: of the ONNX file.
        pipeline: with the same weights.
        side: of the only input that the graph takes; None where it takes any.

    Raises:
        UndegradeError: they differ by more than rounding.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    sizes = SIZES if side is None else ((side, side),)
    pixels, estimates = 0.0, []
    for height, width in sizes:
        x = _picture(height, width, pipeline.architecture.channels)
        found = dict(zip(names, session.run(None, {INPUT: x.transpose(2, 0, 1)[None].copy()}), strict=True))
        expected = pipeline(x)
        pixels = max(pixels, float(np.abs(found[OUTPUT][0].transpose(1, 2, 0) - expected.image).max()))
        if ESTIMATE in found:
            assert expected.estimate is not None  # the graph has one because the pipeline does
            size = np.maximum(np.abs(expected.estimate), 1)
            estimates.append(float((np.abs(found[ESTIMATE][0] - expected.estimate) / size).max()))
    differences = Differences(pixels, max(estimates) if estimates else None, sizes)
    # "not <=" also refuses what is not a number.
    if not pixels <= TOLERANCE or (estimates and not max(estimates) <= ESTIMATE_TOLERANCE):
        raise UndegradeError(
            f"the exported graph differs from the model ({pixels:.2g} in a pixel); nothing was written: report this, "
            "with the versions of onnx and onnxruntime."
        )
    return differences


def _picture(height: int, width: int, channels: int) -> np.ndarray:
    """A gradient with edges and noise, (height, width, channels)."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    clean = 0.2 + 0.5 * (rows / height)[..., None] + 0.2 * (((columns // 9) % 2)[..., None])
    noisy: np.ndarray = (clean + random.normal(0, 0.08, (height, width, channels))).astype(np.float32)
    return noisy
