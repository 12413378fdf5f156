"""SIDD, photographs of five smartphones (Abdelhamed et al., CVPR 2018): Tables II, VIII, X.

Its sRGB blocks are 8-bit arrays (40, 32, 256, 256, 3): images, blocks of each, rows, columns, RGB; 251 MB in memory.
The training pairs are PNGs of about 16 megapixels, a folder for each scene instance.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import replacing
from undegrade.data import matfile
from undegrade.data.block_benchmark import MeasuredBlocks, Pair, Restore, SubmittedBlocks
from undegrade.data.catalogue import load
from undegrade.errors import UndegradeError
from undegrade.metrics import to_8bit

_PAGE = "the SIDD page of York University (Smartphone Image Denoising Dataset)"
_GT = re.compile(r"(.*)GT_SRGB_(\d+)\.png", re.IGNORECASE)


def _blocks(path: Path, name: str) -> NDArray[np.uint8]:
    """(images, blocks, H, W, 3), 8-bit."""
    found = matfile.read(path, name)
    if found.ndim != 5 or found.shape[-1] != 3 or found.dtype != np.uint8:
        raise UndegradeError(
            f"{path} holds {found.dtype} of shape {found.shape}, not 8-bit RGB blocks; get the sRGB file from {_PAGE}."
        )
    return found


@dataclass(frozen=True)
class SiddValidation(MeasuredBlocks):
    """``ValidationNoisyBlocksSrgb.mat`` and ``ValidationGtBlocksSrgb.mat``, with variables of these names."""

    def pairs(self, folder: Path) -> Iterator[Pair]:
        noisy, clean = (_blocks(folder / file, file.removesuffix(".mat")) for file in self.files)
        if noisy.shape != clean.shape:
            raise UndegradeError(f"the noisy and the clean blocks in {folder} differ in number; get both again.")
        for image, block in np.ndindex(noisy.shape[:2]):
            yield Pair(f"{image + 1:04d}_{block + 1:02d}", clean[image, block], noisy[image, block])


@dataclass(frozen=True)
class SiddBenchmark(SubmittedBlocks):
    """``BenchmarkNoisyBlocksSrgb.mat`` -> ``SubmitSrgb.mat`` and ``SubmitSrgb.csv``.

    The first is what the owners' MATLAB code saves: ``DenoisedBlocksSrgb``, a cell array images x blocks of single
    (H, W, 3) in [0, 1]; ``TimeMPSrgb``, seconds per megapixel of 1024 x 1024; ``OptionalData``, a struct. It takes a
    gigabyte of memory. The second is what the competition that took the site's place takes: a row ``ID,BLOCK`` for each
    block, its 8-bit pixels in base64.
    """

    @property
    def sent(self) -> str:
        return f"SubmitSrgb.csv to the competition that {_PAGE} names, or SubmitSrgb.mat where the page takes it"

    def submit(self, folder: Path, out: Path, restore: Restore, method: str) -> Iterator[int]:
        (file,) = self.files
        noisy = _blocks(folder / file, file.removesuffix(".mat"))
        restored = np.empty(noisy.shape[:2], dtype=object)
        started = time.perf_counter()
        for done, place in enumerate(np.ndindex(restored.shape), 1):
            found = restore(noisy[place].astype(np.float32) / np.float32(255))
            restored[place] = np.clip(found, 0, 1).astype(np.float32)
            yield done
        seconds = time.perf_counter() - started
        write_submission(out, restored, seconds / (noisy[..., 0].size / 2**20), method)


def write_submission(out: Path, restored: NDArray[Any], seconds_per_megapixel: float, method: str) -> None:
    """Write ``SubmitSrgb.mat`` and ``SubmitSrgb.csv`` (:class:`SiddBenchmark`).

    Args:
        out: folder, created if necessary.
        restored: objects (images, blocks), each float32 (H, W, 3) in [0, 1].
        seconds_per_megapixel: of 2^20 pixels.
        method: name of the method.

    Raises:
        UndegradeError: a file cannot be written, or scipy is missing.
    """
    about = {"MethodName": method, "Authors": "", "PaperTitle": "Variational Deep Image Restoration", "Venue": ""}
    matfile.write(
        out / "SubmitSrgb.mat",
        {"DenoisedBlocksSrgb": restored, "TimeMPSrgb": seconds_per_megapixel, "OptionalData": about},
    )
    path = out / "SubmitSrgb.csv"
    try:
        with replacing(path) as file:
            file.write(b"ID,BLOCK\n")
            for number, block in enumerate(restored.flat):
                file.write(b"%d,%s\n" % (number, base64.b64encode(to_8bit(block).tobytes())))
    except OSError as error:
        raise UndegradeError(f"cannot write {path} ({error.strerror}); choose another place.") from error


def training_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """The (clean, noisy) images of SIDD-Medium or SIDD-Small, as distributed.

    Args:
        folder: searched below. SIDD-Medium has ``Data/<scene instance>/<id>_GT_SRGB_010.PNG``, ``..._011.PNG`` and
            their partners ``<id>_NOISY_SRGB_010.PNG``; SIDD-Small has one pair in each and no ``<id>_``.

    Raises:
        UndegradeError: there are none, or some have no partner.
    """
    found = []
    for clean in sorted(folder.rglob("*")):
        if match := _GT.fullmatch(clean.name):
            noisy = clean.with_name(f"{match[1]}NOISY_SRGB_{match[2]}{clean.suffix}")
            if not noisy.is_file():
                raise UndegradeError(f"{clean} has no noisy partner {noisy.name}; unpack the archive again.")
            found.append((clean, noisy))
    if not found:
        raise UndegradeError(
            f"there are no pairs NAME_GT_SRGB_010.PNG below {folder}; get SIDD-Medium sRGB from {_PAGE}."
        )
    return found


TILE = 512
"""Side of the tiles that training reads of the large photographs."""


def training_tiles(folder: Path, megapixels: float) -> list[NDArray[np.uint8]]:
    """Tiles of the training pairs, chosen at random but the same each time, as many as the memory is to hold.

    Args:
        folder: as for :func:`training_pairs`.
        megapixels: of all tiles together, about; each takes 6 bytes of memory per pixel. Every pair gives the same
            number, at least one; a pair is decoded (about 0.1 GB) and released again.

    Returns:
        uint8 arrays (H, W, 6), H and W at most 512: RGB of the clean photograph, then of the noisy one.

    Raises:
        UndegradeError: there are no pairs, one cannot be decoded, or its two images differ in size.
    """
    pairs = training_pairs(folder)
    each = max(1, round(megapixels * 1e6 / TILE**2 / len(pairs)))
    with ThreadPoolExecutor() as pool:
        tiles = pool.map(lambda number: _tiles(number, pairs[number], each), range(len(pairs)))
        return [tile for of_one in tiles for tile in of_one]


def _tiles(number: int, pair: tuple[Path, Path], count: int) -> list[NDArray[np.uint8]]:
    """``count`` tiles of one pair that do not overlap, or all of them."""
    clean, noisy = (load(path) for path in pair)
    if clean.shape != noisy.shape or clean.ndim != 3:
        raise UndegradeError(
            f"{pair[0]} and {pair[1].name} are not two RGB images of one size; unpack the archive again."
        )
    rows, columns = (max(side // TILE, 1) for side in clean.shape[:2])
    places = np.random.default_rng(number).permutation(rows * columns)[:count]
    cuts = [tuple(slice(TILE * i, TILE * (i + 1)) for i in divmod(int(place), columns)) for place in places]
    return [np.concatenate((clean[cut], noisy[cut]), axis=2) for cut in cuts]


SIDD_VALIDATION = SiddValidation(
    name="SIDD-val",
    table="X",
    files=("ValidationNoisyBlocksSrgb.mat", "ValidationGtBlocksSrgb.mat"),
    count=1280,
    offered=_PAGE,
)
SIDD = SiddBenchmark(name="SIDD", table="II", files=("BenchmarkNoisyBlocksSrgb.mat",), count=1280, offered=_PAGE)
