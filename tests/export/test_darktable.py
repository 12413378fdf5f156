"""Packages of darktable: what it reads is there, and its tiles give the pipeline's picture."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.export.test_graph import picture, random_weights
from undegrade.errors import UndegradeError
from undegrade.export import darktable, model_card
from undegrade.export.darktable import (
    DENOISE_OVERLAP,
    DENOISE_SIDE,
    UPSCALE_SIDE,
    Packed,
    check_name,
    pack,
    seam_warning,
)
from undegrade.inference.engines import make_engine
from undegrade.inference.pipeline import Pipeline
from undegrade.tasks import TASKS
from undegrade.weights.card import Weights, find_weights, read_weights

REQUIRED = ("id", "name", "description", "task", "backend", "version")
"""Of config.json: without them darktable's own check fails."""
CARD = (
    "long_description", "scope", "author", "source", "paper", "license", "training_data", "training_data_license",
    "notes",
)  # fmt: skip
"""Of model_card in it: darktable asks for each by its name."""
ROWS = (
    "Model license", "OSAID v1.0", "MOF", "Training data license", "Training data provenance", "Training code",
    "Known limitations", "Published research", "Inference", "Scope", "Reproducibility",
)  # fmt: skip
"""Of the table that darktable's collection wants in every README.md."""


def model(task: str) -> tuple[Weights, Pipeline]:
    weights = read_weights(find_weights(task, ("fast",)))
    return weights, Pipeline(make_engine(weights, engine="onnx", threads=1), TASKS[task], weights.card)


@pytest.fixture(scope="module")
def denoiser() -> Packed:
    return pack([model("real")])


@pytest.fixture(scope="module")
def enlarger() -> Packed:
    return pack([model("sr-x2"), model("sr-x4")])


def files(packed: Packed) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {packed.identity}
        return {name.partition("/")[2]: archive.read(name) for name in names}


def test_a_denoiser(denoiser: Packed) -> None:
    found = files(denoiser)
    assert set(found) == {"README.md", "config.json", "model.onnx"}
    config = json.loads(found["config.json"])
    assert set(REQUIRED) <= set(config)
    assert all(isinstance(config[name], str) and config[name] for name in REQUIRED)
    assert (config["id"], config["task"], config["backend"]) == (denoiser.identity, "denoise", "onnx")
    assert config["id"].startswith("denoise-")
    assert config["tiling"] is True
    assert config["attributes"] == {"input_sizes": [DENOISE_SIDE]}
    assert set(config["model_card"]) == set(CARD)
    assert all(isinstance(text, str) and text for text in config["model_card"].values())
    assert "BSDS500" in config["model_card"]["training_data_license"]
    assert denoiser.differences[0].pixels < 1e-5
    session = onnxruntime.InferenceSession(found["model.onnx"], providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()  # darktable refuses more than one
    assert (given.name, given.type, given.shape) == ("input", "tensor(float)", [1, 3, DENOISE_SIDE, DENOISE_SIDE])
    assert (made.name, made.type, made.shape) == ("output", "tensor(float)", [1, 3, DENOISE_SIDE, DENOISE_SIDE])


def test_a_super_resolver_of_both_factors(enlarger: Packed) -> None:
    found = files(enlarger)
    assert set(found) == {"README.md", "config.json", "model_x2.onnx", "model_x4.onnx"}
    config = json.loads(found["config.json"])
    assert config["task"] == "upscale"
    sizes = {"input_sizes": [UPSCALE_SIDE]}
    assert config["attributes"] == {**sizes, "model_x2": sizes, "model_x4": sizes}
    for scale in (2, 4):
        session = onnxruntime.InferenceSession(found[f"model_x{scale}.onnx"], providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].shape == [1, 3, UPSCALE_SIDE * scale, UPSCALE_SIDE * scale]


def test_the_model_card_has_what_the_collection_asks_for(denoiser: Packed, enlarger: Packed) -> None:
    for packed in (denoiser, enlarger):
        page = files(packed)["README.md"].decode()
        for heading in ("## Source", "## Architecture", "## ONNX Models", "## Selection Criteria"):
            assert heading in page
        criteria = page.partition("## Selection Criteria")[2]
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in criteria.strip().splitlines()]
        assert [row[0] for row in cells[2:]] == list(ROWS)
        assert all(len(row) == 2 and row[1] for row in cells)
        assert "Apache-2.0" in page


def test_a_network_that_reads_beyond_darktables_overlap_is_warned_of(denoiser: Packed, enlarger: Packed) -> None:
    assert (denoiser.warnings, enlarger.warnings) == ([], [])
    weights = random_weights("gaussian", "wide")
    engine = make_engine(weights, engine="onnx", threads=1)
    warning = seam_warning(Pipeline(engine, TASKS["gaussian"], weights.card))
    assert f"reads {engine.networks.both} pixels around a pixel, but darktable's tiles overlap by 64" in warning
    page = model_card.page(
        "n", [weights.card], [weights.architecture], [TASKS["gaussian"]], ["model.onnx"], 768, [warning]
    )
    assert f"- {warning}\n" in page.partition("## Notes")[2].partition("## Selection")[0]


def test_weights_of_others_get_no_licence_from_us(monkeypatch: pytest.MonkeyPatch, denoiser: Packed) -> None:
    monkeypatch.setattr(darktable, "compare", lambda *_: denoiser.differences[0])  # seconds, and not what this is about
    weights = random_weights("gaussian", "fast")
    pipeline = Pipeline(make_engine(weights, engine="onnx", threads=1), TASKS["gaussian"], weights.card)
    assert "to be stated by the owner" in files(pack([(weights, pipeline)]))["README.md"].decode()


@pytest.mark.slow
def test_darktables_tiles_give_the_pipelines_picture(denoiser: Packed) -> None:
    """Away from the border, where darktable mirrors and the networks see nothing."""
    session = onnxruntime.InferenceSession(files(denoiser)["model.onnx"], providers=["CPUExecutionProvider"])
    step, overlap = DENOISE_SIDE - 2 * DENOISE_OVERLAP, DENOISE_OVERLAP
    x = picture(200, step + 160)
    _, pipeline = model("real")
    tiled = np.empty_like(x)
    for left in range(0, x.shape[1], step):
        rows, columns = (mirrored(np.arange(start - overlap, start - overlap + DENOISE_SIDE), n)
                         for start, n in ((0, x.shape[0]), (left, x.shape[1])))  # fmt: skip
        tile = np.ascontiguousarray(x[rows][:, columns].transpose(2, 0, 1)[None])
        made = session.run(None, {"input": tile})[0][0].transpose(1, 2, 0)
        width = min(step, x.shape[1] - left)
        tiled[:, left : left + width] = made[overlap : overlap + x.shape[0], overlap : overlap + width]
    margin = pipeline.engine.networks.both
    assert margin <= overlap  # else tiles would show
    whole = pipeline(x).image
    inside = (slice(margin, -margin), slice(margin, -margin))
    np.testing.assert_allclose(tiled[inside], whole[inside], rtol=0, atol=1e-5)
    seam = whole[margin:-margin, step - 8 : step + 8]
    np.testing.assert_allclose(tiled[margin:-margin, step - 8 : step + 8], seam, rtol=0, atol=1e-5)


def mirrored(positions: np.ndarray, length: int) -> np.ndarray:
    """What darktable's tiles hold outside of a picture of so many rows or columns."""
    once = np.abs(positions)
    back = np.where(once >= length, 2 * length - 2 - once, once)
    return back.clip(0, length - 1)


def test_what_darktable_has_no_use_for_is_refused() -> None:
    with pytest.raises(UndegradeError, match="one at a time"):
        pack([model("real"), model("gaussian")])
    luma = random_weights("jpeg-y", "fast")
    pipeline = Pipeline(make_engine(luma, engine="onnx", threads=1), TASKS["jpeg-y"], luma.card)
    with pytest.raises(UndegradeError, match="takes luma; export a colour model"):
        pack([(luma, pipeline)])
    with pytest.raises(UndegradeError, match=r"end in \.dtmodel"):
        check_name(Path("model.zip"))
