"""The noise of a camera, after CBDNet (Guo et al., CVPR 2019, the paper's [38]); paper section V-B.

    y = round8(f(L + D M n)),    L = f^-1(x),    n ~ N(0, shot^2 L + read^2) at every pixel of the sensor

f is a camera's response to light, M the Bayer mosaic, which keeps one colour of each pixel, and D the demosaicing of
Malvar, He and Cutler (ICASSP 2004), MATLAB's ``demosaic``. f(T) = (shot, read).

CBDNet writes y = f(D M (L + n)). D is linear, so this is f(D M L + D M n), and only the first part differs: training
images have been through a demosaicing of their own, and a second one would blur them and ask the restorer to undo it.
Without noise, y = x.
"""

from __future__ import annotations

import functools
import importlib.resources
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from undegrade.degrade.base import Degradation, Degraded, Generator, Quantity, standard_normal, uniform
from undegrade.degrade.colour import BT601
from undegrade.degrade.jpeg import Jpeg
from undegrade.degrade.severity import Severity, first
from undegrade.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

CURVES = 201
"""How many camera responses there are; ``NOTICE`` beside this file says whose."""

_PER_LEVEL = 4
_BRIGHTNESS = 255 * _PER_LEVEL + 1
_IRRADIANCE = 1 << 13
"""Samples of f^-1 and of f. Both are looked up at the nearest sample, which takes a fifth of the time of a search. f is
sampled evenly in sqrt(L), where the steepest curve rises by half a level per sample, so that x comes back from
round8(f(f^-1(x))) exactly."""


class Response:
    """Camera responses f and their inverses, one of the 201 for each image of a batch.

    Args:
        curves: which, (B,), integers from 0 to 200, on the device to work on.
    """

    def __init__(self, curves: Tensor) -> None:
        self._inverse, self._forward = (table[curves] for table in _tables(curves.device))

    def irradiance(self, x: Tensor) -> Tensor:
        """f^-1: brightness in [0, 1], read to a quarter of an 8-bit level, (B, C, H, W) -> irradiance in [0, 1]."""
        return _looked_up(self._inverse, x.clamp(0, 1))

    def brightness(self, irradiance: Tensor) -> Tensor:
        """f: irradiance, clipped to [0, 1] as a sensor saturates, (B, C, H, W) -> brightness in [0, 1]."""
        return _looked_up(self._forward, irradiance.clamp(0, 1).sqrt())


def _looked_up(table: Tensor, at: Tensor) -> Tensor:
    """The nearest entries of (B, N) tables over [0, 1]."""
    index = at.flatten(1).mul(table.shape[1] - 1).add_(0.5).long()
    return table.gather(1, index).view_as(at).to(at.dtype)


@functools.cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """f^-1 at even steps of brightness, and f at even steps of the root of irradiance: (201, N) each."""
    file = importlib.resources.files("undegrade.degrade") / "response.npz"
    with np.load(io.BytesIO(file.read_bytes())) as stored:
        differences = stored["differences"].astype(np.float64)
    roots = np.pad(differences.cumsum(axis=1) / 65535, ((0, 0), (1, 0)))
    levels = np.linspace(0, 1, roots.shape[1])
    fine, even = np.linspace(0, 1, _BRIGHTNESS), np.linspace(0, 1, _IRRADIANCE)
    inverse = np.stack([np.interp(fine, levels, root**2) for root in roots])
    forward = np.stack([np.interp(even**2, root**2, levels) for root in roots])
    return tuple(torch.from_numpy(t.astype(np.float32)).to(device) for t in (inverse, forward))  # type: ignore[return-value]


# The kinds of a sensor's pixels: red, green in a row with red, green in a row with blue, blue.
_COLOUR = (0, 1, 1, 2)
# 8 times the filters of Malvar, He and Cutler: a pixel's own value; green where it is red or blue; red (blue) where it
# is green, from its neighbours of that colour in the row; in the column; red where it is blue, blue where it is red.
_FILTERS = (
    ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 0, 8, 0, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0)),
    ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0)),
    ((0, 0, -1, 0, 0), (0, -1, 4, -1, 0), (0.5, 0, 5, 0, 0.5), (0, -1, 4, -1, 0), (0, 0, -1, 0, 0)),
    ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0)),
)
# Which of them gives red, green and blue, by kind.
_CHOICE = ((0, 2, 3, 4), (1, 0, 0, 1), (4, 3, 2, 0))
_DEMOSAIC_REACH = 2


def pixel_kinds(pattern: Tensor, height: int, width: int) -> Tensor:
    """The Bayer mosaic.

    Args:
        pattern: (B,), integers from 0 to 3: whose kind the upper left pixel is. 0 is RGGB, 1 GRBG, 2 GBRG, 3 BGGR.
        height, width: of the mosaic, in pixels.

    Returns:
        (B, 1, height, width): 0 red, 1 green in a row with red, 2 green in a row with blue, 3 blue.
    """
    row = torch.arange(height, device=pattern.device).view(1, 1, -1, 1) + pattern.view(-1, 1, 1, 1) // 2
    column = torch.arange(width, device=pattern.device).view(1, 1, 1, -1) + pattern.view(-1, 1, 1, 1) % 2
    return row % 2 * 2 + column % 2


def mosaic(image: Tensor, kinds: Tensor) -> Tensor:
    """Keep one colour of each pixel: (B, 3, H, W) and :func:`pixel_kinds` -> (B, 1, H, W)."""
    return image.gather(1, kinds.new_tensor(_COLOUR)[kinds])


def demosaic(sensor: Tensor, kinds: Tensor) -> Tensor:
    """Estimate all three colours of each pixel by Malvar, He and Cutler's linear filters.

    Args:
        sensor: a mosaic, (B, 1, H + 4, W + 4): two pixels more on each side than what comes out.
        kinds: of its pixels, (B, 1, H + 4, W + 4).

    Returns:
        (B, 3, H, W), not clipped. A mosaic of one constant comes out as that constant.
    """
    reach = _DEMOSAIC_REACH
    filtered = F.conv2d(sensor, sensor.new_tensor(_FILTERS).div(8).unsqueeze(1))
    inner = kinds[:, 0, reach:-reach, reach:-reach]
    return filtered.gather(1, kinds.new_tensor(_CHOICE)[:, inner].transpose(0, 1))


_SMOOTHING_REACH = 3
_CHROMA_REACH = 6
"""In pixels; the widths of the Gaussians go up to half of it."""


def _luma(image: Tensor) -> Tensor:
    """The brightness of ITU-R BT.601: (B, 3, H, W) -> (B, 1, H, W)."""
    return (image * image.new_tensor(BT601).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _smoothed(image: Tensor, width: Tensor, reach: int) -> Tensor:
    """Gaussian smoothing over ``reach`` pixels each way, a width (B,) for each image; the border is cut off."""
    offset = torch.arange(reach + 1, device=image.device, dtype=image.dtype)
    # A width of 0 is a weight of 1 in the middle.
    k = torch.exp(-0.5 * (offset / width.clamp(min=1e-3).view(-1, 1)) ** 2)
    k = (k / (2 * k.sum(1, keepdim=True) - 1)).view(len(k), -1, 1, 1, 1)
    for axis in (2, 3):
        length = image.shape[axis] - 2 * reach
        out = image.narrow(axis, reach, length) * k[:, 0]
        for i in range(1, reach + 1):
            out.addcmul_(image.narrow(axis, reach - i, length) + image.narrow(axis, reach + i, length), k[:, i])
        image = out
    return image


@dataclass(frozen=True)
class CameraNoise(Degradation):
    """Noise on a camera's sensor and what its processing makes of it. The defaults are CBDNet's ranges.

    Strengths are standard deviations where full irradiance is 1. What goes beyond CBDNet is off by default.

    Attributes:
        shot: sigma_s, range of the signal-dependent strength: the variance is shot^2 times the irradiance.
        read: sigma_c, range of the constant strength.
        gain: range of a factor on both, evenly drawn on a logarithmic scale, as the ISO speeds of photographs are
            spread. f(T) is the strengths after it.
        balance: range of the white balance's factors on red and on blue, drawn apart; green has 1. Amplifying a colour
            that the sensor sees weakly amplifies its noise: its variance is g shot^2 L + g^2 read^2.
        smoothing: range of the width, in pixels, of a Gaussian that the demosaiced noise is smoothed with: the camera's
            own noise reduction. Noise gets weaker and coarser; the scene is left alone. At most 1.5.
        chroma: range of the width, in pixels, of one more Gaussian for what the noise's colours differ from its
            brightness by, as cameras take more of the noise of colours away. It leaves them coarse. At most 3.
        jpeg: how the camera saves, None for without loss. Its ``quality`` is not part of f(T).
        saved: share of images that are saved by ``jpeg``.
        curve: the response of all images, 0 to 200; None draws one for each.
        grey_as_grey: whether a grey image stored as RGB (three equal channels) becomes the grey version of a noisy
            colour photograph. One-channel images always do.

    Raises:
        ValueError: on construction, for ranges that make no sense; on a call, for images with neither one channel nor
            three.
    """

    shot: tuple[float, float] = (0.0, 0.16)
    read: tuple[float, float] = (0.0, 0.06)
    gain: tuple[float, float] = (1.0, 1.0)
    balance: tuple[float, float] = (1.0, 1.0)
    smoothing: tuple[float, float] = (0.0, 0.0)
    chroma: tuple[float, float] = (0.0, 0.0)
    jpeg: Jpeg | None = None
    saved: float = 1.0
    curve: int | None = None
    grey_as_grey: bool = False

    quantity: ClassVar[Quantity] = Quantity(
        "sensor noise (signal-dependent, constant)",
        size=2,
        scale=1.0,
        unit="of full irradiance",
        digits=3,
        names=("signal-dependent sensor noise", "constant sensor noise"),
    )

    def __post_init__(self) -> None:
        limits = {"shot": (0.0, 1.0), "read": (0.0, 1.0), "gain": (1e-6, 1e6), "balance": (1.0, 16.0)}
        limits |= {"smoothing": (0.0, _SMOOTHING_REACH / 2), "chroma": (0.0, _CHROMA_REACH / 2)}
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name} must satisfy {least:g} <= low <= high <= {most:g}, got {(low, high)}")
        if not 0 <= self.saved <= 1:
            raise ValueError(f"saved must be a share between 0 and 1, got {self.saved}")
        if self.curve is not None and not 0 <= self.curve < CURVES:
            raise ValueError(f"curve must be one of 0 to {CURVES - 1}, got {self.curve}")

    @property
    def severity(self) -> Severity:
        # The signal-dependent part varies, the constant one is a third of it.
        return Severity(
            name="sensor noise",
            symbol="σs",
            unit="of full irradiance",
            steps=tuple((np.arange(1, 11) * 0.016).round(3).tolist()),
            own=0.06,
            mild=0.02,
            strong=0.14,
            reach=0.05,
            at=lambda shot: CameraNoise(shot=(shot, shot), read=(shot / 3, shot / 3)),
            read=first,
        )

    def __call__(self, x: Tensor, generator: Generator) -> Degraded:
        b, c, _, _ = x.shape
        if c not in (1, 3):
            raise ValueError(f"a camera takes images of 1 or 3 channels, got {c}")
        params = self._strengths(b, generator, x)
        low, high = (0, CURVES) if self.curve is None else (self.curve, self.curve + 1)
        response = Response(_choices(b, low, high, generator, x))
        colour = x.expand(-1, 3, -1, -1)
        irradiance = response.irradiance(colour)
        y = response.brightness(irradiance + self._noise(irradiance, params, generator))
        if c == 1 or self.grey_as_grey:
            luma = _luma(y)
            y = luma if c == 1 else torch.where((x == x[:, :1]).flatten(1).all(1).view(b, 1, 1, 1), luma, y)
        return Degraded(self._file(y.mul(255).round().div(255), generator), params)

    def _strengths(self, count: int, generator: Generator, like: Tensor) -> Tensor:
        """shot and read of each image, (count, 2)."""
        shot = uniform((count, 1), *self.shot, generator, like)
        read = uniform((count, 1), *self.read, generator, like)
        low, high = np.log(self.gain).tolist()
        return torch.cat((shot, read), 1) * uniform((count, 1), low, high, generator, like).exp()

    def _noise(self, irradiance: Tensor, params: Tensor, generator: Generator) -> Tensor:
        """D M n, smoothed: (B, 3, H, W), for an irradiance of that shape."""
        b, h, w = len(irradiance), *irradiance.shape[2:]
        smooth, chroma = _SMOOTHING_REACH if self.smoothing[1] else 0, _CHROMA_REACH if self.chroma[1] else 0
        margin = _DEMOSAIC_REACH + smooth + chroma
        kinds = pixel_kinds(_choices(b, 0, 4, generator, irradiance), h + 2 * margin, w + 2 * margin)
        light = mosaic(F.pad(irradiance, [margin] * 4, mode="replicate"), kinds)
        red, blue = (uniform((b, 1), *self.balance, generator, irradiance) for _ in range(2))
        green = torch.ones_like(red)
        amplified = torch.cat((red, green, green, blue), 1).gather(1, kinds.flatten(1)).view_as(light)
        shot, read = (params[:, i].view(b, 1, 1, 1) for i in (0, 1))
        deviation = (amplified * (shot**2 * light + amplified * read**2)).sqrt()
        shape = (b, 1, h + 2 * margin, w + 2 * margin)
        noise = demosaic(deviation * standard_normal(shape, generator, irradiance), kinds)
        if smooth:
            noise = _smoothed(noise, uniform((b,), *self.smoothing, generator, irradiance), smooth)
        if chroma:
            luma = _luma(noise)
            colours = _smoothed(noise - luma, uniform((b,), *self.chroma, generator, irradiance), chroma)
            noise = colours + luma[..., chroma:-chroma, chroma:-chroma]
        return noise

    def _file(self, y: Tensor, generator: Generator) -> Tensor:
        """What is left after saving."""
        if self.jpeg is None or self.saved == 0:
            return y
        chosen = uniform((len(y),), 0.0, 1.0, generator, y) < self.saved
        if chosen.all():
            return self.jpeg(y, generator).image
        if chosen.any():
            y[chosen] = self.jpeg(y[chosen], generator).image
        return y


def _choices(count: int, low: int, high: int, generator: Generator, like: Tensor) -> Tensor:
    """``count`` integers from low up to high - 1, on the device of ``like``; a single choice is not drawn."""
    if high == low + 1:
        return torch.full((count,), low, device=like.device)
    # The clamp is for draws so near ``high`` that they round up to it.
    return uniform((count,), low, high, generator, like).long().clamp(max=high - 1)
