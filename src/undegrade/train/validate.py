"""How good the averaged weights are on held-out images, while training goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from undegrade.data.clean import centre, held_out
from undegrade.data.training_images import read_folder
from undegrade.degrade import Degradation, Numbers, Quantity
from undegrade.errors import UndegradeError
from undegrade.model.latent_noise import ESTIMATE_DRAWS
from undegrade.model.objective import ACTIVE, channel_kl, collapse_warning, scale_loss
from undegrade.model.vdir import VDIR
from undegrade.tasks import Task

_LEAST_ERROR = 1e-8
"""Mean square error that counts as none, or one unchanged image would make the mean PSNR infinite."""


@dataclass(frozen=True)
class Validation:
    """Held-out centre crops and the fixed degradations they are watched on.

    Attributes:
        crops: (N, C, S, S) in [0, 1].
        cases: label -> degradation.
        own: label -> crops, of the cases that are watched on others.
        estimated: whether the estimator learns, so that its error says something.
    """

    crops: Tensor
    cases: Mapping[str, Degradation]
    estimated: bool = True
    own: Mapping[str, Tensor] = field(default_factory=dict)

    @torch.inference_mode()
    def measure(self, model: VDIR) -> dict[str, float]:
        """PSNR (8-bit output, all channels), mean error of the estimate, and the health of the latent.

        Returns:
            ``psnr/<label>``, of each image no more than 80 dB; ``kl``, nats per latent element, and the same of each
            latent channel, ``kl/<channel>``; with a scale head ``nll/<label>``, the mean of -log p(x|y, c) in nats per
            pixel and channel; ``active_units``, how many channels have more than
            :data:`undegrade.model.objective.ACTIVE`; where there is an estimate ``estimate_error/<label>``, in the
            quantity's unit; where it is of several numbers, ``estimate_error/<label>/<number>`` for each that is known.
        """
        rows: dict[str, float] = {}
        kls = []
        for label, degradation in self.cases.items():
            generator, latent = (torch.Generator(self.crops.device).manual_seed(seed) for seed in (0, 1))
            errors, misses, nlls = [], [], []
            for x in self.own.get(label, self.crops).split(1):
                y, params = degradation(x, generator)
                posterior = model.encode(y)
                c = model.pooled(posterior).mean
                if model.scale is None:
                    xhat = model.restore(y, c)
                else:
                    xhat, b = model.restore_with_scale(y, c)
                    nlls.append(scale_loss(x, xhat, b))
                rounded = xhat.clamp(0, 1).mul(255).round().div(255)
                errors.append((rounded - x).square().mean())
                # At draws, as it learned and as it is reported to users.
                noise = torch.randn((ESTIMATE_DRAWS, *posterior.mean.shape[1:]), generator=latent, device=x.device)
                estimate = model.estimate(posterior.at(noise)).mean((0, 2, 3))
                decode = degradation.quantity.decode
                misses.append((decode(estimate) - decode(params[0])).abs())
                kls.append(channel_kl(posterior))
            rows[f"psnr/{label}"] = float((-10 * torch.stack(errors).clamp(min=_LEAST_ERROR).log10()).mean())
            if nlls:
                rows[f"nll/{label}"] = float(torch.stack(nlls).mean())
            if self.estimated:
                rows |= _misses(label, degradation.quantity, torch.stack(misses))
        # Over all cases: a channel may be active for some kinds of degradation only.
        channels = torch.stack(kls).mean(0).tolist()
        rows |= {f"kl/{i}": kl for i, kl in enumerate(channels)}
        return rows | {"kl": float(np.mean(channels)), "active_units": float(sum(kl > ACTIVE for kl in channels))}

    @torch.inference_mode()
    def picture(self, model: VDIR, path: Path, images: int = 4) -> None:
        """Write a sheet to look at: degraded, restored, clean and reconstructed, a row per image."""
        degradation = list(self.cases.values())[len(self.cases) // 2]
        generator = torch.Generator(self.crops.device).manual_seed(0)
        x = self.crops[:images]
        y, _ = degradation(x, generator)
        posterior = model.encode(y)
        c = posterior.mean
        columns = [y, model.restore(y, model.pooled(posterior).mean), x, model.decode(c, (y.shape[-2], y.shape[-1]))]
        size = (x.shape[-2], x.shape[-1])
        wide = torch.cat([torch.nn.functional.interpolate(t, size, mode="nearest") for t in columns], 3)
        sheet = torch.cat(list(wide), 1).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet if sheet.shape[2] == 3 else sheet[:, :, 0]).save(path)


def _misses(label: str, quantity: Quantity, misses: Tensor) -> dict[str, float]:
    """Mean errors of estimates, (N, P), nan where the truth is not known."""
    if not isinstance(quantity, Numbers):
        return {f"estimate_error/{label}": float(misses.mean())}
    means = dict(zip(quantity.numbers, misses.nanmean(0).tolist(), strict=True))
    return {f"estimate_error/{label}/{n.name}": miss for n, miss in means.items() if math.isfinite(miss)}


def own_crops(task: Task, folder: Path, channels: int, size: int, device: torch.device | str) -> dict[str, Tensor]:
    """For :attr:`Validation.own`: the crops of the cases whose clean images are not photographs as they are.

    Args:
        task: whose ``validation_images`` say which.
        folder: held-out photographs.
        channels: 3 or 1.
        size: side of the crops.
        device: where they are kept.

    Raises:
        UndegradeError: no image is large enough for one of the cases.
    """
    if not task.validation_images:
        return {}
    photographs = read_folder(folder, channels)
    kinds = {kind: held_out(kind, photographs, size) for kind in set(task.validation_images.values())}
    for label, kind in task.validation_images.items():
        if not kinds[kind]:
            raise UndegradeError(
                f"no image in {folder} is large enough for the case {label!r}, which is watched on images made smaller "
                f"to no less than {size} pixels; give some of {2 * size} pixels high and wide."
            )
    return {label: _stacked(kinds[kind], device) for label, kind in task.validation_images.items()}


def _stacked(images: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(device).float() / 255


def centre_crops(folder: Path, channels: int, size: int, device: torch.device | str) -> Tensor:
    """The centre of every image in a folder that is large enough: (N, C, size, size) in [0, 1]."""
    crops = [centre(i, size) for i in read_folder(folder, channels) if min(i.shape[:2]) >= size]
    if not crops:
        raise UndegradeError(
            f"no image in {folder} is {size} pixels high and wide; give larger ones to watch the run on."
        )
    return _stacked(crops, device)


def health(rows: Mapping[str, float]) -> str | None:
    """A sentence to warn with where what :meth:`Validation.measure` found says that the posterior has collapsed."""
    return collapse_warning([value for name, value in rows.items() if name.startswith("kl/")])


def labels(cases: Sequence[str], rows: Mapping[str, float]) -> str:
    """One line for people: ``30: 31.02 dB (estimate off by 0.8)  ...``."""
    return "  ".join(_label(case, rows) for case in cases)


def _label(case: str, rows: Mapping[str, float]) -> str:
    name = f"estimate_error/{case}"
    off = [value for key, value in rows.items() if key == name or key.startswith(f"{name}/")]
    # Two digits that say something, whatever the unit.
    missed = f" (estimate off by {', '.join(f'{value:.2g}' for value in off)})" if off else ""
    nll = rows.get(f"nll/{case}")
    likely = "" if nll is None else f" (-log p {nll:.3f})"
    return f"{case}: {rows[f'psnr/{case}']:.2f} dB{missed}{likely}"
