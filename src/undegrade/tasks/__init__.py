"""The tasks, one value each: what degrades the images, which networks repair it, how they are trained and measured.

Command line, tables, weights and tests iterate over :data:`TASKS`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from undegrade.errors import UndegradeError
from undegrade.tasks.base import Task
from undegrade.tasks.gaussian import GAUSSIAN
from undegrade.tasks.jpeg import JPEG, JPEG_Y
from undegrade.tasks.real import REAL
from undegrade.tasks.superres import SR_X2, SR_X4
from undegrade.tasks.universal import UNIVERSAL

_ALL = (GAUSSIAN, REAL, JPEG, JPEG_Y, SR_X2, SR_X4, UNIVERSAL)
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
"""Every task by its name."""

__all__ = ["TASKS", "Task", "check_variant", "task_named"]


def task_named(name: str) -> Task:
    """The task of a name.

    Raises:
        UndegradeError: there is none.
    """
    if name not in TASKS:
        raise UndegradeError(f"there is no task {name!r}; choose one of: {', '.join(TASKS)}.")
    return TASKS[name]


def check_variant(task: Task, variant: str) -> None:
    """Check that a task has a variant.

    Raises:
        UndegradeError: it has not.
    """
    if variant not in task.variants:
        choices = ", ".join(task.variants)
        raise UndegradeError(f"the task {task.name} has no variant {variant!r}; choose one of: {choices}.")
