"""Restore pictures, and say what is wrong with them, as nodes.

An IMAGE of ComfyUI is a tensor (batch, height, width, 3) of floats in [0, 1]; a MASK is (batch, height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import undegrade
from undegrade.inference.options import MAX_STRENGTH, Restoration, RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import UNIVERSAL, select_task
from undegrade.weights.card import shipped_cards

SAMPLES = [0, 2, 4, 8, 16, 32]
LARGEST_SEED = 2**63 - 1
TASK = (
    "universal: noise, JPEG artifacts or both; an image in which it finds neither is left alone; gaussian: "
    "white noise; real: a camera's noise; jpeg; sr: enlarge"
)


def tasks() -> list[str]:
    """The tasks with shipped weights; first the one that finds out by itself what happened, as ComfyUI's default."""
    return sorted({card.task for card in shipped_cards()}, key=lambda task: (task != UNIVERSAL, task))


class Restore:
    """Restore an image, estimate its degradation, and say how sure the result is."""

    CATEGORY = "image/undegrade"
    DESCRIPTION = (
        "Removes noise or JPEG artifacts, or enlarges. The strength of the degradation is estimated from the image."
    )
    FUNCTION = "restore"
    RETURN_TYPES = ("IMAGE", "STRING", "MASK")
    RETURN_NAMES = ("image", "estimate", "uncertainty")
    OUTPUT_TOOLTIPS = (
        "the restored image; with samples their mean",
        "what was found: noise level, JPEG quality, blur; one line for each image of the batch",
        "with samples, the standard deviation of each pixel over them; else 0",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE",),
                "task": (tasks(), {"tooltip": TASK}),
                "strength": (
                    "FLOAT",
                    {
                        "default": 1.0, "min": 0.0, "max": MAX_STRENGTH, "step": 0.05,
                        "tooltip": "1 is the model's own result; not for sr",
                    },
                ),
                "samples": (SAMPLES, {"tooltip": "restorations by different latents, for the uncertainty"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": LARGEST_SEED, "tooltip": "of the samples"}),
            }
        }  # fmt: skip

    def restore(
        self, image: torch.Tensor, task: str, strength: float = 1.0, samples: int = 0, seed: int = 0
    ) -> tuple[torch.Tensor, str, torch.Tensor]:
        pipeline = undegrade.load(task)
        images, lines, deviations = [], [], []
        step = progress(len(image))
        for number, picture in enumerate(rgb(image)):
            found, said = restored_or_left(
                pipeline, picture.numpy(), RestoreOptions(strength, samples=samples, seed=seed),
                lambda part, number=number: step(number + part),
            )  # fmt: skip
            restored = torch.from_numpy(found.image).clamp(0, 1)
            images.append(restored)
            lines.append(words(pipeline, found.estimate) + said)
            std = torch.zeros(restored.shape[:2]) if found.std is None else torch.from_numpy(found.std)
            deviations.append(std)
        return torch.stack(images), "\n".join(lines), torch.stack(deviations)


class Estimate:
    """Estimate the degradation of an image, without restoring it."""

    CATEGORY = "image/undegrade"
    DESCRIPTION = "Estimates noise level, JPEG quality or blur of an image."
    FUNCTION = "estimate"
    RETURN_TYPES = ("STRING", "FLOAT")
    RETURN_NAMES = ("estimate", "number")
    OUTPUT_TOOLTIPS = (
        "what was found, one line for each image of the batch",
        "the first number of the estimate, averaged over the batch",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "task": (tasks(),)}}

    def estimate(self, image: torch.Tensor, task: str) -> tuple[str, float]:
        pipeline = undegrade.load(task)
        found = [pipeline.estimate(picture.numpy()) for picture in rgb(image)]
        lines = [words(pipeline, one) for one in found]
        return "\n".join(lines), float(sum(one[0] for one in found) / len(found))


def restored_or_left(
    pipeline: Pipeline, x: np.ndarray, options: RestoreOptions, progress: Callable[[float], None]
) -> tuple[Restoration[np.ndarray], str]:
    """An image (H, W, 3), restored; by the universal task only if it finds something, as ``undegrade.restore`` does.

    Returns:
        The result, and what is to be said of the choice; nothing if the task was given.
    """
    if pipeline.task.name != UNIVERSAL:
        return pipeline.run(x, options, progress), ""
    choice = select_task(x, pipeline, options)
    if choice.pipeline is not None:
        return pipeline.run(x, options, progress, choice.look), ""
    progress(1.0)
    estimates = None if choice.look is None else choice.look.estimates
    if estimates is None or pipeline.quantity is None:  # a tiny image is not looked at
        return Restoration(x, None), f"; {choice.reason}"
    return Restoration(x, *estimates.in_units(pipeline.quantity)), f"; {choice.reason}"


def rgb(image: torch.Tensor) -> torch.Tensor:
    """An IMAGE as floats on the CPU.

    Raises:
        undegrade.UndegradeError: it has an alpha channel.
    """
    if image.shape[-1] != 3:
        raise undegrade.UndegradeError(
            f"this image has {image.shape[-1]} channels instead of 3; split off the alpha channel first."
        )
    return image.detach().float().cpu()


def words(pipeline: Any, estimate: Any) -> str:
    """An estimate for people."""
    return "no estimate" if estimate is None else pipeline.quantity.words(estimate.tolist())


def progress(images: int) -> Callable[[float], None]:
    """A function that moves the bar of the node, called with the number of images that are done."""
    try:
        from comfy.utils import ProgressBar
    except ModuleNotFoundError:  # not in ComfyUI
        return lambda done: None
    bar = ProgressBar(100 * images)
    return lambda done: bar.update_absolute(round(100 * done))


NODE_CLASS_MAPPINGS: dict[str, type] = {"UndegradeRestore": Restore, "UndegradeEstimate": Estimate}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {
    "UndegradeRestore": "Restore (undegrade)",
    "UndegradeEstimate": "Estimate degradation (undegrade)",
}
