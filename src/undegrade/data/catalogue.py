"""The benchmark datasets, as values. The package ships none of them: the user points at a folder of images.

The folder holds one sub-folder per dataset, named by :attr:`Dataset.folder`, either directly or inside
``test/``. Any lossless copy will do; the names of the files matter only for their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.reading import open_regular

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Dataset:
    """A set of clean images, or of clean and noisy photographs of the same scenes.

    Attributes:
        name: as in the paper's tables.
        folder: where :func:`images` looks below the data folder.
        count: number of images (pairs) that the published numbers average over.
        colour: False for grey images.
        form: what the images are, in words.
        offered: where the owner offers them, in words.
        terms: the owner's terms, in words.
        clean: sub-folder of the clean images.
        degraded: sub-folder of the noisy photographs; None where the degradation is made here.
    """

    name: str
    folder: str
    count: int
    colour: bool
    form: str
    offered: str
    terms: str
    clean: str = ""
    degraded: str | None = None


_BERKELEY = "the Berkeley Segmentation Dataset page of the UC Berkeley computer vision group"
_BERKELEY_TERMS = "non-commercial research and education"

CBSD68 = Dataset(
    name="CBSD68",
    folder="CBSD68",
    count=68,
    colour=True,
    form="481x321; 68 of the test images of BSDS300",
    offered=_BERKELEY,
    terms=_BERKELEY_TERMS,
)
KODAK24 = Dataset(
    name="Kodak24",
    folder="Kodak24",
    count=24,
    colour=True,
    form="500x500 crops of the 768x512 originals, as the paper's authors ship them with their code",
    offered="the Kodak Lossless True Color Image Suite; the crops in the authors' code repository",
    terms="released by Kodak for unrestricted use",
)
URBAN100 = Dataset(
    name="Urban100",
    folder="Urban100",
    count=100,
    colour=True,
    form="buildings of about 1 megapixel, the full-size HR version",
    offered="the SelfExSR project page (Huang et al., CVPR 2015)",
    terms="photographs of Flickr under Creative Commons licences",
)
SET5 = Dataset(
    name="Set5",
    folder="Set5",
    count=5,
    colour=True,
    form="228x344 to 512x512, uncropped",
    offered="the authors of Bevilacqua et al., BMVC 2012, and the SelfExSR project page",
    terms="research; no licence is stated",
)
BSD100 = Dataset(
    name="BSD100",
    folder="BSD100",
    count=100,
    colour=True,
    form="481x321; the 100 test images of BSDS300",
    offered=_BERKELEY,
    terms=_BERKELEY_TERMS,
)
LIVE1 = Dataset(
    name="LIVE1",
    folder="LIVE1",
    count=29,
    colour=True,
    form="the 29 reference images, 480x720 to 768x512",
    offered="the LIVE Image Quality Assessment Database, release 2, of the University of Texas at Austin",
    terms="free of charge for research, with citation",
)
CLASSIC5 = Dataset(
    name="Classic5",
    folder="Classic5",
    count=5,
    colour=False,
    form="512x512, grey: baboon, barbara, boats, lena, peppers",
    offered="the Pointwise Shape-Adaptive DCT page of Tampere University (Foi et al., 2007)",
    terms="classic test images; no licence is stated",
)
CC15 = Dataset(
    name="CC15",
    folder="CC15",
    count=15,
    colour=True,
    form="512x512 crops of photographs and of the mean of 500 shots of the same scene",
    offered="the cross-channel noise dataset page of Nam et al., CVPR 2016",
    terms="research; no licence is stated",
    clean="mean",
    degraded="real",
)

DATASETS = (CBSD68, KODAK24, URBAN100, SET5, BSD100, LIVE1, CLASSIC5, CC15)


def images(dataset: Dataset, data_dir: Path) -> list[Path]:
    """The clean images of a dataset, sorted by name.

    Raises:
        UndegradeError: there are none.
    """
    return _sorted_images(dataset, data_dir, dataset.clean)


def pairs(dataset: Dataset, data_dir: Path) -> list[tuple[Path, Path]]:
    """The (clean, noisy) images of a dataset of photographs, sorted by name.

    Raises:
        UndegradeError: there are none, or some have no partner.
    """
    if dataset.degraded is None:
        raise ValueError(f"{dataset.name} holds clean images only")
    clean = images(dataset, data_dir)
    noisy = _sorted_images(dataset, data_dir, dataset.degraded)
    # Partners differ in a last word, e.g. d600_iso3200_1_mean and d600_iso3200_1_real.
    if [p.stem.removesuffix(f"_{dataset.clean}") for p in clean] != [
        p.stem.removesuffix(f"_{dataset.degraded}") for p in noisy
    ]:
        raise UndegradeError(
            f"the images in {clean[0].parent} and {noisy[0].parent} are no pairs; both need one file per "
            f"scene, named NAME_{dataset.clean} and NAME_{dataset.degraded}."
        )
    return list(zip(clean, noisy, strict=True))


def _sorted_images(dataset: Dataset, data_dir: Path, part: str) -> list[Path]:
    for root in (data_dir, data_dir / "test"):
        folder = root / dataset.folder / part
        if folder.is_dir():
            found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
            if found:
                return found
    wanted = Path(dataset.folder) / part
    raise UndegradeError(
        f"found no images in {data_dir / wanted} or {data_dir / 'test' / wanted}: get {dataset.name} "
        f"({dataset.count} images) from {dataset.offered} and put them there."
    )


def load(path: Path) -> NDArray[np.uint8]:
    """Decode one image: uint8, (H, W) if the file is grey, else (H, W, 3) RGB.

    Raises:
        UndegradeError: the file is not a readable image.
    """
    from PIL import Image

    try:
        with open_regular(path) as file, Image.open(file) as image:
            return np.array(image if image.mode == "L" else image.convert("RGB"), dtype=np.uint8)
    except Exception as error:  # Pillow raises far more than OSError on broken files
        raise UndegradeError(f"cannot read {path} ({error}): replace it with a whole copy.") from error
