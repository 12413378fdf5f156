"""Models of random weights for every task."""

import torch

from undegrade.inference.pipeline import Pipeline
from undegrade.inference.torch_engine import TorchEngine
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS


def make(task: str) -> Pipeline:
    torch.manual_seed(0)
    variants = TASKS[task].variants
    return Pipeline(TorchEngine(VDIR(variants.get("fast", next(iter(variants.values()))))), TASKS[task])
