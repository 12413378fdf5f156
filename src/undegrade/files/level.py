"""Options that replace an estimate: ``sigma`` the noise level, ``quality`` the JPEG quality."""

from __future__ import annotations

from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline
from undegrade.tasks import TASKS

LEVELS = {"sigma": "noise level", "quality": "JPEG quality"}
"""Name of the option -> name of the quantity that it replaces."""


def task_of_level(option: str) -> str:
    """The first task that estimates the quantity of a key of :data:`LEVELS`."""
    return next(task.name for task in TASKS.values() if task.degradation.quantity.name == LEVELS[option])


def check_level(option: str, pipeline: Pipeline) -> None:
    """Check that a pipeline estimates what an option replaces.

    Raises:
        UndegradeError: it does not.
    """
    known = None if pipeline.quantity is None else pipeline.quantity.name
    if known != LEVELS[option]:
        raise UndegradeError(
            f"--{option} replaces an estimated {LEVELS[option]}, but {pipeline.task.name} estimates none; leave it out."
        )
