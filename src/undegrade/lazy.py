"""PyTorch, imported at its first use: restoring a picture needs none of it, and it may not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:

    class _Lazy:
        """Stands for a module; every name that is asked for is kept, so that it costs nothing the second time."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            import importlib

            needs_torch("this")
            value = getattr(importlib.import_module(self._name), name)
            setattr(self, name, value)
            return value

    torch = _Lazy("torch")
    F = _Lazy("torch.nn.functional")

__all__ = ["F", "has_torch", "needs_torch", "torch"]


def has_torch() -> bool:
    """Whether PyTorch is installed; it is not imported."""
    from importlib.util import find_spec

    try:
        return find_spec("torch") is not None
    except ModuleNotFoundError:  # from a finder that refuses it
        return False


def needs_torch(what: str) -> None:
    """Check that PyTorch is installed.

    Args:
        what: needs it, in words.

    Raises:
        UndegradeError: PyTorch is not installed.
    """
    if not has_torch():
        raise UndegradeError(f"{what} needs PyTorch; install it with: pip install 'undegrade[torch]'.")
