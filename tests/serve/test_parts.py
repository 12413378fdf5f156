"""Options of a request, names, readings and views: what needs no running service."""

from __future__ import annotations

import asyncio
import copy
import math
import shlex
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from undegrade import UndegradeError, image
from undegrade.cli import main
from undegrade.degrade.noise_grain_quality import NOISE_GRAIN_QUALITY
from undegrade.files.readings import readings_of
from undegrade.image import Format, Picture
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import EstimateMap
from undegrade.serve import views
from undegrade.serve.desks import Desk, plain_name, result_name
from undegrade.serve.limits import Limits
from undegrade.serve.pool import Pool
from undegrade.serve.request_options import RequestOptions


def test_the_command_is_that_of_the_wishes() -> None:
    asked = RequestOptions(strength=0.5, sigma=12.5, samples=4, save_as="png", strip_metadata=True)
    words = shlex.split(asked.command("my photo's.jpg"))
    assert words == [
        "undegrade", "restore", "my photo's.jpg", "-o", "restored", "--name", "{stem}.png", "--strength", "0.5",
        "--sigma", "12.5", "--samples", "4", "--strip-metadata",
    ]  # fmt: skip
    assert shlex.split(RequestOptions().command("-o.png"))[2] == "./-o.png"
    assert RequestOptions.of({"uncertainty": True}).command("a.png").endswith("-o restored --uncertainty")


@pytest.mark.parametrize(
    "values",
    [
        {"strength": "1"},
        {"strength": True},
        {"nonsense": 1},
        {"samples": 2.5},
        {"uncertainty": 1},
        {"strength": math.nan},
        {"save_as": "gif"},
    ],
)
def test_wrong_wishes(values: dict[str, object]) -> None:
    with pytest.raises(UndegradeError):
        RequestOptions.of(values)


def test_a_picture_that_is_removed_before_its_part_is_read_is_said(tmp_path: Path) -> None:
    class Removing:
        async def at_once(self, message: dict[str, object]) -> None:
            Path(str(message["output"])).write_bytes(b"a part")
            desk.remove(item)

    desk = Desk(tmp_path / "desk", cast(Pool, Removing()), Limits(), print)
    item = desk.add("a.png")
    with pytest.raises(UndegradeError, match="was removed"):
        asyncio.run(desk.part(item, RequestOptions(), [0, 8], [0, 8]))


def test_names() -> None:
    assert plain_name("../../a.png") == "a.png"
    assert plain_name("C:\\x\\b.jpg") == "b.jpg"
    assert plain_name("a\nb\x1b[0m.png") == "ab[0m.png"
    assert plain_name("/") == plain_name("..") == plain_name("") == "picture"
    assert result_name("a.jpeg", "jpeg", "same") == "a.jpeg"
    assert result_name("a.b.jpeg", "png", "png") == "a.b.png"
    assert result_name("picture", "tiff", "same") == "picture.tif"
    assert result_name("photo.gif", "png", "same") == "photo.gif.png"  # as on the command line
    assert result_name("photo.gif", "png", "png") == "photo.png"
    assert result_name("a.jpg", "png", "same") == "a.png"  # it was a PNG after all


def test_limits() -> None:
    with pytest.raises(UndegradeError, match="queue"):
        Limits(queue=0)


def test_readings_of_several_numbers_have_names_units_and_words() -> None:
    """The universal model's quantity; its weights may not be shipped yet."""
    pipeline = load_pipeline("gaussian")
    several = type(pipeline).__new__(type(pipeline))
    several.__dict__.update(vars(pipeline))
    several.quantity = NOISE_GRAIN_QUALITY
    found = EstimateMap(
        np.array([12.0, 0.5, 55.0]),
        np.array([1.0, 0.1, 4.0]),
        np.full((3, 6, 8), [[[12.0]], [[0.5]], [[55.0]]], np.float32),
    )
    noise, grain, quality = readings_of(several, found)
    assert (noise.name, noise.unit, noise.value, noise.spread) == ("noise level", "8-bit levels", 12.0, 1.0)
    assert noise.words == "noisy, like ISO 12800 on a full-frame camera"
    assert grain.words == "coarse grain, as on film"
    assert grain.defined
    assert quality.words == "looks like a JPEG of quality 55"
    assert (quality.low, quality.high, quality.digits) == (55.0, 55.0, 0)
    assert noise.to_record()["value"] == 12.0
    assert "plane" not in noise.to_record()


def test_grain_has_no_meaning_without_noise() -> None:
    several = copy.copy(load_pipeline("gaussian"))
    several.quantity = NOISE_GRAIN_QUALITY
    found = EstimateMap(
        np.array([0.5, 0.5, 95.0]),
        np.array([1.0, 0.1, 4.0]),
        np.full((3, 6, 8), [[[0.5]], [[0.5]], [[95.0]]], np.float32),
    )
    assert [reading.defined for reading in readings_of(several, found)] == [True, False, True]
    assert [reading.words for reading in readings_of(several, found)] == [
        "no visible noise",
        "not defined without noise",
        "hardly any compression to be seen",
    ]


def test_a_kernel_is_read_as_a_blur() -> None:
    small = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    pipeline = load_pipeline("sr-x2")
    (blur,) = readings_of(pipeline, pipeline.estimate_map(small))
    assert blur.name == "blur"
    assert blur.value >= 0
    assert blur.plane.shape == (6, 8)


def test_views(tmp_path: Path) -> None:
    x = np.tile(np.linspace(1000, 3000, 600).astype(np.uint16), (400, 1))
    picture = Picture(x, format=Format.TIFF)
    shown = views.range_of(picture)
    assert views.needs_view(Format.TIFF, shown)
    assert views.needs_view(Format.PNG, shown)  # a browser would show twelve bits in sixteen as black
    views.write_view(tmp_path / "view.png", picture, shown)
    view = image.read(tmp_path / "view.png").pixels
    assert view.dtype == np.uint8
    assert (view[0, 0], view[0, -1]) == (0, 255)
    views.write_thumbnail(tmp_path / "small.png", picture, shown)
    assert image.read(tmp_path / "small.png").pixels.shape == (100, 150)
    views.write_plane(tmp_path / "plane.png", np.linspace(0, 10, 12, dtype=np.float32).reshape(3, 4), 0, 10)
    assert image.read(tmp_path / "plane.png").pixels[-1, -1] == 255


def test_serve_refuses_what_it_cannot_use(capsys: pytest.CaptureFixture[str]) -> None:
    for options, sentence in (
        (["--token", "short"], "16 or more"),
        (["--port", "99999"], "out of range"),
        (["--max-bytes", "0"], "out of range"),
        (["--host", "no.such.host.invalid"], "cannot be used"),
    ):
        assert main(["serve", *options]) == 2
        assert sentence in capsys.readouterr().err
