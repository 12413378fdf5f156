"""The files written are JPEGs of the quality asked for, and y is what is in them."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from undegrade.degrade.jpeg import Jpeg, decode, encode, nearest_quality, quantisation_tables

# Where coefficient n of a file lies in its 8x8 block: diagonals, each in the opposite direction to the last.
ZIGZAG = sorted(
    ((r, c) for r in range(8) for c in range(8)),
    key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1]),
)


def segments(file: bytes) -> list[tuple[int, bytes]]:
    """(marker, payload) of a JPEG file, up to the start of the scan."""
    found, at = [], 2
    while file[at + 1] != 0xDA:
        length = int.from_bytes(file[at + 2 : at + 4], "big")
        found.append((file[at + 1], file[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def written_tables(file: bytes) -> dict[int, np.ndarray]:
    """The quantisation tables in a file, by their number."""
    tables = {}
    for payload in (p for marker, p in segments(file) if marker == 0xDB):
        for start in range(0, len(payload), 65):
            table = np.zeros((8, 8), int)
            for value, place in zip(payload[start + 1 : start + 65], ZIGZAG, strict=True):
                table[place] = value
            tables[payload[start]] = table
    return tables


def components(file: bytes) -> list[int]:
    """Sampling factors (0xHV) of the colour components of a baseline file."""
    frame = next(p for marker, p in segments(file) if marker == 0xC0)
    return [frame[7 + 3 * i] for i in range(frame[5])]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 100))
def test_written_tables_are_those_of_the_quality(quality: int) -> None:
    rgb = np.random.RandomState(0).randint(0, 256, (16, 16, 3), dtype=np.uint8)
    luminance, chrominance = quantisation_tables(quality)
    colour, grey = written_tables(encode(rgb, quality)), written_tables(encode(rgb[..., 0], quality))
    np.testing.assert_array_equal(colour[0], luminance)
    np.testing.assert_array_equal(colour[1], chrominance)
    np.testing.assert_array_equal(grey[0], luminance)
    assert set(grey) == {0}


def test_known_table_values() -> None:
    luminance, chrominance = quantisation_tables(50)
    assert luminance[0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert (chrominance == chrominance.T).all()
    assert quantisation_tables(10)[0][0, 0] == 80
    assert quantisation_tables(100)[0].max() == 1


def test_the_quality_of_a_table() -> None:
    for quality in range(1, 101):
        assert nearest_quality(quantisation_tables(quality)[0]) == quality
    assert nearest_quality(np.ones((8, 8), np.uint8)) == 100
    assert nearest_quality(np.full((8, 8), 255, np.uint8)) == 1
    # Steps twice as coarse as those of quality 80 lose as much as quality 60 does: 2 (200 - 2 80) = 200 - 2 60.
    assert nearest_quality(2 * quantisation_tables(80)[0]) == pytest.approx(60, abs=1)


def test_chroma_subsampling_is_as_asked(photo: np.ndarray) -> None:
    assert components(encode(photo, 50)) == [0x22, 0x11, 0x11]
    assert components(encode(photo, 50, "4:4:4")) == [0x11, 0x11, 0x11]
    assert components(encode(photo[..., 0], 50)) == [0x11]


@pytest.mark.parametrize("channels", [1, 3])
def test_y_is_the_decoded_file(photo: np.ndarray, channels: int) -> None:
    x = torch.from_numpy(photo[..., :channels].astype(np.float32) / 255).permute(2, 0, 1)[None]
    y, params = Jpeg((30, 30))(x, np.random.RandomState(0))
    file = io.BytesIO()
    Image.fromarray(photo if channels == 3 else photo[..., 0]).save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file)).reshape(96, 128, channels)
    np.testing.assert_array_equal((y[0] * 255).round().permute(1, 2, 0).numpy(), expected)
    assert params.tolist() == [[pytest.approx(0.3)]]


def test_every_image_of_a_batch_gets_its_own_quality(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1).expand(8, 3, 96, 128)
    y, params = Jpeg((10, 80), step=10)(x, torch.Generator().manual_seed(0))
    assert len(set(params.flatten().tolist())) > 2
    for image, quality in zip(y, params.flatten().tolist(), strict=True):
        expected = decode(encode(photo, round(quality * 100)))
        np.testing.assert_array_equal((image * 255).round().permute(1, 2, 0).numpy(), expected)


def test_both_kinds_of_chroma_are_drawn(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1).expand(200, 3, 96, 128)[..., :32, :32]
    y, _ = Jpeg((50, 50), subsampling=("4:2:0", "4:4:4"))(x, torch.Generator().manual_seed(0))
    patch = np.ascontiguousarray(photo[:32, :32])
    kinds = [torch.from_numpy(decode(encode(patch, 50, kind))).permute(2, 0, 1) for kind in ("4:2:0", "4:4:4")]
    counts = [sum(torch.equal((image * 255).round().byte(), kind) for image in y) for kind in kinds]
    assert sum(counts) == 200
    assert abs(counts[0] - 100) < 5 * np.sqrt(50)


def test_saved_twice_means_a_first_time_with_a_grid_of_its_own(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo[..., 0].astype(np.float32) / 255)[None].expand(40, 1, 96, 128)
    y, params = Jpeg((20, 80), step=60, twice=1.0)(x, torch.Generator().manual_seed(0))
    outcomes: dict[bytes, int] = {}
    for first, second in ((20, 20), (20, 80), (80, 20), (80, 80)):
        for top, left in np.ndindex(8, 8):
            # The first time with more of the scene around it: continued here as a mirror would.
            whole = np.concatenate([photo[:top, :, 0][::-1], photo[..., 0]])
            whole = np.concatenate([whole[:, :left][:, ::-1], whole], axis=1)
            once = np.ascontiguousarray(decode(encode(whole, first))[top:, left:])
            outcomes[decode(encode(once, second)).tobytes()] = min(first, second)
    images = (y[:, 0] * 255).round().byte().numpy()
    assert [outcomes[image.tobytes()] for image in images] == (params.flatten() * 100).round().int().tolist()
    assert len({image.tobytes() for image in images}) > 20


def test_a_known_first_time_with_a_known_grid(photo: np.ndarray) -> None:
    """A crop of a saved picture, saved again: the first grid's blocks end after 5 rows and 3 columns."""
    x = torch.from_numpy(photo[None].astype(np.float32) / 255).permute(0, 3, 1, 2)
    generator = np.random.RandomState(0)
    y, params = Jpeg((75, 75), twice=1.0, first=(30, 30), shift=(3, 5))(x, generator)
    assert generator.random_sample() == np.random.RandomState(0).random_sample()  # nothing was left to chance
    assert params.tolist() == [[pytest.approx(0.3)]]
    whole = np.pad(photo, [(3, 0), (5, 0), (0, 0)], mode="symmetric")
    once = np.ascontiguousarray(decode(encode(whole, 30))[3:, 5:])
    np.testing.assert_array_equal((y[0] * 255).round().permute(1, 2, 0).numpy(), decode(encode(once, 75)))


def test_some_are_saved_twice_and_some_once(photo: np.ndarray) -> None:
    x = torch.from_numpy(photo[:16, :16, 0].astype(np.float32) / 255)[None].expand(400, 1, 16, 16)
    y, _ = Jpeg((20, 20), twice=0.25)(x, torch.Generator().manual_seed(0))
    once = torch.from_numpy(decode(encode(np.ascontiguousarray(photo[:16, :16, 0]), 20)))
    changed = sum(not torch.equal((image[0] * 255).round().byte(), once) for image in y)
    assert 50 < changed < 130  # 100, less the few that a second time leaves as they were


@pytest.mark.parametrize(("step", "count"), [(10, 8), (1, 71)])
def test_all_qualities_of_the_range_are_drawn_and_no_others(step: int, count: int) -> None:
    x = torch.zeros(3000, 1, 8, 8)
    _, params = Jpeg((10, 80), step=step)(x, torch.Generator().manual_seed(0))
    values, frequency = np.unique((params * 100).round().int().numpy(), return_counts=True)
    assert values.tolist() == list(range(10, 81, step))
    expected = 3000 / count
    assert np.abs(frequency - expected).max() < 5 * np.sqrt(expected)  # every one equally likely


@pytest.mark.parametrize(
    "make",
    [
        lambda: Jpeg((0, 50)),
        lambda: Jpeg((60, 50)),
        lambda: Jpeg((50, 101)),
        lambda: Jpeg((10, 80), step=0),
        lambda: Jpeg((10, 85), step=10),
        lambda: Jpeg((10, 80), subsampling=("4:2:2",)),
        lambda: Jpeg((10, 80), subsampling=()),
        lambda: Jpeg((10, 80), twice=1.5),
        lambda: Jpeg((10, 80), twice=1.0, first=(0, 5)),
        lambda: Jpeg((10, 80), twice=1.0, shift=(3, 8)),
    ],
)
def test_settings_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must"):
        make()


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or 3 channels"):
        Jpeg((10, 80))(torch.zeros(1, 2, 8, 8), torch.Generator())
