"""The tasks, one value each: what damages the images, which networks repair it, how they are trained and measured.

Command line, tables, weights and tests iterate over :data:`TASKS`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from undegrade.tasks.base import Task
from undegrade.tasks.gaussian import GAUSSIAN
from undegrade.tasks.jpeg import JPEG, JPEG_Y
from undegrade.tasks.real import REAL
from undegrade.tasks.superres import SR_X2, SR_X4
from undegrade.tasks.universal import UNIVERSAL

_ALL = (GAUSSIAN, REAL, JPEG, JPEG_Y, SR_X2, SR_X4, UNIVERSAL)
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
"""Every task by its name."""

__all__ = ["TASKS", "Task"]
