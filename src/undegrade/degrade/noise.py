"""White Gaussian noise: y = x + n, n ~ N(0, (sigma / 255)^2), f(T) = sigma (paper section V-A)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity, standard_normal, uniform
from undegrade.degrade.severity import Severity, first

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """Noise of one strength per image, neither clipped nor rounded.

    Attributes:
        sigma: standard deviation in 8-bit levels, drawn uniformly per image.
        grey_as_grey: whether a grey image stored as RGB (three equal channels) gets one noise plane in all three,
            which is what a noisy grey photo looks like to a colour model. The published tables draw three planes.
    """

    sigma: tuple[float, float]
    grey_as_grey: bool = False

    quantity: ClassVar[Quantity] = Quantity("noise level", size=1, scale=255.0, unit="8-bit levels", low=0, high=255)

    def __post_init__(self) -> None:
        low, high = self.sigma
        if not 0 <= low <= high:
            raise ValueError(f"sigma must satisfy 0 <= low <= high, got {self.sigma}")

    @property
    def severity(self) -> Severity:
        return Severity(
            name="noise level",
            symbol="σ",
            unit="8-bit levels",
            steps=tuple(range(10, 60, 5)),  # as in Fig. 7
            own=30,
            mild=10,
            strong=50,
            reach=24,
            at=lambda sigma: GaussianNoise((sigma, sigma)),
            read=first,
        )

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, c, h, w = x.shape
        sigma = uniform((b, 1), self.sigma[0] / 255, self.sigma[1] / 255, generator, x)
        noise = standard_normal((b, c, h, w), generator, x)
        if self.grey_as_grey and c == 3:
            grey = (x == x[:, :1]).flatten(1).all(1).view(b, 1, 1, 1)
            noise = noise.where(~grey, noise[:, :1])
        return Degraded(x + noise * sigma.view(b, 1, 1, 1), sigma)
