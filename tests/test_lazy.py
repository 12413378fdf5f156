"""PyTorch is imported at its first use, and where it is missing a sentence says what to do."""

import importlib.util
import subprocess
import sys

import pytest
import torch as real

from undegrade import lazy
from undegrade.errors import UndegradeError


def test_it_is_the_library_itself() -> None:
    assert lazy.torch.Tensor is real.Tensor
    assert lazy.F.conv2d is real.nn.functional.conv2d


def test_it_is_imported_at_its_first_use() -> None:
    code = (
        "import sys; from undegrade.lazy import torch; assert 'torch' not in sys.modules\n"
        "torch.float32; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_it_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not lazy.has_torch()
    with pytest.raises(UndegradeError, match="this needs PyTorch; install it with: pip install 'undegrade\\[torch\\]'"):
        _ = lazy.torch.a_name_that_nobody_asked_for
