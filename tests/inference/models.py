"""Models of random weights that show every difference, and images for them."""

import numpy as np
import torch

from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.architecture import Architecture
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

FAST = Architecture(restorer="fast")
WHOLE = 100_000
"""A tile no image here exceeds."""
SIGMA = 30
"""Noise level of the noisy picture."""


def pipeline(architecture: Architecture = FAST, task: str = "gaussian", half: bool = False) -> Pipeline:
    torch.manual_seed(0)
    model = VDIR(architecture)
    with torch.no_grad():
        # Undo the damped start of the last layer: otherwise y + a tiny residual would hide differences.
        model.restorer.get_parameter("tail.weight").mul_(3)
    return Pipeline(TorchEngine(model, half=half), TASKS[task])


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)
