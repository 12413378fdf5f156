"""Results with known numbers."""

from __future__ import annotations

from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.results import Result


def cell(dataset: str, case: str, psnr: float, *, complete: bool = True, error: float | None = 1.5) -> Cell:
    images = (Measured("a", {"psnr": psnr - 1}, error), Measured("b", {"psnr": psnr + 1}, error))
    return Cell("I", dataset, case, images, complete)


FULL = Result(
    task="gaussian",
    variant="full",
    self_ensemble=False,
    weights_sha256="0123456789abcdef" * 4,
    machine={"torch": "PyTorch 2", "cpu": "a CPU"},
    seconds=12.6,
    cells=(cell("CBSD68", "sigma 10", 36.5), cell("Kodak24", "sigma 50", 29.0, complete=False)),
)
