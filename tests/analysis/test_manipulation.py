"""Restorations of a folder with exchanged latents."""

import pytest
import torch
from PIL import Image

from tests.pictures import make_photo
from undegrade.analysis.manipulation import SWAP_HEADER, SWAP_LATENTS, swap_folder, swap_report
from undegrade.analysis.severity import severity
from undegrade.data.benchmark import gaussian
from undegrade.data.catalogue import CBSD68
from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.metrics import psnr, to_8bit
from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

SIZES = [(24, 32), (32, 24), (24, 32), (32, 24)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("swaps")
    for i, size in enumerate(SIZES):
        Image.fromarray(make_photo(*size, i)).save(root / f"{i}.png")
    return root


def make(conditioning: Conditioning = Conditioning.LATENT) -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(TorchEngine(VDIR(Architecture(restorer="fast", conditioning=conditioning))), TASKS["gaussian"])


def test_every_picture_has_a_score_for_every_latent_and_its_own_is_that_of_the_tables(folder):
    pipeline = make()
    rows = swap_folder(pipeline, folder)
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert all(len(set(row[1:])) == len(SWAP_LATENTS) for row in rows)
    x = make_photo(*SIZES[1], 1)
    y, _ = gaussian("I", (CBSD68,), (30,))[0].degrade(x)
    assert rows[1][SWAP_HEADER.index("own")] == pytest.approx(psnr(x, to_8bit(pipeline(y).image)), abs=1e-6)


def test_anothers_latent_is_that_of_the_next_picture_of_the_same_size(folder):
    pipeline = make()
    x, other = make_photo(*SIZES[0], 0), make_photo(*SIZES[2], 2)
    y, shown = (gaussian("I", (CBSD68,), (30,))[0].degrade(image)[0] for image in (x, other))
    y, shown = (torch.from_numpy(one).permute(2, 0, 1)[None] for one in (y, shown))
    with torch.inference_mode():
        xhat = pipeline.engine.model.restore(y, pipeline.engine.model.encode(shown).mean)[0].permute(1, 2, 0).numpy()
    found = swap_folder(pipeline, folder)[0][SWAP_HEADER.index("another's")]
    assert found == pytest.approx(psnr(x, to_8bit(xhat)), abs=1e-3)


def test_a_restorer_without_a_latent_loses_nothing(folder):
    rows = swap_folder(make(Conditioning.NONE), folder)
    assert all(len(set(row[1:])) == 1 for row in rows)


def test_the_report_tells_the_mean_the_least_and_the_most_that_is_lost():
    rows = [["a", 30.0, 25.0, 29.5, 28.0, 27.0], ["b", 32.0, 29.0, 31.9, 31.0, 26.0]]
    lines = swap_report(rows, severity(TASKS["gaussian"].degradation)).splitlines()
    cells = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in lines[2:]}
    assert cells["own (σ 30)"] == ["31.00", "-", "-", "-"]
    assert cells["zero"] == ["27.00", "4.00", "3.00", "5.00"]
    assert cells["stronger (σ 50)"] == ["26.50", "4.50", "3.00", "6.00"]


def test_a_picture_without_another_of_its_size_is_named(tmp_path):
    for i, size in enumerate([(24, 32), (24, 32), (20, 20)]):
        Image.fromarray(make_photo(*size, i)).save(tmp_path / f"{i}.png")
    with pytest.raises(UndegradeError, match=r"2\.png has no other image of its size"):
        swap_folder(make(Conditioning.NONE), tmp_path)
