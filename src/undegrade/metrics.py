"""PSNR and SSIM of restored images.

    PSNR = 10 log10(peak^2 / MSE)
    SSIM = mean over windows of (2 m_x m_y + C1)(2 s_xy + C2) / ((m_x^2 + m_y^2 + C1)(s_x^2 + s_y^2 + C2)),

where m, s^2 and s_xy are the weighted means, population variances and covariance in a window, C1 = (0.01 peak)^2
and C2 = (0.03 peak)^2 (Wang et al., 2004). Only windows completely inside the image count. All computations are
in float64 on images of 8-bit levels, (H, W) or (H, W, 3), hence peak = 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float = NDArray[np.float64]
Metric = Literal["psnr", "ssim"]

PEAK = 255.0

DIGITS: Mapping[Metric, int] = {"psnr": 2, "ssim": 4}
"""Number of decimals in tables."""


@dataclass(frozen=True)
class SsimWindow:
    """The window weights of SSIM's local statistics; separable, the same along rows and columns.

    Attributes:
        size: side, pixels.
        sigma: standard deviation of Gaussian weights, pixels; None for equal weights.
    """

    size: int
    sigma: float | None = None

    def means(self, plane: Float) -> Float:
        """Weighted means over all windows inside ``plane``: (H, W) -> (H - size + 1, W - size + 1)."""
        return self._down(self._down(plane).T).T

    def _down(self, plane: Float) -> Float:
        rows = len(plane) - self.size + 1
        if self.sigma is None:  # differences of running sums: exact for integers
            sums = plane.cumsum(axis=0)
            out: Float = sums[self.size - 1 :].copy()
            out[1:] -= sums[: rows - 1]
            out /= self.size
            return out
        offset = np.arange(self.size) - (self.size - 1) / 2
        weights = np.exp(-0.5 * (offset / self.sigma) ** 2)
        weights /= weights.sum()
        out = plane[:rows] * weights[0]
        for i in range(1, self.size):
            out += plane[i : i + rows] * weights[i]
        return out


GAUSSIAN_11 = SsimWindow(11, sigma=1.5)
"""Wang's window: used in denoising and super-resolution papers."""

UNIFORM_8 = SsimWindow(8)
"""The window of the JPEG literature (Table VI)."""


def psnr(x: Array, xhat: Array) -> float:
    """Peak signal-to-noise ratio in dB, from one MSE over all pixels and channels; infinite for equal images.

    Raises:
        ValueError: the shapes differ.
    """
    _same_shape(x, xhat)
    error = np.mean((x.astype(np.float64) - xhat) ** 2)
    return float(10 * np.log10(PEAK**2 / error)) if error > 0 else float("inf")


def ssim(x: Array, xhat: Array, window: SsimWindow = GAUSSIAN_11) -> float:
    """Structural similarity, at most 1; for colour images the mean over the channels.

    Raises:
        ValueError: the shapes differ, or the image is smaller than the window.
    """
    _same_shape(x, xhat)
    if min(x.shape[:2]) < window.size:
        raise ValueError(f"{x.shape[0]}x{x.shape[1]} is smaller than the SSIM window ({window.size})")
    if x.ndim == 3:
        return float(np.mean([_ssim_plane(x[..., c], xhat[..., c], window) for c in range(x.shape[2])]))
    return _ssim_plane(x, xhat, window)


def _ssim_plane(x: Array, xhat: Array, window: SsimWindow) -> float:
    a, b = x.astype(np.float64), xhat.astype(np.float64)
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    m_a, m_b = window.means(a), window.means(b)
    m_aa, m_bb, m_ab = m_a * m_a, m_b * m_b, m_a * m_b
    variances = window.means(a * a + b * b) - m_aa - m_bb
    covariance = window.means(a * b) - m_ab
    value = (2 * m_ab + c1) * (2 * covariance + c2) / ((m_aa + m_bb + c1) * (variances + c2))
    return float(value.mean())


def _same_shape(x: Array, xhat: Array) -> None:
    if x.shape != xhat.shape:
        raise ValueError(f"cannot compare images of {x.shape} and {xhat.shape}")


def matlab_luma(rgb: Array) -> Float:
    """MATLAB's Y of 8-bit levels: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, in [16, 235].

    (H, W, 3) -> (H, W). Grey images are returned unchanged, in [0, 255].
    """
    if rgb.ndim == 2:
        return rgb.astype(np.float64)
    return 16 + rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)


def luma_8bit(rgb: Array) -> NDArray[np.uint8]:
    """:func:`matlab_luma` rounded to integers: the input of the Y models of Table VI."""
    return matlab_luma(rgb).round().astype(np.uint8)


def to_8bit(image: Array) -> NDArray[np.uint8]:
    """Clip an image to [0, 1] and round it to 8 bits."""
    return (np.clip(image, 0, 1) * PEAK).round().astype(np.uint8)


@dataclass(frozen=True)
class Protocol:
    """Which channels, pixels and metrics a benchmark compares.

    Attributes:
        colour: ``"rgb"``: compare all channels; ``"y"``: restore colour, compare luma; ``"grey"``: degrade, restore
            and compare the 8-bit luma.
        border: number of pixels left out along each side.
        metrics: the metrics to compute.
        window: the window of SSIM.
    """

    colour: Literal["rgb", "y", "grey"] = "rgb"
    border: int = 0
    metrics: tuple[Metric, ...] = ("psnr",)
    window: SsimWindow = GAUSSIAN_11

    def clean(self, image: NDArray[np.uint8], scale: int = 1) -> NDArray[np.uint8]:
        """The ground truth: grey for a grey protocol, height and width cropped to multiples of ``scale``."""
        h, w = (n - n % scale for n in image.shape[:2])
        image = image[:h, :w]
        return luma_8bit(image) if self.colour == "grey" and image.ndim == 3 else image

    def measure(self, x: NDArray[np.uint8], xhat: NDArray[np.uint8]) -> dict[Metric, float]:
        """Compare a restored 8-bit image with its ground truth."""
        _same_shape(x, xhat)
        a, b = (self._compared(image) for image in (x, xhat))
        return {m: psnr(a, b) if m == "psnr" else ssim(a, b, self.window) for m in self.metrics}

    def _compared(self, image: NDArray[np.uint8]) -> Array:
        h, w = image.shape[:2]
        image = image[self.border : h - self.border, self.border : w - self.border]
        return matlab_luma(image) if self.colour == "y" else image
