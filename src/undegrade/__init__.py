"""Blind image restoration that also estimates the degradation.

    import undegrade
    clean = undegrade.restore(noisy)                     # array, tensor or PIL image in, the same kind out
    undegrade.restore("photo.jpg").save("better.jpg")    # a file, with its metadata
    pipeline = undegrade.load("gaussian-fast")           # or load a model once and use it several times
    result = pipeline(noisy)                             # result.image, result.estimate

All modules load at first use, hence ``import undegrade`` alone is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.inference.load import load_pipeline as load
    from undegrade.inference.load import restore
    from undegrade.inference.options import Restoration
    from undegrade.inference.pipeline import Pipeline
    from undegrade.tasks import TASKS

__version__ = "0.2.0.dev0"
"""The only place that says it: the package's metadata are made from here."""

__all__ = ["TASKS", "Pipeline", "Restoration", "UndegradeError", "__version__", "load", "restore"]


def __getattr__(name: str) -> Any:
    # The value is stored as an ordinary attribute below: this runs once per name.
    value: Any
    if name in ("restore", "load"):
        from undegrade.inference import load

        value = load.restore if name == "restore" else load.load_pipeline
    elif name == "Pipeline":
        from undegrade.inference import pipeline

        value = pipeline.Pipeline
    elif name == "Restoration":
        from undegrade.inference import options

        value = options.Restoration
    elif name == "TASKS":
        from undegrade import tasks

        value = tasks.TASKS
    else:
        raise AttributeError(f"module 'undegrade' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What completion proposes: the public names, and the subpackages that are loaded."""
    return sorted({name for name in globals() if name not in ("Any", "TYPE_CHECKING", "annotations")} | {*__all__})
