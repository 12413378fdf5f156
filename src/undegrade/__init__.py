"""Blind image restoration that also estimates the degradation.

    import undegrade
    clean = undegrade.restore(noisy)                     # numpy array in, the same kind of array out
    pipeline = undegrade.load("gaussian", "fast")        # or load a model once and use it several times
    result = pipeline(noisy)                             # result.image, result.estimate

All modules load at first use, hence ``import undegrade`` alone is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.inference.load import load_pipeline as load
    from undegrade.inference.load import restore
    from undegrade.tasks import TASKS

__version__ = "0.2.0.dev0"
"""The only place that says it: the package's metadata are made from here."""

__all__ = ["TASKS", "UndegradeError", "__version__", "load", "restore"]


def __getattr__(name: str) -> Any:
    # The value is stored as an ordinary attribute below: this runs once per name.
    value: Any
    if name in ("restore", "load"):
        from undegrade.inference import load

        value = load.restore if name == "restore" else load.load_pipeline
    elif name == "TASKS":
        from undegrade import tasks

        value = tasks.TASKS
    else:
        raise AttributeError(f"module 'undegrade' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
