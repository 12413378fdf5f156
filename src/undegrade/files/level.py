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


def check_range(option: str, value: float) -> None:
    """Check that the value of a key of :data:`LEVELS` can be an estimate, by the range of its quantity.

    Raises:
        UndegradeError: it is out of range.
    """
    quantity = TASKS[task_of_level(option)].degradation.quantity
    if not quantity.low <= value <= quantity.high:
        raise UndegradeError(f"--{option} {value:g} is out of range; give {quantity.low:g} to {quantity.high:g}.")


def check_level(option: str, pipeline: Pipeline) -> None:
    """Check that a pipeline estimates what an option replaces.

    Raises:
        UndegradeError: it does not.
    """
    quantity = pipeline.quantity
    if quantity is not None and quantity.size > 1 and LEVELS[option] in dict(quantity.parts):
        raise UndegradeError(
            f"--{option} replaces an estimate that is one number, and {pipeline.task.name} estimates several; use "
            f"--task {task_of_level(option)}."
        )
    if quantity is None or quantity.name != LEVELS[option]:
        raise UndegradeError(
            f"--{option} replaces an estimated {LEVELS[option]}, but {pipeline.task.name} estimates none; leave it out."
        )
