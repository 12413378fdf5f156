"""Make the camera response curves that the package ships, from the two lists that CBDNet publishes.

    python training/response.py FOLDER

FOLDER holds ``201_CRF_data.mat`` (I, irradiance, and B, brightness: 201 x 1024 each), as published with CBDNet. Its
companion ``dorfCurvesInv.mat`` is not needed: it lists the inverse by nearest samples only, so that going there and
back errs by up to 31 8-bit levels; the inverse is interpolated here instead.

The file holds the irradiance L at which each curve reaches each of the 256 8-bit levels. It is stored as differences of
round(65535 sqrt(L)): steep curves rise by a tenth of their range within the first 1/65535 of L. The same input gives
the same bytes. scipy reads the .mat file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHIPPED = Path(__file__).parents[1] / "src" / "undegrade" / "degrade" / "response.npz"


def irradiance(curves_i: NDArray[np.float64], curves_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 1024) each -> L at the levels 0, 1/255, ..., 1 of every curve: (N, 256), rising from 0 to 1."""
    levels = np.linspace(0, 1, 256)
    return np.stack([np.interp(levels, b, i) for i, b in zip(curves_i, curves_b, strict=True)])


def main() -> int:
    from scipy.io import loadmat

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    found = loadmat(parser.parse_args().folder / "201_CRF_data.mat")
    steps = np.rint(65535 * np.sqrt(irradiance(found["I"].astype(float), found["B"].astype(float))))
    differences = np.diff(steps, axis=1)
    assert steps[:, 0].max() == 0
    assert steps[:, -1].min() == 65535
    assert differences.min() > 0
    np.savez_compressed(SHIPPED, differences=differences.astype(np.uint16))
    print(f"{SHIPPED}: {len(steps)} curves, {SHIPPED.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
