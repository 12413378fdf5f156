"""The compiled kernels on arrays against sums that are written out."""

import subprocess
import sys

import numpy as np
import pytest

from undegrade.native import NotCompiled, cache_folder
from undegrade.native.convolution import Conv3x3, Patches, add_residual, check


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    try:
        check()
    except NotCompiled as error:
        pytest.skip(str(error))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def direct(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    around = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2))
    return np.einsum("nhwcij,ocij->nhwo", places, weight.astype(np.float64)) + bias


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("n", "h", "w", "c", "o"),
    [
        (1, 1, 1, 8, 8),
        (2, 5, 7, 8, 24),
        (1, 12, 8, 40, 96),
        (3, 33, 2, 24, 16),
        (1, 4, 103, 16, 64),
        (2, 21, 20, 96, 8),
    ],
)
def test_convolutions_at_every_size(n: int, h: int, w: int, c: int, o: int, threads: int) -> None:
    x, weight, bias, skip = random(n, h, w, c), random(o, c, 3, 3), random(o), random(n, h, w, o)
    conv, wanted = Conv3x3(weight, bias), direct(x, weight, bias)
    near = {"rtol": 0, "atol": 1e-5 * np.abs(wanted).max()}
    np.testing.assert_allclose(conv(x, threads), wanted, **near)
    np.testing.assert_allclose(conv(x, threads, relu=True), wanted.clip(0), **near)
    np.testing.assert_allclose(conv(x, threads, skip=skip, relu=True), (wanted + skip).clip(0), **near)
    positive = np.pad(wanted.clip(0), ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
    largest = positive.reshape(n, (h + 1) // 2, 2, (w + 1) // 2, 2, o).max((2, 4))
    np.testing.assert_allclose(conv(x, threads, halved=True), largest, **near)
    given = skip.copy()
    assert conv(x, threads, skip=given, out=given) is given
    np.testing.assert_allclose(given, wanted + skip, **near)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("n", "h", "w", "c"),
    [(1, 1, 1, 8), (1, 5, 97, 96), (2, 37, 50, 24), (1, 70, 101, 16), (3, 8, 300, 8), (1, 33, 2, 16)],
)
def test_residual_blocks_in_place_are_two_convolutions_to_the_last_bit(
    n: int, h: int, w: int, c: int, threads: int
) -> None:
    x = random(n, h, w, c)
    first, second = (Conv3x3(random(c, c, 3, 3)[::step], random(c)) for step in (1, -1))
    wanted, found = second(first(x, 1, relu=True), 1, skip=x), x.copy()
    add_residual(found, first, second, threads)
    np.testing.assert_array_equal(found, wanted)


def test_residual_blocks_of_other_channels_or_layouts_are_refused() -> None:
    eight, wider = Conv3x3(random(8, 8, 3, 3), random(8)), Conv3x3(random(16, 8, 3, 3), random(16))
    for h in (random(1, 6, 6, 16), random(1, 6, 6, 8).astype(np.float64), random(1, 6, 6, 8).transpose(0, 2, 1, 3)):
        with pytest.raises(ValueError, match="is no contiguous float32"):
            add_residual(h, eight, eight, 1)
    for first, second in ((wider, eight), (eight, wider)):
        with pytest.raises(ValueError, match="is no contiguous float32"):
            add_residual(random(1, 6, 6, 8), first, second, 1)


def test_channels_are_completed_by_zeros() -> None:
    x, weight, bias = random(1, 6, 9, 8), random(3, 5, 3, 3), random(3)
    found = Conv3x3(weight, bias)(x, 1)
    assert found.shape == (1, 6, 9, 8)
    np.testing.assert_allclose(found[..., :3], direct(x[..., :5], weight, bias), rtol=0, atol=1e-4)
    assert not found[..., 3:].any()


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize(("c", "o"), [(8, 8), (32, 4), (96, 96)])
def test_patches(side: int, c: int, o: int) -> None:
    x, weight, bias = random(2, 14, 22, c), random(o, c, side, side), random(o)
    parts = x.reshape(2, 14 // side, side, 22 // side, side, c).astype(np.float64)
    wanted = np.einsum("nhiwjc,ocij->nhwo", parts, weight) + bias
    found = Patches(weight, bias)(x, 2)
    np.testing.assert_allclose(found[..., :o], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_arrays_of_another_size_or_layout_are_refused() -> None:
    conv, patches = Conv3x3(random(8, 8, 3, 3), random(8)), Patches(random(8, 8, 2, 2), random(8))
    x = random(1, 6, 6, 8)
    for wrong in (random(1, 6, 6, 16), x.astype(np.float64), x.transpose(0, 2, 1, 3), random(1, 7, 6, 8)[:, ::2]):
        with pytest.raises(ValueError, match="is no contiguous float32"):
            conv(wrong, 1)
    with pytest.raises(ValueError, match="is no contiguous float32"):
        conv(x, 1, skip=random(1, 6, 5, 8))
    with pytest.raises(ValueError, match="is no contiguous float32"):
        conv(x, 1, halved=True, out=np.empty((1, 6, 6, 8), np.float32))
    with pytest.raises(ValueError, match="is no contiguous float32"):
        patches(random(1, 5, 6, 8), 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")
def test_memory_that_runs_out_is_an_error_not_the_end() -> None:
    """In a process of its own, which may have no more than it has."""
    script = """
import resource
import numpy as np
from undegrade.native.convolution import Conv3x3
conv = Conv3x3(np.zeros((8, 4096, 3, 3), np.float32), np.zeros(8, np.float32))
x, out = np.zeros((1, 40, 40, 4096), np.float32), np.zeros((1, 40, 40, 8), np.float32)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 4_000_000, -1))
try:
    conv(x, 2, out=out)
except MemoryError:
    print("out of memory")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "out of memory\n"), done.stderr


def test_without_a_home_folder_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", home)
    monkeypatch.delenv("UNDEGRADE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(NotCompiled, match="no home folder; set UNDEGRADE_CACHE"):
        cache_folder()
