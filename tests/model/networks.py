"""Networks with a fixed random start, for several tests."""

import torch

from undegrade.model.architecture import Architecture
from undegrade.model.restorers import RESTORERS
from undegrade.model.vdir import VDIR


def make(**fields) -> VDIR:
    torch.manual_seed(0)
    return VDIR(Architecture(**fields)).eval()


ENLARGING = [name for name, d in RESTORERS.items() if 2 in d.scales]
