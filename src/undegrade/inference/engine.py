"""Runs the networks on one window of an image: floats (h, w, C) in, floats out.

This module handles devices, memory layouts, half precision, out-of-memory errors, grey images for colour models and
colour images for luma models. :mod:`undegrade.inference.pipeline` chooses the windows and combines the results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from undegrade.degrade.resize import onto_direct_grid
from undegrade.errors import UndegradeError
from undegrade.inference.arrays import full_range_luma
from undegrade.model import Posterior
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR

Window = npt.NDArray[np.float32]


class Engine:
    """A model on a device.

    Args:
        model: it is moved to the device and set to evaluation mode.
        device: where it runs.
        half: convolve in half precision (float16 on a GPU, bfloat16 on a CPU). If the result of a window is not
            finite, the window is computed again in full precision. In half precision, tiles agree with the whole image
            only to about that precision.
    """

    def __init__(self, model: VDIR, device: torch.device, half: bool = False) -> None:
        self.device, self.half = device, half
        # On the CPU this layout is up to twice as fast, and rounds the same whatever the window's size.
        self.model: VDIR = model.eval().to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of memory per pixel of y that the restoration of a window takes."""
        a = self.model.architecture
        # The residual, the interpolated image and their sum have scale^2 pixels each per pixel of y.
        return RESTORERS[a.restorer].bytes_per_pixel + (0 if a.scale == 1 else 120 * a.scale**2)

    def to_model(self, window: Window, direct: bool = False) -> Tensor:
        """(h, w, C) -> y, (1, model channels, h, w). A colour model gets grey as three equal channels.

        For super-resolution, y is shifted to the grid of direct decimation, unless ``direct`` says that it is there
        already. The shift reads up to :data:`undegrade.degrade.resize.SHIFT_REACH` pixels around each pixel.
        """
        channels = self.model.architecture.channels
        if channels == 1 and window.shape[2] == 3:
            window = full_range_luma(window)
        elif channels == 3 and window.shape[2] == 1:
            window = np.repeat(window, 3, axis=2)
        # (h, w, C) in memory is channels_last already.
        y = torch.from_numpy(np.ascontiguousarray(window)).to(self.device).permute(2, 0, 1)[None]
        if direct or self.model.architecture.scale == 1:
            return y
        with self._mode(half=False):
            return onto_direct_grid(y, self.model.architecture.scale).contiguous(memory_format=torch.channels_last)

    def from_model(self, xhat: Tensor, given: Window) -> Window:
        """xhat, (1, model channels, h, w), -> (h, w, C) with the channels of the input window ``given``."""
        restored: Window = xhat[0].permute(1, 2, 0).float().cpu().numpy()
        if restored.shape[2] == given.shape[2]:
            return restored
        if given.shape[2] == 1:  # grey image, colour model: the mean of the three output channels
            return (restored[..., :1] + restored[..., 1:2] + restored[..., 2:]) / np.float32(3)
        # With chroma unchanged, a change of luma is the same change in R, G and B.
        return given + (restored - full_range_luma(given))

    def encode(self, y: Tensor) -> Posterior:
        """q(c|y)."""
        with self._mode(half=self.half):
            posterior = self.model.encode(y)
        if self.half and not (torch.isfinite(posterior.mean).all() and torch.isfinite(posterior.logvar).all()):
            with self._mode(half=False):
                posterior = self.model.encode(y)
        return Posterior(posterior.mean.float(), posterior.logvar.float())

    def restore(self, y: Tensor, c: Tensor) -> Tensor:
        """xhat = f(y, c)."""
        with self._mode(half=self.half):
            xhat = self.model.restore(y, c)
        if self.half and not torch.isfinite(xhat).all():
            with self._mode(half=False):
                xhat = self.model.restore(y, c)
        return xhat.float()

    def estimate(self, c: Tensor) -> Window:
        """EST(c): (1, 4, h, w) -> (P, h, w)."""
        with self._mode(half=False):
            found: Window = self.model.estimate(c)[0].cpu().numpy()
        return found

    def steered(self, y: Tensor, posterior: Posterior, amount: float) -> Posterior:
        """q(c|y') of the same image with ``amount`` times the damage: y' = xhat + amount (y - xhat).

        The residual y - xhat is the model's estimate of the damage. Encoding y' moves the latent towards weaker or
        stronger damage, at each position according to the residual there.
        """
        if amount == 1:
            return posterior
        xhat = self.restore(y, posterior.mean)
        return self.encode(xhat + amount * (y - xhat))

    @contextlib.contextmanager
    def _mode(self, half: bool) -> Iterator[None]:
        """Inference mode with exact float32: no TF32 (three digits), no cuDNN algorithm that depends on the shape."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self.device.type == "cuda":
                stack.enter_context(
                    torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
                )
            if half:
                kind = torch.float16 if self.device.type == "cuda" else torch.bfloat16
                stack.enter_context(torch.autocast(self.device.type, kind))
            yield


def usable(device: str | torch.device) -> torch.device:
    """The device, after a test allocation.

    Raises:
        UndegradeError: the device cannot be used.
    """
    try:
        chosen = torch.device(device)
        # On the device "meta" tensors have shapes, but no values: reading one fails.
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError) as error:
        raise UndegradeError(f"the device {str(device)!r} cannot be used here; try cpu.") from error
    return chosen


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device."""
    message = str(error).lower()  # on a CPU and on Apple's GPUs torch raises a plain RuntimeError
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("allocate memory" in message or "out of memory" in message)
    )
