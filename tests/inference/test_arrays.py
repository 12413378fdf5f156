"""Every type and layout of array comes back as it went in; what is no image gets a sentence."""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.inference.models import image, pipeline
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.image import Picture
from undegrade.inference.arrays import (
    Layout,
    centre,
    from_float,
    full_range_luma,
    is_grey,
    to_float,
    transformed,
)
from undegrade.inference.pipeline import Pipeline
from undegrade.model.architecture import Architecture


def test_the_eight_transforms_differ_and_the_first_is_the_identity() -> None:
    x = image(4, 4, 1)
    assert np.array_equal(transformed(x, 0), x)
    assert len({transformed(x, i).tobytes() for i in range(8)}) == 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(19, 30), (19, 30, 1), (19, 30, 3)])
def test_the_same_kind_of_array_comes_back(fast: Pipeline, dtype: type, shape: tuple[int, ...]) -> None:
    y = image(*shape)
    peak = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    given = (y * peak).astype(dtype)
    before = given.copy()
    found = fast(given).image
    assert (found.shape, found.dtype) == (shape, dtype)
    np.testing.assert_array_equal(given, before)
    expected = fast((given / peak).astype(np.float32)).image
    if peak > 1:
        expected = expected.clip(0, 1)
    step = {np.uint8: 0.5 / 255, np.uint16: 0.5 / 65535, np.float16: 2e-3}.get(dtype, 0)
    np.testing.assert_allclose(found.astype(np.float64) / peak, expected, rtol=0, atol=step + 1e-5)


def test_an_untouched_image_survives_the_conversions() -> None:
    model = pipeline()
    with torch.no_grad():
        model.engine.model.restorer.get_parameter("tail.weight").data.zero_()
    for dtype in (np.uint8, np.uint16):
        y = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 50, 3), dtype, endpoint=True)
        np.testing.assert_array_equal(model(y).image, y)
        np.testing.assert_array_equal(model(y, self_ensemble=True).image, y)


def test_values_outside_the_range_are_kept() -> None:
    model = pipeline()
    with torch.no_grad():
        model.engine.model.restorer.get_parameter("tail.weight").data.zero_()
    y = image(12, 12, 3) * 5 - 2
    np.testing.assert_array_equal(model(y).image, y)


def test_unusual_memory_layouts(fast: Pipeline) -> None:
    y = image(20, 24, 3)
    expected = fast(y).image
    np.testing.assert_array_equal(fast(np.asfortranarray(y)).image, expected)
    np.testing.assert_array_equal(fast(y[::-1].copy()[::-1]).image, expected)
    np.testing.assert_array_equal(fast(y.astype(">f4")).image, expected)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ([[0.0]], "numpy array"),
        (np.zeros((2, 2), np.int32), "int32"),
        (np.zeros((2, 2), bool), "bool"),
        (np.zeros((2, 2), np.complex64), "complex64"),
        (np.zeros(3), "(3,)"),
        (np.zeros((9, 9, 5)), "(9, 9, 5); choose the channels of a picture"),
        (np.zeros((1, 2, 2, 5)), "(1, 2, 2, 5); its channels are first: use image.transpose(0, 2, 3, 1)"),
        (np.zeros((3, 9, 7)), "(3, 9, 7); its channels are first: use image.transpose(1, 2, 0)"),
        (np.zeros((4, 9, 7), np.uint8), "use image.transpose(1, 2, 0)"),
        (np.zeros((8, 1, 9, 7)), "use image.transpose(0, 2, 3, 1)"),
        (torch.zeros(9, 7, 3), "(9, 7, 3); its channels are last: use image.permute(2, 0, 1)"),
        (torch.zeros(8, 9, 7, 4), "its channels are last: use image.permute(0, 3, 1, 2)"),
        (torch.zeros(5, 9, 7), "choose the channels of a picture"),
        (b"PNG", "PIL.Image.open(io.BytesIO(...))"),
        (io.BytesIO(b"PNG"), "BytesIO; open it with PIL.Image.open."),
        (
            [np.zeros((4, 4))] * 2,
            "list; give its images one at a time, or arrays of one size as a batch by numpy.stack.",
        ),
        (["a.png", "b.png"], "give its images one at a time"),
        (np.zeros((4, 4), ">u2" if sys.byteorder == "little" else "<u2"), "use image.astype(numpy.uint16)"),
        (np.zeros((4, 4), np.uint8).view(np.matrix), "use numpy.asarray(image)"),
        (
            np.array([[-1.0, 0.3, 1.0]]),
            "floats of -1 to 1, but floats must be nominally in [0, 1]; use image / 2 + 0.5",
        ),
        (torch.tensor([[-1.0, 0.3]]).bfloat16(), "floats of -1 to 1"),
        (np.zeros((1, 1, 2, 2, 3)), "(1, 1, 2, 2, 3)"),
        (torch.zeros(5, 5, 3), "(C, H, W)"),
        (torch.zeros(2, 2, dtype=torch.int32), "int32"),
        (np.zeros((0, 4, 3)), "empty"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "infinity"),
    ],
)
def test_what_is_no_image(fast: Pipeline, bad: np.ndarray, what: str) -> None:
    with pytest.raises(UndegradeError) as error:
        fast(bad)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(3, 9, 7), (2, 3, 9, 7), (9, 7, 4)])
@pytest.mark.parametrize("kind", [np.zeros, torch.zeros])
def test_the_advice_is_right(shape: tuple[int, ...], kind: Callable[[tuple[int, ...]], Any]) -> None:
    """What it says to do makes an image of it, with the same pixels next to each other."""
    given = kind(shape)
    try:
        Layout.of(given)
    except UndegradeError as error:
        advised = eval(str(error).rpartition("use ")[2].removesuffix("."), {"image": given})
        assert sorted(advised.shape) == sorted(shape)
        Layout.of(advised)
    else:
        assert isinstance(given, torch.Tensor) is (shape[-1] == 7)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_comes_back_bit_for_bit_and_changes_nothing(fast: Pipeline, dtype: type, channels: int) -> None:
    y = image(19, 30, channels)
    y[..., -1] = 0.1 + 0.9 * y[..., -1]  # nothing is hidden
    y = (y * np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else y).astype(dtype)
    found = fast(y).image
    assert (found.shape, found.dtype) == (y.shape, y.dtype)
    np.testing.assert_array_equal(found[..., -1], y[..., -1])
    np.testing.assert_array_equal(found[..., :-1], fast(np.ascontiguousarray(y[..., :-1])).image)
    batch = fast(np.stack([y, y[::-1]])).image
    np.testing.assert_array_equal(batch[0], found)
    np.testing.assert_array_equal(batch[1, ..., -1], y[::-1, :, -1])
    np.testing.assert_array_equal(fast.estimate(y), fast.estimate(y[..., :-1]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_alpha_of_tensors(fast: Pipeline, dtype: torch.dtype) -> None:
    y = image(4, 19, 30)
    y[3] = 0.1 + 0.9 * y[3]  # nothing is hidden
    y = torch.from_numpy(y * (255 if dtype is torch.uint8 else 1)).to(dtype)
    found = fast(y).image
    assert (found.shape, found.dtype) == (y.shape, dtype)
    assert torch.equal(found[3], y[3])
    assert torch.equal(found[:3], fast(y[:3]).image)


def test_alpha_is_enlarged_as_that_of_files_is() -> None:
    y = (image(12, 10, 4) * 255).astype(np.uint8)
    found = pipeline(Architecture(restorer="fast", scale=2, params=3), "sr-x2")(y).image
    expected = Picture(y[..., :3], y[..., 3]).with_pixels(np.zeros((24, 20, 3), np.uint8)).alpha
    np.testing.assert_array_equal(found[..., 3], expected)
    floats = pipeline(Architecture(restorer="fast", scale=2, params=3), "sr-x2")(y / 255).image
    np.testing.assert_allclose(floats[..., 3], expected / 255, atol=0.51 / 255)


def test_a_part_that_is_held_has_its_part_of_alpha(fast: Pipeline) -> None:
    y = (image(40, 50, 4) * 255).astype(np.uint8)
    held = fast.hold(y, (8, 20), (4, 30))
    np.testing.assert_array_equal(held.restored(), fast(y).image[8:20, 4:30])


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda x: x[None].repeat(2, 0), "batch"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1), "tensor"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1)[None], "tensor batch"),
        (lambda x: torch.from_numpy(x[..., 0].copy()), "grey tensor"),
        (lambda x: torch.from_numpy((x * 255).clip(0, 255).astype(np.uint8)).permute(2, 0, 1), "bytes"),
        (lambda x: torch.from_numpy(x).permute(2, 0, 1).bfloat16(), "bfloat16"),
    ],
)
def test_the_layout_that_was_given_comes_back(
    shipped: Pipeline, noisy: np.ndarray, make: Callable[[np.ndarray], Any], layout: str
) -> None:
    given = make(noisy)
    found = shipped(given, samples=2)
    assert type(found.image) is type(given)
    assert found.image.dtype == given.dtype
    assert found.image.shape == given.shape
    assert type(found.std) is type(given)
    planes = given.shape[:-1] if isinstance(given, np.ndarray) else (*given.shape[:-3], *given.shape[-2:])
    assert tuple(found.std.shape) == tuple(planes)
    if layout in ("batch", "tensor batch"):
        alone = torch.as_tensor(shipped(noisy, samples=2).image)
        first = found.image[0] if isinstance(given, np.ndarray) else found.image[0].permute(1, 2, 0)
        assert torch.equal(torch.as_tensor(first), alone)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_integer_survives_float_and_back_and_the_ends_are_0_and_1(dtype: type) -> None:
    peak = np.iinfo(dtype).max
    every = np.arange(peak + 1, dtype=dtype).reshape(-1, 16, 1)
    floats = to_float(every)
    assert (floats.min(), floats.max(), floats.dtype) == (0, 1, np.float32)
    np.testing.assert_array_equal(from_float(floats, every.dtype), every)
    # The nearest, and what lies outside is cut off rather than wrapped around.
    given = np.float32([-0.2, 0.4 / peak, 0.6 / peak, 1.7]).reshape(1, 4, 1)
    assert from_float(given, every.dtype).ravel().tolist() == [0, 0, 1, peak]


def test_luma_is_pillows() -> None:
    """Pillow rounds BT.601's weights to 16 bits and the luma to 8."""
    colour = make_photo(40, 60, 1)
    ours = full_range_luma(to_float(colour))[..., 0] * 255
    assert np.abs(ours - np.asarray(Pillow.fromarray(colour).convert("L"))).max() <= 0.51


@pytest.mark.parametrize("row", [0, 255, 256, 599])
def test_one_coloured_pixel_anywhere_makes_a_picture_coloured(row: int) -> None:
    grey = np.repeat(image(600, 5, 1), 3, 2)
    assert is_grey(grey)
    grey[row, 3, 2] += 1e-3
    assert not is_grey(grey)


def test_the_eight_transforms_are_those_of_the_square() -> None:
    x = image(5, 7, 3)
    ours = {transformed(x, i).tobytes() for i in range(8)}
    turned = [np.rot90(x, k) for k in range(4)]
    assert ours == {np.ascontiguousarray(y).tobytes() for t in turned for y in (t, t[:, ::-1])}
    y = x.copy()
    for i in range(8):
        transformed(y, i)[...] = transformed(x, i) + i  # written through the view, it lands upright
        np.testing.assert_array_equal(y, x + i)


@pytest.mark.parametrize(("h", "w", "side", "corner"), [(9, 12, 4, (2, 4)), (3, 12, 5, (0, 3)), (2, 2, 5, (0, 0))])
def test_the_middle_of_an_image(h: int, w: int, side: int, corner: tuple[int, int]) -> None:
    x = np.arange(h * w).reshape(h, w, 1)
    found = centre(x, side)
    assert found.shape == (min(h, side), min(w, side), 1)
    assert divmod(int(found[0, 0, 0]), w) == corner


@pytest.mark.parametrize(
    "image",
    [
        [[0.5]],
        torch.zeros(4, 4).to_sparse(),
        torch.zeros(4, 4, device="meta"),
        torch.zeros(4, 4, dtype=torch.complex64),
        torch.zeros(4, 4).to(torch.float8_e4m3fn),
        np.ma.masked_array(np.zeros((4, 4))),
        np.zeros((4, 4), object),
        np.full((4, 4), 255.0),
        torch.full((4, 4), 128.0, dtype=torch.bfloat16),
        None,
        "photo.png",
    ],
)
def test_what_is_no_image_is_one_sentence(image: object) -> None:
    with pytest.raises(UndegradeError) as error:
        Layout.of(image)
    assert str(error.value).endswith(".")


def test_bfloat16_and_noise_far_outside_are_taken() -> None:
    assert Layout.of(torch.zeros(4, 4, dtype=torch.bfloat16)).images(torch.zeros(4, 4, dtype=torch.bfloat16))
    Layout.of(np.full((4, 4), -3.0))
