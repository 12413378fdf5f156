"""The networks in PyTorch: on GPUs, in half precision, and those without a shipped graph."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.inference.engine import Engine, Posterior, Reaches, Window
from undegrade.model.part import Part
from undegrade.model.vdir import VDIR


class TorchEngine(Engine):
    """A model on a device.

    Args:
        model: it is moved to the device and set to evaluation mode.
        device: where it runs.
        half: convolve in half precision (float16 on a GPU, bfloat16 on a CPU). If the result of a window is not
            finite, the window is computed again in full precision. In half precision, tiles agree with the whole image
            only to about that precision.

    Raises:
        UndegradeError: the device cannot be used.
    """

    def __init__(self, model: VDIR, device: str | torch.device = "cpu", half: bool = False) -> None:
        reaches = Reaches(model.reach, *model.reaches)
        super().__init__(model.architecture, reaches, model.stride, model.restorer.last_reach)
        self._device, self.half = usable(device), half
        # On the CPU this layout is up to twice as fast, and rounds the same whatever the window's size.
        self.model: VDIR = model.eval().to(self._device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def software(self) -> str:
        return f"PyTorch {torch.__version__}"

    def encode(self, y: Window) -> Posterior:
        given = self._tensor(y)
        with self._mode(half=self.half):
            posterior = self.model.encode(given)
        if self.half and not (torch.isfinite(posterior.mean).all() and torch.isfinite(posterior.logvar).all()):
            with self._mode(half=False):
                posterior = self.model.encode(given)
        return Posterior(_array(posterior.mean), _array(posterior.logvar))

    def _restore(self, y: Window, c: Window, part: Part | None) -> Window:
        given, latent = self._tensor(y), self._tensor(c)
        with self._mode(half=self.half):
            xhat = self.model.restore(given, latent, part)
        if self.half and not torch.isfinite(xhat).all():
            with self._mode(half=False):
                xhat = self.model.restore(given, latent, part)
        return _array(xhat)

    def _restore_with_scale(self, y: Window, c: Window, part: Part | None) -> tuple[Window, Window]:
        given, latent = self._tensor(y), self._tensor(c)
        with self._mode(half=self.half):
            xhat, b = self.model.restore_with_scale(given, latent, part)
        if self.half and not (torch.isfinite(xhat).all() and torch.isfinite(b).all()):
            with self._mode(half=False):
                xhat, b = self.model.restore_with_scale(given, latent, part)
        return _array(xhat), _array(b)

    def estimate(self, c: Window) -> Window:
        with self._mode(half=False):
            return _array(self.model.estimate(self._tensor(c)))

    def to(self, device: str) -> TorchEngine:
        if device == self.device:
            return self
        # Checked before the copy; and a module's own to() would move the model of this engine.
        return TorchEngine(copy.deepcopy(self.model), usable(device), self.half)

    def release(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _tensor(self, x: Window) -> Tensor:
        """(B, C, h, w) as a tensor with the channels last in memory, as the weights are; no copy where it is so."""
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        return torch.from_numpy(last).to(self._device).permute(0, 3, 1, 2)

    @contextlib.contextmanager
    def _mode(self, half: bool) -> Iterator[None]:
        """Inference mode with exact float32: no TF32 (three digits), no cuDNN algorithm that depends on the shape."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self._device.type == "cuda":
                stack.enter_context(
                    torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
                )
            if half:
                kind = torch.float16 if self._device.type == "cuda" else torch.bfloat16
                stack.enter_context(torch.autocast(self._device.type, kind))
            yield


def _array(x: Tensor) -> Window:
    found: Window = x.detach().float().cpu().numpy()
    return found


def usable(device: str | torch.device) -> torch.device:
    """The device, after a test allocation."""
    try:
        chosen = torch.device(device)
        # On the device "meta" tensors have shapes, but no values: reading one fails.
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError) as error:
        raise UndegradeError(f"the device {str(device)!r} cannot be used here; try cpu.") from error
    return chosen
