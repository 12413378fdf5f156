"""The architecture of weights, from their shapes."""

from dataclasses import replace

import pytest
import torch

from undegrade.model.architecture import Architecture, Conditioning
from undegrade.model.recognise import architecture_of
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS

KNOWN = {architecture for task in TASKS.values() for architecture in task.variants.values()}
KNOWN |= {Architecture(params=2, restorer=name, conditioning=kind) for name in RESTORERS for kind in Conditioning}
KNOWN |= {replace(architecture, scale_head=True) for architecture in KNOWN}


def shapes(architecture: Architecture) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in VDIR(architecture).state_dict().items()}


@pytest.mark.parametrize("architecture", sorted(KNOWN, key=repr), ids=repr)
def test_every_architecture_is_recognised(architecture: Architecture) -> None:
    assert architecture_of(shapes(architecture)) == replace(architecture, bounds=None, pooling=0)


def test_what_is_not_ours_is_not() -> None:
    ours = shapes(Architecture(restorer="fast"))
    assert architecture_of({}) is None
    assert architecture_of({"encoder.conv1.weight": (64, 3, 3, 3)}) is None
    assert architecture_of({**ours, "further.weight": torch.Size([1])}) is None
    assert architecture_of({**ours, "encoder.conv2.weight": torch.Size([32, 64, 3, 3])}) is None
    assert architecture_of({**ours, "estimator.conv2.weight": torch.Size([100_000, 64, 3, 3])}) is None
