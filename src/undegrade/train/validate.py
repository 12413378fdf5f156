"""How good the averaged weights are on held-out images, while training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from undegrade.data.training_images import read_folder
from undegrade.degrade import Degradation
from undegrade.errors import UndegradeError
from undegrade.model.latent_noise import ESTIMATE_DRAWS
from undegrade.model.objective import ACTIVE, channel_kl, collapse_warning
from undegrade.model.vdir import VDIR


@dataclass(frozen=True)
class Validation:
    """Held-out centre crops and the fixed degradations they are watched on.

    Attributes:
        crops: (N, C, S, S) in [0, 1].
        cases: label -> degradation.
        estimated: whether the estimator learns, so that its error says something.
    """

    crops: Tensor
    cases: Mapping[str, Degradation]
    estimated: bool = True

    @torch.inference_mode()
    def measure(self, model: VDIR) -> dict[str, float]:
        """PSNR (8-bit output, all channels), mean error of the estimate, and the health of the latent.

        Returns:
            ``psnr/<label>``; ``kl``, nats per latent element, and the same of each latent channel, ``kl/<channel>``;
            ``active_units``, how many channels have more than :data:`undegrade.model.objective.ACTIVE`; where there is
            an estimate ``estimate_error/<label>``, in the quantity's unit.
        """
        rows: dict[str, float] = {}
        kls = []
        for label, degradation in self.cases.items():
            generator, latent = (torch.Generator(self.crops.device).manual_seed(seed) for seed in (0, 1))
            errors, misses = [], []
            for x in self.crops.split(1):
                y, params = degradation(x, generator)
                posterior = model.encode(y)
                xhat = model.restore(y, posterior.mean)
                rounded = xhat.clamp(0, 1).mul(255).round().div(255)
                errors.append((rounded - x).square().mean())
                # At draws, as it learned and as users are told it.
                noise = torch.randn((ESTIMATE_DRAWS, *posterior.mean.shape[1:]), generator=latent, device=x.device)
                estimate = model.estimate(posterior.at(noise)).mean((0, 2, 3))
                misses.append((estimate - params).abs().mean() * degradation.quantity.scale)
                kls.append(channel_kl(posterior))
            rows[f"psnr/{label}"] = float((-10 * torch.stack(errors).log10()).mean())
            if self.estimated:
                rows[f"estimate_error/{label}"] = float(torch.stack(misses).mean())
        # Over all cases: a channel may speak up at some kinds of damage only.
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
        c = model.encode(y).mean
        columns = [y, model.restore(y, c), x, model.decode(c, (y.shape[-2], y.shape[-1]))]
        size = (x.shape[-2], x.shape[-1])
        wide = torch.cat([torch.nn.functional.interpolate(t, size, mode="nearest") for t in columns], 3)
        sheet = torch.cat(list(wide), 1).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet if sheet.shape[2] == 3 else sheet[:, :, 0]).save(path)


def centre_crops(folder: Path, channels: int, size: int, device: torch.device | str) -> Tensor:
    """The centre of every image in a folder that is large enough: (N, C, size, size) in [0, 1]."""
    crops = [_centre(i, size) for i in read_folder(folder, channels) if min(i.shape[:2]) >= size]
    if not crops:
        raise UndegradeError(
            f"no image in {folder} is {size} pixels high and wide; give larger ones to watch the run on."
        )
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(device).float() / 255


def _centre(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def health(rows: Mapping[str, float]) -> str | None:
    """A sentence to warn with where what :meth:`Validation.measure` found says that the latent is dead."""
    return collapse_warning([value for name, value in rows.items() if name.startswith("kl/")])


def labels(cases: Sequence[str], rows: Mapping[str, float]) -> str:
    """One line for people: ``30: 31.02 dB (estimate off by 0.8)  ...``."""
    return "  ".join(_label(case, rows) for case in cases)


def _label(case: str, rows: Mapping[str, float]) -> str:
    off = rows.get(f"estimate_error/{case}")
    # Two digits that say something, whatever the unit.
    return f"{case}: {rows[f'psnr/{case}']:.2f} dB" + ("" if off is None else f" (estimate off by {off:.2g})")
